// Credit over HTTP: grants with an expiry, packs, codes, refunds of jobs and purchases, and who may see what of them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keepLots } from '../../src/flow/credit/lot_keeper.ts'
import type { Services } from '../../src/flow/services.ts'
import { verify } from '../../src/ledger/verify.ts'
import { type Books, insertJob } from '../ledger/books.ts'
import { type Answer, call, type TestApi, testApi } from '../support/api.ts'

const folder = mkdtempSync(join(tmpdir(), 'sw-packs-'))
let api: TestApi
beforeAll(async () => {
  writeFileSync(
    join(folder, 'site.toml'),
    '[packs.studio]\npay = "400"\nget = "500"\nexpires_days = 365\npromotional_expires_days = 90\n',
  )
  api = await testApi([folder])
})
afterAll(async () => {
  expect(await verify(api.store)).toMatchObject({ ok: true })
  await api.close()
  rmSync(folder, { recursive: true })
})

interface Lot {
  id: string
  kind: string
  amount_usd: string
  remaining_usd: string
  expired_usd: string
  expires_at: number | null
  source: { type: string; id: string | null }
}
interface Credits {
  credits_usd: string
  available_usd: string
  held_usd: string
  settled_usd: string
  lots: Lot[]
}
type Failed = { error: { code: string; message: string; param: string | null } }
const DAY_S = 86_400
const inDays = (days: number) => Math.floor(Date.now() / 1000) + days * DAY_S

async function newCaller() {
  const user = (await call<{ id: string; account_id: string }>(api, 'POST', '/api/v1/users', { name: 'Ada' })).body
  const made = await call<{ id: string; key: string }>(api, 'POST', '/api/v1/keys', { user_id: user.id, name: 'k' })
  const { id: key_id, key } = made.body
  const books: Books = { store: api.store, account_id: user.account_id, key_id }
  const credits = async () => (await call<Credits>(api, 'GET', '/v1/credits', undefined, { key })).body
  const give = (body: object, headers = {}) =>
    call<{ id: string; lots: Lot[] } & Failed>(api, 'POST', `/api/v1/users/${user.id}/credits`, body, { headers })
  const redeem = (code: string) =>
    call<{ object: string; amount_usd: string; available_usd: string } & Failed>(
      api,
      'POST',
      '/v1/credits/redeem',
      { code },
      { key },
    )
  return { ...user, key_id, key, books, credits, give, redeem }
}

/** A job that was charged, as the ledger leaves it. */
async function charged(books: Books, cost: bigint): Promise<string> {
  const { account_id, key_id } = books
  const { _id: job_id } = await insertJob(books, cost)
  const outcome = await api.ledger.hold({ job_id, account_id, key_id, amount: cost })
  if (!outcome.held) throw new Error(outcome.reason)
  const { nonce } = outcome
  const charge = { cost, list_cost: cost, lines: [] }
  await api.ledger.decide({ job_id, nonce, status: 'completed', by: 'rtr_test', charge })
  const finished = api.ledger.finish({ job_id, account_id, key_id, nonce, hold: cost, cost, decided_at: new Date() })
  await api.ledger.flush()
  await finished
  return job_id
}

const services = () => api as unknown as Services

