// Paths that no route knows and methods that a route does not take.
import Router from '@koa/router'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ApiRouter } from '../../src/http/context.ts'
import { unknownRoute } from '../../src/http/unknown_route.ts'
import { type Served, serve } from '../support/serve.ts'

let served: Served
beforeAll(async () => {
  const router: ApiRouter = new Router()
  const answer = async (context: { body: unknown }) => {
    context.body = 'ok'
  }
  router.post('/v1/chat/completions', answer)
  router.get('/v1/jobs/:id', answer)
  router.delete('/v1/jobs/:id', answer)
  router.get('/v1/models/*id', answer)
  served = await serve(
    (context, next) => router.routes()(context as never, next) as Promise<void>,
    unknownRoute([router]),
  )
})
afterAll(() => served.close())

const ask = async (method: string, path: string) => {
  const response = await fetch(served.url + path, { method })
  const text = await response.text()
  return { response, error: text.startsWith('{') ? JSON.parse(text).error : undefined, text }
}

describe('an unknown path', () => {
  it.each([
    ['POST', '/chat/completions', 'POST /v1/chat/completions'],
    ['POST', '/v1/v1/chat/completions', 'POST /v1/chat/completions'],
    ['POST', '/v1/chat/completion', 'POST /v1/chat/completions'],
    ['GET', '/v1/job/job_1', 'GET /v1/jobs/:id'],
    ['DELETE', '/jobs/job_1', 'DELETE /v1/jobs/:id'],
  ])('%s %s is told that perhaps %s is meant', async (method, path, meant) => {
    const { response, error } = await ask(method, path)
    expect([response.status, error.code]).toEqual([404, 'unknown_route'])
    expect(error.message).toContain(meant)
  })

  it.each(['/', '/static;/../api/admin', '/%2e%2e/api', '//v1/models', '/v1/wp-login.php', `/${'a'.repeat(5000)}`])(
    '%s leads to /docs',
    async (path) => {
      const { response, error } = await ask('GET', path)
      expect(response.status).toBe(404)
      expect(error.message).toContain('/docs')
      expect(error.message.length).toBeLessThan(300)
    },
  )
})

describe('a method that a path does not take', () => {
  it('is a 405 with Allow', async () => {
    const { response, error } = await ask('PUT', '/v1/jobs/job_1')
    expect([response.status, error.code]).toEqual([405, 'method_not_allowed'])
    expect(response.headers.get('allow')).toBe('DELETE, GET, HEAD, OPTIONS')
  })

  it('answers OPTIONS with what there is', async () => {
    const { response } = await ask('OPTIONS', '/v1/chat/completions')
    expect([response.status, response.headers.get('allow')]).toEqual([204, 'POST, OPTIONS'])
  })

  it('answers HEAD where there is GET, without a body', async () => {
    const { response, text } = await ask('HEAD', '/v1/jobs/job_1')
    expect([response.status, text]).toEqual([200, ''])
  })
})
