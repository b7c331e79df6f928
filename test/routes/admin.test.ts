// /api/v1 as an admin uses it, over HTTP: shapes, lists, refusals, and that nobody else gets anything.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type TestApi, testApi } from '../support/api.ts'

let api: TestApi
let prices: string
beforeAll(async () => {
  prices = await mkdtemp(join(tmpdir(), 'sw-prices-'))
  api = await testApi([prices])
})
afterAll(async () => {
  await api.close()
  await rm(prices, { recursive: true, force: true })
})

interface Identified {
  id: string
}
interface List {
  object: string
  data: (Identified & Record<string, unknown>)[]
  has_more: boolean
  first_id: string | null
  last_id: string | null
}
interface Refusal {
  error: { code: string; param: string | null; message: string }
}

const makeUser = async (name = 'Ada', email?: string) =>
  (await call<Identified & { account_id: string }>(api, 'POST', '/api/v1/users', { name, ...(email && { email }) }))
    .body
const makeKey = async (user_id: string, fields: object = {}) =>
  (await call<Identified & { key: string }>(api, 'POST', '/api/v1/keys', { user_id, name: 'k', ...fields })).body
const credit = (user_id: string, body: object, headers: Record<string, string> = {}) =>
  call<Refusal & Record<string, unknown>>(api, 'POST', `/api/v1/users/${user_id}/credits`, body, { headers })

const NO_LIMITS = {
  limit_daily_usd: null,
  remaining_daily_usd: null,
  limit_monthly_usd: null,
  remaining_monthly_usd: null,
  requests_per_minute: null,
  tokens_per_minute: null,
  jobs_at_once: null,
  jobs_now: null,
}

describe('users', () => {
  it('are made with an account of their own, and read back', async () => {
    const { status, body } = await call<Identified>(api, 'POST', '/api/v1/users', {
      name: ' Ada ',
      email: 'Ada@Example.com',
    })
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^usr_/),
      object: 'user',
      account_id: expect.stringMatching(/^acc_/),
      name: 'Ada',
      email: 'ada@example.com',
      credits_usd: '0.000000000',
      available_usd: '0.000000000',
      held_usd: '0.000000000',
      settled_usd: '0.000000000',
      ...NO_LIMITS,
      created_at: expect.any(Number),
    })
    expect((await call(api, 'GET', `/api/v1/users/${body.id}`)).body).toEqual(body)
  })

  it('are changed in name and email alone', async () => {
    const { id } = await makeUser()
    const changed = await call(api, 'PATCH', `/api/v1/users/${id}`, { name: 'Grace', email: null })
    expect(changed.body).toMatchObject({ name: 'Grace', email: null })
    for (const sneaky of [{ role: 'admin' }, { credits: 1e18 }, { available: '5' }, { account_id: 'acc_x' }]) {
      const refused = await call<Refusal>(api, 'PATCH', `/api/v1/users/${id}`, sneaky)
      expect([refused.status, refused.body.error.param]).toEqual([400, Object.keys(sneaky)[0]])
    }
    expect((await call(api, 'GET', `/api/v1/users/${id}`)).body).toMatchObject({ credits_usd: '0.000000000' })
  })

  it('are listed newest first, page by page, without a secret', async () => {
    for (const name of ['one', 'two', 'three']) await makeUser(name)
    const first = (await call<List>(api, 'GET', '/api/v1/users?limit=2')).body
    expect(first).toMatchObject({ object: 'list', has_more: true })
    expect(first.data.map(({ name }) => name)).toEqual(['three', 'two'])
    expect([first.first_id, first.last_id]).toEqual([first.data[0]?.id, first.data[1]?.id])
    const second = (await call<List>(api, 'GET', `/api/v1/users?limit=1&after=${first.last_id}`)).body
    expect(second.data.map(({ name }) => name)).toEqual(['one'])
    const oldest = (await call<List>(api, 'GET', '/api/v1/users?limit=1&order=asc')).body
    expect(oldest.data[0]?.name).not.toBe('three')
    expect(JSON.stringify(first)).not.toMatch(/hash|password|sk-sw/)
  })

  it.each([
    '?id[$gt]=',
    '?limit=0',
    '?limit=101',
    '?limit=ten',
    '?order=random',
    '?after=a&after=b',
    '?fields=name:$hash',
    '?$where=1',
    '?__proto__=1',
  ])('are not listed by %s', async (query) => {
    expect((await call(api, 'GET', `/api/v1/users${query}`)).status).toBe(400)
  })

  it.each([
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: { $ne: null } }, 'name'],
    [{ name: 'two\nlines' }, 'name'],
    [{ name: 'a', email: 'nobody' }, 'email'],
    [{ name: 'a', $where: '1' }, '$where'],
    ['{"name":"a","constructor":{"prototype":{"isAdmin":true}}}', 'prototype'],
  ])('are not made from %j', async (body, param) => {
    const refused = await call<Refusal>(api, 'POST', '/api/v1/users', body)
    expect([refused.status, refused.body.error.param]).toEqual([400, param])
  })

  it('are 404 where there are none', async () => {
    const refused = await call<Refusal>(api, 'GET', '/api/v1/users/usr_nobody')
    expect([refused.status, refused.body.error.code]).toEqual([404, 'user_not_found'])
  })
})