describe('a grant', () => {
  it('may expire and be promotional, and is a lot of the account until then', async () => {
    const { give, credits, id } = await newCaller()
    const expires_at = inDays(30)
    const answer = await give({ amount_usd: '5.00', reason: 'Trial', kind: 'promotional', expires_at })
    expect(answer.status).toBe(201)
    expect(answer.body.lots).toEqual([
      { id: answer.body.id, kind: 'promotional', amount_usd: '5.000000000', expires_at },
    ])
    await give({ amount_usd: '1', reason: 'Bought' })
    expect(await credits()).toMatchObject({
      ...{ credits_usd: '6.000000000', available_usd: '6.000000000', held_usd: '0.000000000' },
      lots: [
        { kind: 'promotional', remaining_usd: '5.000000000', expires_at },
        { kind: 'paid', remaining_usd: '1.000000000', expires_at: null, source: { type: 'grant', id: null } },
      ],
    })
    const listed = await call<{ data: Lot[] }>(api, 'GET', `/api/v1/lots?user_id=${id}&limit=1`)
    expect(listed.body.data).toMatchObject([{ kind: 'paid' }])
  })

  it('leaves the account when its time is over, and is told as expired', async () => {
    const { give, credits, id, account_id } = await newCaller()
    await give({ amount_usd: '5', reason: 'Trial', expires_at: inDays(1) })
    await give({ amount_usd: '2', reason: 'Bought' })
    await api.store.lots.updateMany({ account_id, amount: 5_000_000_000n }, { $set: { expires_at: new Date(0) } })
    await keepLots(services())
    expect(await credits()).toMatchObject({ credits_usd: '2.000000000', lots: [{ amount_usd: '2.000000000' }] })
    const lots = await call<{ data: Lot[] }>(api, 'GET', `/api/v1/lots?user_id=${id}`)
    expect(lots.body.data[1]).toMatchObject({ remaining_usd: '0.000000000', expired_usd: '5.000000000' })
    const ledger = await call<{ data: object[] }>(api, 'GET', `/api/v1/ledger?user_id=${id}`)
    expect(ledger.body.data[0]).toMatchObject({ type: 'expire', amount_usd: '5.000000000', reason: 'Expired' })
  })

  it.each([
    ['a time that is over', { amount_usd: '1', expires_at: 1 }, 'expires_at'],
    ['another kind', { amount_usd: '1', kind: 'gift' }, 'kind'],
    ['no amount', {}, 'amount_usd'],
    ['an amount and a pack', { amount_usd: '1', pack: 'studio' }, 'amount_usd'],
    ['a pack and a time', { pack: 'studio', expires_at: inDays(1) }, 'expires_at'],
  ])('of %s is refused, and nothing is given', async (_name, body, param) => {
    const { give, credits } = await newCaller()
    const answer = await give({ reason: 'r', ...body })
    expect(answer).toMatchObject({ status: 400, body: { error: { param } } })
    expect(await credits()).toMatchObject({ credits_usd: '0.000000000', lots: [] })
  })

  it('delivered a hundred times under one key is given once, as a pack too', async () => {
    const { give, credits } = await newCaller()
    const send = () => give({ pack: 'studio', reason: 'Invoice 9' }, { 'idempotency-key': 'invoice-9' })
    const answers: Answer<{ id: string }>[] = []
    for (let wave = 0; wave < 4; wave++) answers.push(...(await Promise.all(Array.from({ length: 25 }, send))))
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1)
    expect((await credits()).credits_usd).toBe('500.000000000')
  })
})

describe('a pack', () => {
  it('is a paid lot and a promotional one, each with its time', async () => {
    const { give, credits } = await newCaller()
    const answer = await give({ pack: 'studio', reason: 'Invoice 8' })
    expect(answer).toMatchObject({ status: 201, body: { amount_usd: '500.000000000' } })
    const { lots } = await credits()
    expect(lots).toMatchObject([
      { kind: 'promotional', amount_usd: '100.000000000', source: { type: 'pack', id: 'studio' } },
      { kind: 'paid', amount_usd: '400.000000000' },
    ])
    const days = lots.map(({ expires_at }) => Math.round(((expires_at ?? 0) - inDays(0)) / DAY_S))
    expect(days).toEqual([90, 365])
    const packs = await call<{ data: object[] }>(api, 'GET', '/api/v1/packs')
    expect(packs.body.data).toMatchObject([{ id: 'studio', pay_usd: '400.000000000', get_usd: '500.000000000' }])
  })

  it('that there is not is a 404 that names those that there are', async () => {
    const answer = await (await newCaller()).give({ pack: 'toString', reason: 'r' })
    expect(answer).toMatchObject({ status: 404, body: { error: { code: 'pack_not_found' } } })
    expect(answer.text).toContain('studio')
  })
})

interface Batch {
  id: string
  codes: { id: string; code: string }[]
}
async function newCodes(fields: object): Promise<Batch> {
  const made = await call<Batch>(api, 'POST', '/api/v1/codes', { amount_usd: '3', reason: 'Fair 2026', ...fields })
  expect(made.status).toBe(201)
  return made.body
}
const codesOf = async (batch: Batch) =>
  (await call<{ data: Record<string, unknown>[] }>(api, 'GET', `/api/v1/codes?batch_id=${batch.id}`)).body.data

