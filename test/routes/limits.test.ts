// Limits as callers meet them: over several routers exactly as many calls run as may, and what is refused costs nothing,
// is no job, and says in the caller's own words when to come back.
import { readdir } from 'node:fs/promises'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { duration } from '../../src/http/limits.ts'
import { call } from '../support/api.ts'
import { eventually } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'
import { type TestStore, testStore } from '../support/store.ts'

const ADMIN_KEY = 'an-admin-key-of-at-least-32-characters'
let store: TestStore
let routers: TestRouter[]
beforeAll(async () => {
  store = await testStore()
  const environment = { MONGODB_URI: store.uri, ADMIN_KEY, ENCRYPTION_KEYS: `k1:${'A'.repeat(43)}=`, TRUST_PROXY: 'on' }
  routers = [await testRouter(environment), await testRouter(environment)]
})
afterAll(async () => {
  for (const router of routers) await router.close()
  await store.close()
})

interface Refused {
  error: {
    code: string
    type: string
    message: string
    limit: string
    resets_at: number | null
    [fact: string]: unknown
  }
}

const [here, there] = [() => routers[0] as TestRouter, () => routers[1] as TestRouter]
const admin = <Body>(method: string, path: string, body?: unknown) =>
  call<Body>(here(), method, path, body, { key: ADMIN_KEY })

let user: { id: string; account_id: string }
beforeEach(async () => {
  user = (await admin<typeof user>('POST', '/api/v1/users', { name: 'Ada' })).body
  await admin('POST', `/api/v1/users/${user.id}/credits`, { amount_usd: '50', reason: 'Test' })
})

type Key = { id: string; key: string }
async function makeKey(terms: object = {}): Promise<Key> {
  const { status, body } = await admin<Key>('POST', '/api/v1/keys', { user_id: user.id, name: 'k', ...terms })
  expect(status).toBe(201)
  return body
}

const chat = (
  router: TestRouter,
  key: string,
  content = 'Hi',
  more: object = {},
  headers: Record<string, string> = {},
) =>
  call<Refused>(
    router,
    'POST',
    '/v1/chat/completions',
    { model: 'sandbox/chat', messages: [{ role: 'user', content }], max_tokens: 50, ...more },
    { key, headers },
  )

/** So many at once, half of them to each router. */
const many = (count: number, key: string, content?: string) =>
  Promise.all(Array.from({ length: count }, (_, index) => chat(routers[index % 2] as TestRouter, key, content)))

const jobsOf = (account_id: string) => store.store.jobs.countDocuments({ account_id })

async function expectAllGivenBack() {
  const credits = await eventually(async () => {
    const account = await store.store.accounts.findOne({ _id: user.account_id })
    return account?.held === 0n ? account : undefined
  })
  expect(credits.credits).toBe(credits.available + credits.settled)
  expect((await admin('POST', '/api/v1/verify')).body).toMatchObject({ ok: true })
}