describe('credit', () => {
  it('is granted with a reason, and shown at once', async () => {
    const { id, account_id } = await makeUser()
    const { status, body } = await credit(id, { amount_usd: '5.00', reason: 'Welcome' })
    expect(status).toBe(201)
    expect(body).toMatchObject({
      id: expect.stringMatching(/^gr_/),
      account_id,
      amount_usd: '5.000000000',
      available_usd: '5.000000000',
    })
    const { key } = await makeKey(id)
    expect((await call(api, 'GET', '/v1/credits', undefined, { key })).body).toEqual({
      object: 'credits',
      account_id,
      credits_usd: '5.000000000',
      available_usd: '5.000000000',
      held_usd: '0.000000000',
      settled_usd: '0.000000000',
      lots: [expect.objectContaining({ kind: 'paid', remaining_usd: '5.000000000', reason: 'Welcome' })],
    })
  })

  it('is granted once for one Idempotency-Key', async () => {
    const { id } = await makeUser()
    const headers = { 'idempotency-key': 'order-7' }
    const first = await credit(id, { amount_usd: '5', reason: 'r' }, headers)
    const again = await credit(id, { reason: 'r', amount_usd: '5.00' }, headers)
    expect([again.status, again.body]).toEqual([201, first.body])
    const other = await credit(id, { amount_usd: '6', reason: 'r' }, headers)
    expect([other.status, other.body.error.code]).toEqual([422, 'idempotency_key_reused'])
    expect((await call(api, 'GET', `/api/v1/users/${id}`)).body).toMatchObject({ credits_usd: '5.000000000' })
  })

  it.each([
    [{ amount_usd: 5, reason: 'r' }, 'amount_usd'],
    [{ amount_usd: '0', reason: 'r' }, 'amount_usd'],
    [{ amount_usd: '-1', reason: 'r' }, 'amount_usd'],
    [{ amount_usd: '1e9', reason: 'r' }, 'amount_usd'],
    [{ amount_usd: '1.0000000001', reason: 'r' }, 'amount_usd'],
    [{ amount_usd: '5' }, 'reason'],
    [{ amount_usd: '5', reason: '  ' }, 'reason'],
    [{ amount_usd: '5', reason: 'r', expires_at: 1_700_000_000 }, 'expires_at'],
  ])('is not granted as %j', async (body, param) => {
    const { id } = await makeUser()
    const refused = await credit(id, body)
    expect([refused.status, refused.body.error.param]).toEqual([400, param])
    expect((await call(api, 'GET', `/api/v1/users/${id}`)).body).toMatchObject({ credits_usd: '0.000000000' })
  })

  it('stands in the ledger of the user, in legs that add up to zero', async () => {
    const { id } = await makeUser()
    for (const amount_usd of ['1', '2', '3']) await credit(id, { amount_usd, reason: `of ${amount_usd}` })
    const first = (await call<List>(api, 'GET', `/api/v1/ledger?user_id=${id}&limit=2`)).body
    expect(first.data.map(({ amount_usd }) => amount_usd)).toEqual(['3.000000000', '2.000000000'])
    expect(first.data[0]).toMatchObject({
      object: 'entry',
      type: 'grant',
      reason: 'of 3',
      by: 'admin',
      legs: [{ amount_usd: '3.000000000' }, { ledger: 'grants', amount_usd: '-3.000000000' }],
    })
    const second = (await call<List>(api, 'GET', `/api/v1/ledger?user_id=${id}&limit=2&after=${first.last_id}`)).body
    expect(second).toMatchObject({ data: [{ amount_usd: '1.000000000' }], has_more: false })
  })

  it('leaves books that verify', async () => {
    const { status, body } = await call(api, 'POST', '/api/v1/verify')
    expect(status).toBe(200)
    expect(body).toMatchObject({ ok: true, pending: 0, drift: [], accounts: expect.any(Number) })
  })

  it('that somebody changed by hand is reported to the nano-dollar', async () => {
    const { account_id } = await makeUser()
    await api.store.accounts.updateOne({ _id: account_id }, { $inc: { available: 1n } })
    const { body } = await call(api, 'POST', '/api/v1/verify')
    expect(body).toMatchObject({
      ok: false,
      drift: [{ account_id, what: 'available', expected_usd: '0.000000000', found_usd: '0.000000001' }],
    })
    await api.store.accounts.updateOne({ _id: account_id }, { $inc: { available: -1n } })
  })
})