describe('a code', () => {
  it('gives its credit once, and to a second click the same answer', async () => {
    const { redeem, credits } = await newCaller()
    const batch = await newCodes({ count: 2, credit_expires_days: 30 })
    const [{ code } = { code: '' }] = batch.codes
    const first = await redeem(code.toLowerCase().replaceAll('-', ' '))
    expect(first).toMatchObject({ status: 201, body: { object: 'redemption', amount_usd: '3.000000000' } })
    expect((await redeem(code)).body).toMatchObject({ id: (first.body as { id?: string }).id })
    const { credits_usd, lots } = await credits()
    expect(credits_usd).toBe('3.000000000')
    expect(lots).toMatchObject([{ kind: 'promotional', source: { type: 'code' } }])
    expect(await codesOf(batch)).toMatchObject([{ left: 1 }, { left: 0, redemptions: [{}] }])
  })

  it('is nowhere to be read after it was made', async () => {
    const batch = await newCodes({ count: 3 })
    const kept = JSON.stringify([await api.store.codes.find().toArray(), await codesOf(batch)], (_key, value) =>
      typeof value === 'bigint' ? String(value) : value,
    )
    for (const { code } of batch.codes) {
      expect(kept).not.toContain(code)
      expect(kept).not.toContain(code.replaceAll('-', ''))
    }
  })

  it('that fifty redeem at once goes to one of them, and to as many as it has uses', async () => {
    const callers = await Promise.all(Array.from({ length: 50 }, newCaller))
    for (const uses of [1, 7]) {
      const [{ code } = { code: '' }] = (await newCodes({ uses })).codes
      const answers = await Promise.all(callers.map(({ redeem }) => redeem(code)))
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(uses)
      expect(answers.filter(({ status }) => status === 400)).toHaveLength(50 - uses)
    }
    const sums = await Promise.all(callers.map(async ({ credits }) => Number((await credits()).credits_usd)))
    expect(sums.reduce((total, sum) => total + sum, 0)).toBe(24)
  })

  it('may be worth a pack', async () => {
    const { redeem, credits } = await newCaller()
    const made = await call<Batch>(api, 'POST', '/api/v1/codes', { pack: 'studio', reason: 'Won' })
    await redeem(made.body.codes[0]?.code ?? '')
    expect((await credits()).lots).toMatchObject([
      { kind: 'promotional', amount_usd: '100.000000000' },
      { kind: 'paid', amount_usd: '400.000000000' },
    ])
  })

  it('that is unknown, used up, over or turned off is refused in the same words', async () => {
    const [one, two] = [await newCaller(), await newCaller()]
    const [used, over, off] = await Promise.all([newCodes({}), newCodes({}), newCodes({})])
    const codeOf = (batch: Batch) => batch.codes[0]?.code ?? ''
    await one.redeem(codeOf(used))
    await api.store.codes.updateOne({ batch_id: over.id }, { $set: { expires_at: new Date(0) } })
    await call(api, 'PATCH', `/api/v1/codes/${off.codes[0]?.id}`, { disabled: true })
    const answers: Answer<unknown>[] = []
    for (const code of [codeOf(used), codeOf(over), codeOf(off), '00000-00000-00000-00000', 'no code', '’'])
      answers.push(await two.redeem(code))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text.replace(/req_\w+/, '')}`)).size).toBe(1)
    expect(answers[0]).toMatchObject({ status: 400, body: { error: { code: 'invalid_code' } } })
    expect((await two.credits()).credits_usd).toBe('0.000000000')
  })

  it('cannot be guessed: after ten wrong ones an account waits, and even a right one is not taken', async () => {
    const { redeem } = await newCaller()
    const wrong = await Promise.all(Array.from({ length: 40 }, () => redeem('00000-00000-00000-00000')))
    expect(wrong.filter(({ status }) => status === 400).length).toBeLessThanOrEqual(10)
    const [{ code } = { code: '' }] = (await newCodes({})).codes
    const right = await redeem(code)
    expect(right).toMatchObject({ status: 429, body: { error: { code: 'rate_limit_exceeded' } } })
    expect(Number(right.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  it('that was claimed by a router that died is given by the next one', async () => {
    const { redeem, credits, account_id, id } = await newCaller()
    const batch = await newCodes({})
    const redemption = { id: 'gr_claimed', account_id, user_id: id, at: new Date(0) }
    await api.store.codes.updateOne(
      { batch_id: batch.id },
      { $set: { left: 0, redemptions: [redemption], pending: [redemption], pending_since: new Date(0) } },
    )
    await keepLots(services())
    await keepLots(services())
    expect((await credits()).credits_usd).toBe('3.000000000')
    expect((await redeem(batch.codes[0]?.code ?? '')).status).toBe(201)
    expect((await credits()).credits_usd).toBe('3.000000000')
    expect(await api.store.codes.findOne({ batch_id: batch.id })).not.toHaveProperty('pending_since')
  })
})

describe('the last cent', () => {
  it('is spent by as many of two hundred callers as it is enough for', async () => {
    const { books, give, credits } = await newCaller()
    await give({ amount_usd: '0.01', reason: 'The last', expires_at: inDays(1) })
    const { account_id, key_id } = books
    const amount = 300_000n
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const { _id: job_id } = await insertJob(books, amount)
        return api.ledger.hold({ job_id, account_id, key_id, amount })
      }),
    )
    expect(outcomes.filter(({ held }) => held)).toHaveLength(33)
    expect(await credits()).toMatchObject({ available_usd: '0.000100000', held_usd: '0.009900000' })
  })
})

describe('a refund', () => {
  it('gives a charge back in part, then the rest, and stands in the job and the ledger', async () => {
    const { books, give, credits, id, key } = await newCaller()
    const { body: granted } = await give({ amount_usd: '1', reason: 'Bought' })
    const job_id = await charged(books, 400_000_000n)
    const refund = (body: object, headers = {}) =>
      call<Failed>(api, 'POST', `/api/v1/jobs/${job_id}/refund`, { reason: 'Blurred', ...body }, { headers })
    const once = () => refund({ amount_usd: '0.1' }, { 'idempotency-key': 'ticket-4' })
    const answers = await Promise.all([once(), once(), once()])
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
    expect(answers[0]?.body).toMatchObject({ object: 'refund', amount_usd: '0.100000000', refunded_usd: '0.100000000' })
    expect(await refund({ amount_usd: '0.2' }, { 'idempotency-key': 'ticket-4' })).toMatchObject({ status: 422 })
    expect(await refund({ amount_usd: '0.300000001' })).toMatchObject({
      status: 400,
      body: { error: { code: 'refund_too_large' } },
    })
    expect((await refund({})).body).toMatchObject({ amount_usd: '0.300000000', available_usd: '1.000000000' })
    expect(await refund({})).toMatchObject({ status: 409, body: { error: { code: 'nothing_to_refund' } } })
    expect(await credits()).toMatchObject({ settled_usd: '0.000000000', lots: [{ remaining_usd: '1.000000000' }] })
    const job = await call<{ billing: object }>(api, 'GET', `/api/v1/jobs/${job_id}`)
    expect(job.body.billing).toMatchObject({ cost_usd: '0.400000000', refunded_usd: '0.400000000', refunds: [{}, {}] })
    const ledger = await call<{ data: object[] }>(api, 'GET', `/api/v1/ledger?user_id=${id}`)
    expect(ledger.body.data.slice(0, 2)).toMatchObject([
      { type: 'refund', job_id, amount_usd: '0.300000000', lots: [{ lot_id: granted.id, amount_usd: '0.300000000' }] },
      { type: 'refund', job_id, amount_usd: '0.100000000' },
    ])
    expect(await call(api, 'POST', `/api/v1/jobs/${job_id}/refund`, { reason: 'r' }, { key })).toMatchObject({
      status: 403,
    })
  })

  it('of a job that is not there, or not charged yet, is refused', async () => {
    const { books, give } = await newCaller()
    await give({ amount_usd: '1', reason: 'Bought' })
    const { _id } = await insertJob(books, 1n)
    const refund = (id: string) => call<Failed>(api, 'POST', `/api/v1/jobs/${id}/refund`, { reason: 'r' })
    expect(await refund('job_nobody')).toMatchObject({ status: 404, body: { error: { code: 'job_not_found' } } })
    expect(await refund(_id)).toMatchObject({ status: 409, body: { error: { code: 'job_not_finished' } } })
  })
})

describe('a purchase', () => {
  it('is taken back as far as it is unspent, once', async () => {
    const { books, give, credits } = await newCaller()
    const { body: lot } = await give({ amount_usd: '1', reason: 'Bought' })
    await charged(books, 400_000_000n)
    const take = (body: object, headers = {}) =>
      call<Failed>(api, 'POST', `/api/v1/lots/${lot.id}/reclaim`, { reason: 'Money back', ...body }, { headers })
    expect(await take({ amount_usd: '0.7' })).toMatchObject({ status: 409, body: { error: { code: 'lot_spent' } } })
    const once = () => take({ amount_usd: '0.25' }, { 'idempotency-key': 'k' })
    expect((await Promise.all([once(), once()])).map(({ status }) => status)).toEqual([201, 201])
    expect((await take({})).body).toMatchObject({ object: 'reclaim', amount_usd: '0.350000000' })
    expect(await take({})).toMatchObject({ status: 409 })
    expect(await credits()).toMatchObject({ credits_usd: '0.400000000', available_usd: '0.000000000', lots: [] })
  })
})
