// Webhooks of providers: a genuine one makes the router look at once; whatever is forged, foreign, stale, repeated or late
// changes nothing and learns nothing.
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { hookAddress } from '../../src/flow/worker/hooks.ts'
import { newWebhookSecret, signWebhook } from '../../src/protocols/standard_webhooks.ts'
import { type Caller, eventually, type Job, recordOf, Site } from '../flow/site.ts'
import { json, Stub, until } from '../providers/stub.ts'

const HOME = join(import.meta.dirname, '../callers-back')
const PUBLIC_URL = 'https://router.example'
const secret = newWebhookSecret()
let stub: Stub
let site: Site
let caller: Caller
let finished: boolean

beforeAll(async () => {
  stub = await new Stub().start()
  site = await Site.open({
    environment: {
      PROVIDERS_DIR: join(HOME, 'providers'),
      PRICING_DIR: join(HOME, 'pricing'),
      HERALD_BASE_URL: stub.url,
      HERALD_SECRET: secret,
      PUBLIC_URL,
    },
  })
})
afterAll(async () => {
  await site.close()
  await stub.stop()
})
beforeEach(async () => {
  finished = false
  stub.seen.length = 0
  stub.answer = (response, seen) => json(finished ? { audio: wav.toString('base64') } : {})(response, seen)
  caller = await site.caller('1.00')
})
afterEach(async () => {
  for (const { id, status } of await jobs()) if (status !== 'completed') await caller.send(`/v1/jobs/${id}/cancel`, {})
})

/** A second of silence. */
const wav = Buffer.concat([
  Buffer.from('52494646a41f000057415645666d74201000000001000100401f0000401f00000100080064617461401f0000', 'hex'),
  Buffer.alloc(8000, 128),
])
const jobs = async () => (await caller.json<{ data: Job[] }>('/v1/jobs')).data
const polls = () => stub.seen.filter(({ path }) => path === '/poll').length

/** A job under way at the provider, and the address that the provider was given. */
async function underWay(): Promise<{ id: string; path: string }> {
  const body = { model: 'herald/voice', voice: 'v', input: 'Hello', response_format: 'wav' }
  const { json } = await caller.send('/v1/audio/speech', body, { headers: { prefer: 'respond-async' } })
  await caller.jobWhen(json.id, ({ status }) => status === 'in_progress')
  await until(() => stub.seen.some(({ body }) => body.includes(json.id)))
  const { webhook_url } = JSON.parse(stub.seen.find(({ body }) => body.includes(json.id))?.body.toString() ?? '{}')
  expect(webhook_url).toMatch(new RegExp(`^${PUBLIC_URL}/hooks/herald/${json.id}/[\\w-]{43}$`))
  return { id: json.id, path: webhook_url.slice(PUBLIC_URL.length) }
}

interface Sent {
  body?: string
  headers?: Record<string, string>
}
const signed = (body: string, by = secret, timestamp = Math.floor(Date.now() / 1000)) =>
  signWebhook([by], { id: 'msg_1', timestamp, body })
async function call(path: string, { body = '{"status":"succeeded"}', headers = signed(body) }: Sent = {}) {
  const response = await fetch(site.url + path, { method: 'POST', body, headers })
  const text = await response.text()
  const { error, ...answer } = JSON.parse(text)
  return [response.status, error?.code ?? answer]
}

