// What every request gets: an id of ours, and one line in the log that tells what it was and nothing that is secret.
import Router from '@koa/router'
import { afterEach, describe, expect, it } from 'vitest'
import type { ApiRouter } from '../../src/http/context.ts'
import { type Served, serve, until } from '../support/serve.ts'

let served: Served | undefined
afterEach(() => served?.close())

async function serveJob() {
  const router: ApiRouter = new Router()
  router.get('/v1/jobs/:id', async (context) => {
    Object.assign(context.state.request, { job_id: 'job_1', model: 'a/b', provider: 'p', cost_usd: '0.000000001' })
    context.body = { prompt: 'a secret prompt' }
  })
  served = await serve((context, next) => router.routes()(context as never, next) as Promise<void>)
  return served
}

describe('a request', () => {
  it('gets an id of ours whatever id it brings, and its own is logged', async () => {
    const { url, lines } = await serveJob()
    const response = await fetch(`${url}/v1/jobs/job_1`, { headers: { 'x-request-id': 'theirs-1' } })
    expect(response.headers.get('x-request-id')).toMatch(/^req_[0-9A-Z]{26}$/)
    const line = await until('the line', () => lines[0])
    expect(line).toMatchObject({
      request_id: response.headers.get('x-request-id'),
      caller_request_id: 'theirs-1',
    })
  })

  it('does not get an id into the log that is none', async () => {
    const { url, lines } = await serveJob()
    await fetch(`${url}/v1/jobs/job_1`, { headers: { 'x-request-id': '{"level":60} forged' } })
    expect(await until('the line', () => lines[0])).not.toHaveProperty('caller_request_id')
  })

  it('leaves one line: job, model, provider, status, times, cost and the pattern of its route', async () => {
    const { url, lines } = await serveJob()
    await fetch(`${url}/v1/jobs/job_1?token=secret`, { headers: { authorization: 'Bearer sk-secret' } })
    const line = await until('the line', () => lines[0])
    expect(line).toMatchObject({
      method: 'GET',
      route: '/v1/jobs/:id',
      status: 200,
      job: 'job_1',
      model: 'a/b',
      provider: 'p',
      cost_usd: '0.000000001',
      latency_ms: expect.any(Number),
      first_byte_ms: expect.any(Number),
    })
    expect(JSON.stringify(lines)).not.toContain('secret')
    expect(lines).toHaveLength(1)
  })

  it('is logged as 499 when the caller leaves before there is an answer', async () => {
    let begun = false
    served = await serve(async () => {
      begun = true
      await new Promise((resolve) => setTimeout(resolve, 50))
    })
    const controller = new AbortController()
    const leaving = fetch(served.url, { signal: controller.signal }).catch(() => undefined)
    await until('the request', () => begun)
    controller.abort()
    await leaving
    expect(await until('the line', () => served?.lines[0])).toMatchObject({ status: 499, cut: true })
  })
})