describe('500 calls at once over two routers', { timeout: 90_000 }, () => {
  it('run exactly as often as the key has requests a minute, and the others are no jobs', async () => {
    const { key } = await makeKey({ requests_per_minute: 37 })
    const answers = await many(500, key)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(37)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(463)
    expect(await jobsOf(user.account_id)).toBe(37)
    for (const { status, headers } of answers) {
      expect(headers.has('x-job-id')).toBe(status === 200)
      expect(headers.get('x-ratelimit-limit-requests')).toBe('37')
      if (status === 429) expect(headers.get('x-ratelimit-remaining-requests')).toBe('0')
    }
    await expectAllGivenBack()
  })

  it('run exactly as often as the account has jobs at once, and again when those have ended', async () => {
    await admin('PATCH', `/api/v1/users/${user.id}`, { jobs_at_once: 11 })
    const { key } = await makeKey()
    const answers = await many(500, key, '[[delay:8s]] Hi')
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(11)
    const refused = answers.find(({ status }) => status === 429)
    expect(refused?.body.error).toMatchObject({ code: 'rate_limit_exceeded', limit: 'account_jobs_at_once' })
    expect(refused?.headers.get('retry-after')).toBe('1')
    expect(await jobsOf(user.account_id)).toBe(11)
    expect((await chat(there(), key)).status).toBe(200)
    await expectAllGivenBack()
  })

  it('spend no more than the key has for a day, and say when it begins anew', async () => {
    const { key } = await makeKey()
    const estimate = await call<{ hold_usd: string }>(
      here(),
      'POST',
      '/v1/estimate',
      {
        operation: 'chat',
        model: 'sandbox/chat',
        messages: [{ role: 'user', content: '[[delay:8s]] Hi' }],
        max_tokens: 50,
      },
      { key },
    )
    const nano = BigInt(estimate.body.hold_usd.replace('.', ''))
    const limit_daily_usd = `0.${String(nano * 7n + nano - 1n).padStart(9, '0')}`
    const limited = await makeKey({ limit_daily_usd })
    const answers = await many(500, limited.key, '[[delay:8s]] Hi')
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(7)
    const refused = answers.find(({ status }) => status === 402)
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(493)
    const tomorrow = Date.parse(`${new Date().toISOString().slice(0, 10)}T00:00:00Z`) / 1000 + 86_400
    expect(refused?.body.error).toMatchObject({
      code: 'key_budget_exhausted',
      limit: 'key_daily',
      needed_usd: estimate.body.hold_usd,
      limit_usd: limit_daily_usd,
      available_usd: `0.${String(nano - 1n).padStart(9, '0')}`,
      resets_at: tomorrow,
    })
    expect(refused?.headers.get('x-should-retry')).toBe('false')
    await expectAllGivenBack()
  })
})

describe('tokens a minute', () => {
  it('are those that were expected until the job ends, and then those that there were', async () => {
    const { id, key } = await makeKey({ tokens_per_minute: 1500 })
    const first = await chat(here(), key)
    expect(first.status).toBe(200)
    expect(first.headers.get('x-ratelimit-limit-tokens')).toBe('1500')
    const used = (first.body as unknown as { usage: { total_tokens: number } }).usage.total_tokens
    const settled = await eventually(async () => {
      const account = await store.store.accounts.findOne({ _id: user.account_id })
      const tokens = account?.keys[id]?.limits?.tokens
      return tokens?.held === 0n ? tokens : undefined
    })
    expect(settled.settled).toBe(BigInt(used))
    const second = await chat(there(), key)
    expect(Number(second.headers.get('x-ratelimit-remaining-tokens'))).toBeLessThanOrEqual(1500 - used)
  })

  it('that a call alone goes beyond are refused for good, and the SDK does not try again', async () => {
    const { key } = await makeKey({ tokens_per_minute: 1090 })
    const refused = await chat(here(), key)
    expect([refused.status, refused.body.error.code]).toEqual([429, 'request_exceeds_rate_limit'])
    expect(refused.headers.get('x-should-retry')).toBe('false')
    expect(refused.headers.has('retry-after')).toBe(false)
    expect((await chat(here(), key, 'Hi', { max_tokens: 5 })).status).toBe(200)
  })
})