describe('a webhook of a provider', () => {
  it('makes the router look at once, and what the provider then says counts', async () => {
    const { id, path } = await underWay()
    finished = true
    expect(await call(path)).toEqual([200, { received: true }])
    const job = await caller.jobWhen(id, undefined, 5000)
    expect(job).toMatchObject({ status: 'completed', billing: { status: 'settled', cost_usd: '0.005000000' } })
    expect(polls()).toBe(1)
    expect(await site.verify()).toMatchObject({ ok: true })
  })

  it('never ends a job by itself, whatever it says', async () => {
    const { id, path } = await underWay()
    const body = JSON.stringify({ status: 'succeeded', output: 'https://evil.example/film.mp4', cost: 0 })
    expect(await call(path, { body })).toEqual([200, { received: true }])
    await until(() => polls() === 1)
    await caller.jobWhen(id, ({ status }) => status === 'in_progress')
    expect((await caller.job(id)).billing.status).toBe('held')
  })

  it('is acted on once, however often it comes', async () => {
    const { path } = await underWay()
    for (let n = 0; n < 5; n++) expect((await call(path))[0]).toBe(200)
    await until(() => polls() === 1)
    expect((await call(path, { body: '{"status":"processing"}' }))[0]).toBe(200)
    await until(() => polls() === 2)
    expect(polls()).toBe(2)
  })

  it('that comes before the answer to the submission is not lost', async () => {
    let answer: () => void = () => undefined
    stub.answer = (response, seen) => {
      answer = () => json({})(response, seen)
      stub.answer = json({ audio: wav.toString('base64') })
    }
    const body = { model: 'herald/voice', voice: 'v', input: 'Hello', response_format: 'wav' }
    const submitted = await caller.send('/v1/audio/speech', body, { headers: { prefer: 'respond-async' } })
    await until(() => stub.seen.length === 1)
    const { webhook_url } = JSON.parse(stub.seen[0]?.body.toString() ?? '{}')
    const early = call(String(webhook_url).slice(PUBLIC_URL.length))
    setTimeout(() => answer(), 200)
    expect((await early)[0]).toBe(200)
    expect((await caller.jobWhen(submitted.json.id, undefined, 5000)).status).toBe('completed')
  })

  it('for a job that has ended, or was deleted, is taken and ignored', async () => {
    const { id, path } = await underWay()
    await caller.send(`/v1/jobs/${id}/cancel`, {})
    expect(await call(path)).toEqual([200, { received: true }])
    expect((await caller.job(id)).status).toBe('canceled')
    await caller.request(`/v1/jobs/${id}`, undefined, { method: 'DELETE' })
    expect(await call(path)).toEqual([200, { received: true }])
    expect(polls()).toBe(0)
  })
})

it('no address is given out where the router has none from outside, or nobody would listen', async () => {
  const { config, registry, secrets } = site.services
  const connection = registry().connection('herald') ?? {}
  const job = { _id: 'job_1', operation: 'speech' as const }
  const offer = { provider: 'herald', connection }
  expect(hookAddress({ config, secrets }, job, offer)).toMatch(/^https:\/\/router\.example\/hooks\/herald\/job_1\//)
  expect(hookAddress({ config: { ...config, public_url: undefined }, secrets }, job, offer)).toBeUndefined()
  expect(hookAddress({ config, secrets }, { ...job, operation: 'video' }, offer)).toBeUndefined()
  expect(hookAddress({ config, secrets }, { ...job, operation: 'chat' }, offer)).toBeUndefined()
})

describe('what is not genuine', () => {
  it.each([
    ['without a signature', () => ({ headers: {} })],
    ['signed with another secret', () => ({ headers: signed('{"status":"succeeded"}', newWebhookSecret()) })],
    ['whose body was changed', () => ({ body: '{"status":"failed"}', headers: signed('{"status":"succeeded"}') })],
    ['of ten minutes ago', () => ({ headers: signed('{"status":"succeeded"}', secret, Date.now() / 1000 - 600) })],
  ])('a delivery %s is a 401, and nothing is looked at', async (_what, make: () => Sent) => {
    const { id, path } = await underWay()
    const before = await eventually(
      () => recordOf(site, id),
      ({ poll_at }) => poll_at !== undefined,
    )
    expect(await call(path, make())).toEqual([401, 'invalid_signature'])
    expect((await recordOf(site, id)).poll_at).toEqual(before.poll_at)
  })

  it('an address that we never gave out is the same 401 for every job, real or not', async () => {
    const [one, other] = [await underWay(), await underWay()]
    const [, , , , mac = ''] = one.path.split('/')
    const answers = await Promise.all(
      [
        `/hooks/herald/${other.id}/${mac}`,
        `/hooks/herald/job_nobody/${mac}`,
        `/hooks/sandbox/${one.id}/${mac}`,
        `/hooks/nobody/${one.id}/${mac}`,
        `/hooks/herald/${one.id}/${mac.slice(1)}`,
        `/hooks/herald/${one.id}/x`,
      ].map(async (path) => (await fetch(site.url + path, { method: 'POST', body: '{}' })).text()),
    )
    expect(new Set(answers.map((text) => JSON.parse(text).error.message)).size).toBe(1)
    expect(JSON.parse(answers[0] ?? '').error.code).toBe('invalid_signature')
  })

  it('a body of more than a megabyte is refused', async () => {
    const { path } = await underWay()
    expect(await call(path, { body: 'x'.repeat(2 ** 20 + 1) })).toEqual([413, 'request_too_large'])
  })
})