describe('keys', () => {
  it('are shown once, and afterwards by their prefix', async () => {
    const { id: user_id, account_id } = await makeUser()
    const { status, body } = await call<Identified & { key: string; prefix: string }>(api, 'POST', '/api/v1/keys', {
      user_id,
      name: 'laptop',
      models: ['sandbox/chat'],
      limit_usd: '2.5',
      expires_at: 4_000_000_000,
    })
    expect(status).toBe(201)
    const { key, ...shown } = body
    expect(key.startsWith(body.prefix)).toBe(true)
    expect(shown).toEqual({
      id: expect.stringMatching(/^key_/),
      object: 'api_key',
      account_id,
      user_id,
      kind: 'caller',
      name: 'laptop',
      prefix: key.slice(0, 12),
      models: ['sandbox/chat'],
      limit_usd: '2.500000000',
      remaining_usd: '2.500000000',
      held_usd: '0.000000000',
      settled_usd: '0.000000000',
      ...NO_LIMITS,
      operations: null,
      allowed_ips: null,
      previous: null,
      retention_days: null,
      disabled: false,
      expires_at: 4_000_000_000,
      created_at: expect.any(Number),
      last_used_at: null,
    })
    expect((await call(api, 'GET', `/api/v1/keys/${body.id}`)).body).toEqual(shown)
    expect((await call<List>(api, 'GET', `/api/v1/keys?user_id=${user_id}`)).body.data).toEqual([shown])
    const own = (await call(api, 'GET', '/v1/key', undefined, { key })).body
    expect(own).toEqual({ ...shown, account_limits: NO_LIMITS })
  })

  it('take the full name of a model for its bare one', async () => {
    const { id: user_id } = await makeUser()
    const { key } = await makeKey(user_id, { models: ['chat'] })
    expect((await call(api, 'GET', '/v1/key', undefined, { key })).body).toMatchObject({ models: ['sandbox/chat'] })
    const refused = await call<Refusal>(api, 'POST', '/api/v1/keys', { user_id, name: 'k', models: ['chatt'] })
    expect([refused.status, refused.body.error.code]).toEqual([404, 'model_not_found'])
  })

  it('stop at once when they are turned off or deleted', async () => {
    const { id, key } = await makeKey((await makeUser()).id)
    const works = async () => (await call(api, 'GET', '/v1/credits', undefined, { key })).status
    expect(await works()).toBe(200)
    await call(api, 'PATCH', `/api/v1/keys/${id}`, { disabled: true })
    expect(await works()).toBe(401)
    await call(api, 'PATCH', `/api/v1/keys/${id}`, { disabled: false, name: 'again', limit_usd: null, models: null })
    expect(await works()).toBe(200)
    const deleted = await call(api, 'DELETE', `/api/v1/keys/${id}`)
    expect(deleted.body).toEqual({ id, object: 'api_key.deleted', deleted: true })
    expect(await works()).toBe(401)
    expect((await call(api, 'GET', `/api/v1/keys/${id}`)).status).toBe(404)
  })

  it.each([
    [{ kind: 'admin' }, 'kind'],
    [{ hash: 'x' }, 'hash'],
    [{ limit_usd: 5 }, 'limit_usd'],
    [{ expires_at: 1 }, 'expires_at'],
    [{ expires_at: 'tomorrow' }, 'expires_at'],
    [{ models: [] }, 'models'],
    [{ models: [{ $gt: '' }] }, 'models.0'],
  ])('are not made with %j', async (fields, param) => {
    const { id: user_id } = await makeUser()
    const refused = await call<Refusal>(api, 'POST', '/api/v1/keys', { user_id, name: 'k', ...fields })
    expect([refused.status, refused.body.error.param]).toEqual([400, param])
  })
})