describe('the headers', () => {
  it('are OpenAI’s on every answer, streams included, and none where nothing is limited', async () => {
    const { key } = await makeKey({ requests_per_minute: 3 })
    const client = new OpenAI({ baseURL: here().base_url, apiKey: key, maxRetries: 0 })
    const ask = { model: 'sandbox/chat', messages: [{ role: 'user' as const, content: 'Hi' }] }
    const { response } = await client.chat.completions.create({ ...ask, stream: true }).withResponse()
    expect(response.headers.get('x-ratelimit-limit-requests')).toBe('3')
    expect(response.headers.get('x-ratelimit-remaining-requests')).toBe('2')
    expect(response.headers.get('x-ratelimit-reset-requests')).toMatch(/^(1m0s|\d+(\.\d+)?s)$/)
    const other = await chat(here(), (await makeKey()).key)
    expect([...other.headers.keys()].filter((name) => name.includes('ratelimit'))).toEqual([])
  })

  it('tell the narrower of the key’s and the account’s limits', async () => {
    await admin('PATCH', `/api/v1/users/${user.id}`, { requests_per_minute: 2 })
    const { key } = await makeKey({ requests_per_minute: 50 })
    const { headers } = await chat(here(), key)
    expect(headers.get('x-ratelimit-limit-requests')).toBe('2')
    expect(headers.get('x-ratelimit-remaining-requests')).toBe('1')
  })

  it('let OpenAI’s SDK wait as long as it is told, and then come through', async () => {
    const { id, key } = await makeKey({ jobs_at_once: 1 })
    const client = new OpenAI({ baseURL: here().base_url, apiKey: key, maxRetries: 5 })
    const slow = chat(there(), key, '[[delay:1500ms]] Hi')
    await eventually(async () =>
      (await store.store.accounts.findOne({ _id: user.account_id }))?.keys[id]?.held === 0n ? undefined : true,
    )
    const begun_ms = performance.now()
    const answer = await client.chat.completions.create({
      model: 'sandbox/chat',
      messages: [{ role: 'user', content: 'Hi' }],
    })
    expect(answer.choices).toHaveLength(1)
    expect(performance.now() - begun_ms).toBeGreaterThan(900)
    expect((await slow).status).toBe(200)
  })

  it('are Anthropic’s for its format, whose SDK knows the refusal', async () => {
    const { key } = await makeKey({ requests_per_minute: 1, tokens_per_minute: 100_000 })
    const client = new Anthropic({ baseURL: here().url, apiKey: key, maxRetries: 0 })
    const ask = { model: 'sandbox/chat', max_tokens: 10, messages: [{ role: 'user' as const, content: 'Hi' }] }
    const { response } = await client.messages.create(ask).withResponse()
    expect(response.headers.get('anthropic-ratelimit-requests-remaining')).toBe('0')
    expect(response.headers.get('anthropic-ratelimit-tokens-limit')).toBe('100000')
    expect(response.headers.get('anthropic-ratelimit-requests-reset')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    const refusal = await client.messages.create(ask).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(Anthropic.RateLimitError)
    const { headers, error } = refusal as InstanceType<typeof Anthropic.RateLimitError>
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(50)
    expect(error).toMatchObject({ error: { type: 'rate_limit_error', code: 'rate_limit_exceeded' } })
  })

  it('are Google’s own words in its format', async () => {
    const { key } = await makeKey({ requests_per_minute: 1 })
    const ask = () =>
      call<{ error: { status: string; details: { retryDelay?: string }[] } }>(
        here(),
        'POST',
        '/v1beta/models/sandbox/chat:generateContent',
        { contents: [{ parts: [{ text: 'Hi' }] }] },
        { key },
      )
    expect((await ask()).status).toBe(200)
    const { status, body } = await ask()
    expect([status, body.error.status]).toEqual([429, 'RESOURCE_EXHAUSTED'])
    expect(body.error.details.find(({ retryDelay }) => retryDelay)?.retryDelay).toMatch(/^\d+s$/)
  })

  it.each([
    [120, '120ms'],
    [1000, '1s'],
    [59_500, '59.5s'],
    [360_000, '6m0s'],
    [86_400, '1m26.4s'],
    [-5, '0ms'],
  ])('write %i ms as %s', (ms, text) => {
    expect(duration(ms)).toBe(text)
  })
})

describe('work that is queued', () => {
  it('counts when it is accepted, and a refused one leaves no request behind', async () => {
    const { key } = await makeKey({ requests_per_minute: 1 })
    const submit = () => chat(here(), key, 'x'.repeat(2_000_000), {}, { prefer: 'respond-async' })
    expect((await submit()).status).toBe(202)
    expect((await submit()).status).toBe(429)
    expect((await submit()).status).toBe(429)
    expect(await jobsOf(user.account_id)).toBe(1)
    await eventually(async () =>
      (await store.store.jobs.findOne({ account_id: user.account_id }))?.state === 'released' ? true : undefined,
    )
    const kept = await readdir(here().data_dir, { recursive: true })
    expect(kept.filter((path) => path.includes(user.account_id) && path.endsWith('request.json'))).toEqual([])
    await expectAllGivenBack()
  })
})

describe('a key for some things only', () => {
  it('calls the models of its vendors, and sees no others', async () => {
    const { key } = await makeKey({ models: ['sandbox/*'] })
    expect((await chat(here(), key)).status).toBe(200)
    const listed = await call<{ data: { id: string }[] }>(here(), 'GET', '/v1/models', undefined, { key })
    expect(listed.body.data.length).toBeGreaterThan(3)
    expect(listed.body.data.every(({ id }) => id.startsWith('sandbox/'))).toBe(true)
    const other = await makeKey({ models: ['openai/*'] })
    const refused = await chat(here(), other.key)
    expect([refused.status, refused.body.error.code]).toEqual([403, 'model_not_allowed'])
  })

  it('is used for its operations alone', async () => {
    const { key } = await makeKey({ operations: ['image'] })
    const refused = await chat(here(), key)
    expect([refused.status, refused.body.error.code, refused.body.error.operations]).toEqual([
      403,
      'operation_not_allowed',
      ['image'],
    ])
    const picture = await call(
      here(),
      'POST',
      '/v1/images/generations',
      { model: 'sandbox/image', prompt: 'x' },
      { key },
    )
    expect(picture.status).toBe(200)
  })

  it('is used from its addresses alone, as the proxy saw them and not as the caller says', async () => {
    const { key } = await makeKey({ allowed_ips: ['203.0.113.0/24', '2001:db8::/32'] })
    const from = (forwarded: string) => chat(here(), key, 'Hi', {}, { 'x-forwarded-for': forwarded })
    expect((await from('203.0.113.9')).status).toBe(200)
    expect((await from('::ffff:203.0.113.9')).status).toBe(200)
    expect((await from('2001:db8::7')).status).toBe(200)
    expect((await from('203.0.113.9, 198.51.100.1')).body.error.code).toBe('ip_not_allowed')
    expect((await from('nonsense')).status).toBe(403)
    expect((await chat(here(), key)).status).toBe(403)
  })

  it('stops when it expires, or is turned off', async () => {
    const expiring = await makeKey({ expires_at: new Date(Date.now() + 700).toISOString() })
    expect((await chat(here(), expiring.key)).status).toBe(200)
    await eventually(async () => ((await chat(here(), expiring.key)).status === 401 ? true : undefined))
    const { id, key } = await makeKey()
    await admin('PATCH', `/api/v1/keys/${id}`, { disabled: true })
    expect((await chat(here(), key)).status).toBe(401)
  })
})

describe('a key that is rotated', { timeout: 30_000 }, () => {
  interface Rotated {
    key: string
    id: string
    prefix: string
    previous: { prefix: string; expires_at: number } | null
  }
  const rotate = (id: string, body?: object) => admin<Rotated>('POST', `/api/v1/keys/${id}/rotate`, body)

  it('works with both secrets during the grace, and on every router with the new one alone after it', async () => {
    const { id, key: old } = await makeKey()
    expect((await chat(there(), old)).status).toBe(200)
    const { status, body } = await rotate(id, { grace_seconds: 2 })
    expect(status).toBe(200)
    expect(body).toMatchObject({ id, previous: { prefix: old.slice(0, 12), expires_at: expect.any(Number) } })
    expect(body.key).not.toBe(old)
    for (const router of routers) for (const key of [old, body.key]) expect((await chat(router, key)).status).toBe(200)
    const ended_ms = Date.now() + 2000
    for (const router of routers)
      await eventually(async () => ((await chat(router, old)).status === 401 ? true : undefined), 10_000)
    expect(Date.now() - ended_ms).toBeLessThan(5000)
    for (const router of routers) expect((await chat(router, body.key)).status).toBe(200)
    const { body: shown } = await admin<Rotated>('GET', `/api/v1/keys/${id}`)
    expect(shown.previous).toBeNull()
    expect(JSON.stringify(shown)).not.toContain(body.key)
  })

  it('keeps its limits and its spending, for they are the key’s and not the secret’s', async () => {
    const { id, key } = await makeKey({ requests_per_minute: 2 })
    await chat(here(), key)
    const { body } = await rotate(id, { grace_seconds: 60 })
    expect((await chat(there(), body.key)).status).toBe(200)
    expect((await chat(here(), key)).status).toBe(429)
  })

  it('without grace stops at once where it was rotated, and within five seconds elsewhere', async () => {
    const { id, key } = await makeKey()
    await chat(there(), key)
    await rotate(id, { grace_seconds: 0 })
    expect((await chat(here(), key)).status).toBe(401)
    await eventually(async () => ((await chat(there(), key)).status === 401 ? true : undefined), 5000)
  })

  it('by two admins at once is rotated once, and the other is told', async () => {
    const { id } = await makeKey()
    const rotated = await Promise.all([rotate(id), rotate(id), rotate(id)])
    const winners = rotated.filter(({ status }) => status === 200)
    expect(winners.length).toBeGreaterThan(0)
    // The one whose secret stands, and perhaps one whose secret is in its time of grace.
    const working = await Promise.all(winners.map(({ body }) => chat(here(), body.key)))
    expect(working.some(({ status }) => status === 200)).toBe(true)
    for (const { status } of rotated) expect([200, 409]).toContain(status)
  })

  it.each([[{ grace_seconds: -1 }], [{ grace_seconds: 1.5 }], [{ grace_seconds: '60' }], [{ grace: 60 }]])(
    'is not rotated by %j',
    async (body) => {
      const { id } = await makeKey()
      expect((await rotate(id, body)).status).toBe(400)
    },
  )
})

describe('limits of keys and accounts', () => {
  it('are set, shown to admins and to the caller, and taken away', async () => {
    const terms = {
      limit_daily_usd: '1.5',
      limit_monthly_usd: '20',
      requests_per_minute: 60,
      tokens_per_minute: 90_000,
      jobs_at_once: 4,
    }
    const { id, key } = await makeKey()
    const { body } = await admin<Record<string, unknown>>('PATCH', `/api/v1/keys/${id}`, terms)
    const shown = { ...terms, limit_daily_usd: '1.500000000', limit_monthly_usd: '20.000000000' }
    expect(body).toMatchObject({ ...shown, remaining_daily_usd: '1.500000000', jobs_now: 0 })
    await admin('PATCH', `/api/v1/users/${user.id}`, { limit_monthly_usd: '3', jobs_at_once: 9 })
    const own = await call(here(), 'GET', '/v1/key', undefined, { key })
    expect(own.body).toMatchObject({
      ...shown,
      account_limits: { limit_monthly_usd: '3.000000000', jobs_at_once: 9, requests_per_minute: null },
    })
    const none = { limit_daily_usd: null, requests_per_minute: null, tokens_per_minute: null, jobs_at_once: null }
    expect((await admin('PATCH', `/api/v1/keys/${id}`, none)).body).toMatchObject({
      ...none,
      remaining_daily_usd: null,
    })
    const { body: audit } = await admin<{ data: { detail: object }[] }>('GET', `/api/v1/audit?subject=${id}&limit=2`)
    expect(audit.data[0]?.detail).toEqual(none)
  })

  it.each([
    ['limit_daily_usd', 5],
    ['limit_daily_usd', '-1'],
    ['requests_per_minute', 0],
    ['requests_per_minute', 1.5],
    ['tokens_per_minute', '100'],
    ['jobs_at_once', -1],
    ['allowed_ips', ['10.0.0.0/33']],
    ['allowed_ips', ['127.1']],
    ['allowed_ips', []],
    ['operations', ['fly']],
    ['models', ['*/gpt']],
    ['models', ['open*/gpt']],
  ])('are not %s: %j', async (field, value) => {
    const { id } = await makeKey()
    const { status, body } = await admin<Refused>('PATCH', `/api/v1/keys/${id}`, { [field]: value })
    expect(status).toBe(400)
    expect(String(body.error.param)).toContain(field)
  })

  it.each([
    ['keys', { hash: 'x' }],
    ['keys', { account_id: 'acc_other' }],
    ['keys', { kind: 'admin' }],
    ['keys', { limits: { day: { room: 5 } } }],
    ['users', { credits: '100' }],
    ['users', { limits: {} }],
    ['users', { account_id: 'acc_other' }],
  ])('of %s change nothing else: %j', async (what, body) => {
    const id = what === 'keys' ? (await makeKey()).id : user.id
    expect((await admin('PATCH', `/api/v1/${what}/${id}`, body)).status).toBe(400)
  })
})
