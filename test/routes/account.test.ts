// What callers learn of their account, their usage and the models they may call; and what machines ask.
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lowestId, newId } from '../../src/flow/ids.ts'
import { type AccountParts, newKey, newUser } from '../support/accounts.ts'
import { call, type TestApi, testApi } from '../support/api.ts'

let api: TestApi
let account_id: string
let user_id: string
let key: string
let key_id: string
beforeAll(async () => {
  api = await testApi()
  const user = await newUser(api)
  account_id = user.account_id
  user_id = user.id
  const made = await newKey(api, user.id)
  key = made.key
  key_id = made.id
})
afterAll(() => api.close())

const get = <Body>(path: string) => call<Body>(api, 'GET', path, undefined, { key })

describe('usage', () => {
  /** Jobs as they stand in the store once they are settled. */
  async function settledJob(
    parts: AccountParts,
    day: string,
    model: string,
    cost: bigint,
    tokens: number,
    of = account_id,
  ) {
    const at = new Date(`${day}T12:00:00Z`)
    await parts.store.jobs.insertOne({
      _id: lowestId('job', at) + newId('job').slice(-16),
      account_id: of,
      user_id,
      key_id,
      model,
      operation: 'chat',
      state: 'settled',
      cost,
      usage: { meters: { input_tokens: tokens, output_tokens: 1 }, source: 'reported' },
      created_at: at,
    } as never)
  }

  beforeAll(async () => {
    await settledJob(api, '2026-11-01', 'a/one', 1n, 10)
    await settledJob(api, '2026-11-02', 'a/one', 2_000_000_000n, 20)
    await settledJob(api, '2026-11-02', 'b/two', 40n, 30)
    await settledJob(api, '2026-10-01', 'a/one', 500n, 1)
    await settledJob(api, '2026-11-02', 'a/one', 7n, 1, 'acc_of_another')
  })

  const november = 'from=2026-11-01&to=2026-12-01'

  it('is summed by model', async () => {
    const { status, body } = await get(`/v1/usage?${november}`)
    expect(status).toBe(200)
    expect(body).toEqual({
      object: 'usage',
      account_id,
      from: Date.UTC(2026, 10, 1) / 1000,
      to: Date.UTC(2026, 11, 1) / 1000,
      group_by: 'model',
      jobs: 3,
      cost_usd: '2.000000041',
      data: [
        { model: 'a/one', jobs: 2, cost_usd: '2.000000001', meters: { input_tokens: 30, output_tokens: 2 } },
        { model: 'b/two', jobs: 1, cost_usd: '0.000000040', meters: { input_tokens: 30, output_tokens: 1 } },
      ],
    })
  })

  it('is summed by day, operation and key', async () => {
    const byDay = await get<{ data: object[] }>(`/v1/usage?${november}&group_by=day`)
    expect(byDay.body.data).toMatchObject([
      { day: '2026-11-01', jobs: 1 },
      { day: '2026-11-02', jobs: 2, cost_usd: '2.000000040' },
    ])
    expect((await get(`/v1/usage?${november}&group_by=operation`)).body).toMatchObject({
      data: [{ operation: 'chat' }],
    })
    expect((await get(`/v1/usage?${november}&group_by=key`)).body).toMatchObject({ data: [{ key_id, jobs: 3 }] })
  })

  it('is summed by several at once, and as a table', async () => {
    const { body } = await get<{ group_by: string; data: object[] }>(`/v1/usage?${november}&group_by=day,model`)
    expect(body.group_by).toBe('day,model')
    expect(body.data).toMatchObject([
      { day: '2026-11-01', model: 'a/one', jobs: 1, cost_usd: '0.000000001' },
      { day: '2026-11-02', model: 'a/one', jobs: 1, cost_usd: '2.000000000' },
      { day: '2026-11-02', model: 'b/two', jobs: 1, cost_usd: '0.000000040' },
    ])
    const table = await get(`/v1/usage?${november}&group_by=model,key&format=csv`)
    expect(table.headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(table.text).toBe(
      `model,key_id,jobs,cost_usd,input_tokens,output_tokens\r\na/one,${key_id},2,2.000000001,30,2\r\nb/two,${key_id},1,0.000000040,30,1\r\n`,
    )
  })

  it('of all users is for admins', async () => {
    const { body } = await call<{ data: object[] }>(api, 'GET', `/api/v1/usage?${november}&group_by=user,model`)
    expect(body.data).toMatchObject([
      { user_id, model: 'a/one', jobs: 3, cost_usd: '2.000000008' },
      { user_id, model: 'b/two', jobs: 1 },
    ])
    const one = await call(api, 'GET', `/api/v1/usage?${november}&user_id=${user_id}`)
    expect(one.body).toMatchObject({ account_id, jobs: 3 })
    expect((await call(api, 'GET', `/api/v1/usage?user_id=usr_nobody`)).status).toBe(404)
  })

  it('takes times as Unix seconds too, and the last 30 days by default', async () => {
    const from = Date.UTC(2026, 10, 2) / 1000
    expect((await get(`/v1/usage?from=${from}&to=${from + 86_400}`)).body).toMatchObject({ jobs: 2 })
    expect((await get('/v1/usage')).status).toBe(200)
  })

  it.each([
    'from=yesterday',
    'from=2026-11-02&to=2026-11-01',
    'from=1900-01-01&to=1900-01-02',
    'group_by=user',
    'group_by=',
    'group_by=day,day',
    'format=xml',
    'account_id=acc_x',
    'from=2020-01-01&to=2026-01-01',
  ])('is refused for %s', async (query) => {
    expect((await get(`/v1/usage?${query}`)).status).toBe(400)
  })
})

describe('models', () => {
  it('are listed to the official SDK, with what they cost', async () => {
    const client = new OpenAI({ apiKey: key, baseURL: `${api.url}/v1` })
    const models = await Array.fromAsync(client.models.list())
    const image = models.find(({ id }) => id === 'sandbox/image')
    expect(image).toMatchObject({
      object: 'model',
      owned_by: 'sandbox',
      created: expect.any(Number),
      operations: ['image'],
      modalities: { input: ['text', 'image'], output: ['image'] },
      limits: { n: 10 },
      prices: [{ provider: 'sandbox', operation: 'image', rates: [{ meter: 'images', usd: '0.01', per: 1 }] }],
      providers: ['sandbox'],
    })
    // The SDK sends the slash as %2F.
    expect(await client.models.retrieve('sandbox/image')).toEqual(image)
  })

  it.each([
    '/v1/models/sandbox/chat',
    '/v1/models/sandbox%2Fchat',
    '/v1/models/chat',
    '/v1/models/sandbox:sandbox/chat',
  ])('are found as %s', async (path) => {
    expect((await get(path)).body).toMatchObject({ id: 'sandbox/chat' })
  })

  it('that do not exist are a 404 with the nearest names', async () => {
    const { status, body } = await get<{ error: { code: string; models: string[] } }>('/v1/models/sandbox/chta')
    expect([status, body.error.code]).toEqual([404, 'model_not_found'])
    expect(body.error.models).toContain('sandbox/chat')
  })

  it('are only those that the key may call', async () => {
    const { key } = await newKey(api, user_id, { models: ['sandbox/chat'] })
    const list = await call<{ data: { id: string }[] }>(api, 'GET', '/v1/models', undefined, { key })
    expect(list.body.data.map(({ id }) => id)).toEqual(['sandbox/chat'])
    const refused = await call(api, 'GET', '/v1/models/sandbox/video', undefined, { key })
    expect([refused.status, refused.body]).toMatchObject([403, { error: { code: 'model_not_allowed' } }])
  })

  it('with a broken escape in their name are no crash', async () => {
    expect((await get('/v1/models/%E0%A4%A')).status).toBeLessThan(500)
  })
})

describe('health', () => {
  it('is told without a key', async () => {
    expect(await (await fetch(`${api.url}/healthz`)).json()).toEqual({ status: 'ok' })
    expect((await fetch(`${api.url}/readyz`)).status).toBe(200)
    api.setReady(false)
    const response = await fetch(`${api.url}/readyz`)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    api.setReady(true)
  })

  it('counts for admins alone', async () => {
    expect((await fetch(`${api.url}/metrics`)).status).toBe(401)
    expect((await get('/metrics')).status).toBe(403)
    const { text, headers } = await call(api, 'GET', '/metrics')
    expect(headers.get('content-type')).toContain('text/plain; version=0.0.4')
    expect(text).toMatch(/^switchyard_uptime_seconds \d+$/m)
  })
})