describe('the audit trail', () => {
  it('has a line for every change, who made it, and no key', async () => {
    const { id: user_id } = await makeUser('Eve')
    const { id, key } = await makeKey(user_id, { limit_usd: '1' })
    await call(api, 'PATCH', `/api/v1/keys/${id}`, { disabled: true })
    await call(api, 'DELETE', `/api/v1/keys/${id}`)
    await credit(user_id, { amount_usd: '1', reason: 'r' })
    const ofKey = (await call<List>(api, 'GET', `/api/v1/audit?subject=${id}`)).body
    expect(ofKey.data.map(({ action }) => action)).toEqual(['key.delete', 'key.update', 'key.create'])
    const ofUser = (await call<List>(api, 'GET', `/api/v1/audit?subject=${user_id}&order=asc`)).body
    expect(ofUser.data.map(({ action, by }) => [action, by])).toEqual([
      ['user.create', 'admin'],
      ['credits.grant', 'admin'],
    ])
    expect(JSON.stringify([ofKey, ofUser])).not.toContain(key)
  })
})

describe('the site', () => {
  it('shows its providers, models and prices', async () => {
    const providers = (await call<List>(api, 'GET', '/api/v1/providers')).body
    expect(providers.data.find(({ id }) => id === 'sandbox')).toMatchObject({ object: 'provider', status: 'on' })
    const models = (await call<List>(api, 'GET', '/api/v1/models')).body
    expect(models.data.map(({ id }) => id)).toContain('sandbox/video')
    const { data } = (await call<List>(api, 'GET', '/api/v1/prices?provider=sandbox&model=sandbox/video')).body
    expect(data).toMatchObject([
      {
        id: 'sandbox:sandbox/video',
        object: 'price',
        rates: [{ meter: 'video_seconds', usd: '0.01', per: 1, when: {} }],
        adjustment: {},
      },
    ])
  })

  it('loads prices anew, and keeps the old ones when the new are faulty', async () => {
    const usd = async () =>
      (
        await call<{ prices: { rates: { usd: string }[] }[] }>(api, 'GET', '/v1/models/sandbox/video', undefined, {
          key,
        })
      ).body.prices[0]?.rates[0]?.usd
    const { key } = await makeKey((await makeUser()).id)
    await writeFile(join(prices, 'site.toml'), 'margin = "0.15"\n')
    expect(await usd()).toBe('0.01')
    const reloaded = await call(api, 'POST', '/api/v1/reload')
    expect([reloaded.status, reloaded.body]).toMatchObject([200, { object: 'registry', revision: 2 }])
    expect(await usd()).toBe('0.0115')
    await writeFile(join(prices, 'site.toml'), 'margin = 0.2\n')
    const refused = await call<{ error: { code: string; faults: object[] } }>(api, 'POST', '/api/v1/reload')
    expect([refused.status, refused.body.error.code]).toEqual([422, 'invalid_configuration'])
    expect(refused.body.error.faults[0]).toMatchObject({ problem: expect.any(String), remedy: expect.any(String) })
    expect(await usd()).toBe('0.0115')
    await rm(join(prices, 'site.toml'))
    await call(api, 'POST', '/api/v1/reload')
  })
})

describe('everything under /api/v1', () => {
  it.each([
    ['GET', '/api/v1/users'],
    ['POST', '/api/v1/users'],
    ['GET', '/api/v1/keys'],
    ['DELETE', '/api/v1/keys/key_1'],
    ['GET', '/api/v1/ledger'],
    ['GET', '/api/v1/jobs'],
    ['POST', '/api/v1/verify'],
    ['POST', '/api/v1/reload'],
    ['GET', '/api/v1/audit'],
    ['GET', '/api/v1/nothing'],
  ])('%s %s is for admins alone', async (method, path) => {
    const { key } = await makeKey((await makeUser()).id)
    expect((await call(api, method, path, undefined, { key: 'none' })).status).toBe(401)
    expect((await call(api, method, path, undefined, { key })).status).toBe(403)
  })
})
