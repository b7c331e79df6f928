// What the router earns: the margin by day, provider and model, jobs sold below cost, a provider's invoice, and a new price
// table tried on past jobs.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Json } from '../../src/contract.ts'
import { newId } from '../../src/flow/ids.ts'
import type { JobRecord } from '../../src/store/jobs.ts'
import { insertJob, openBooks } from '../ledger/books.ts'
import { call, type TestApi, testApi } from '../support/api.ts'

let api: TestApi
beforeAll(async () => {
  api = await testApi()
})
afterAll(() => api.close())

const RATES = [{ meter: 'images', usd: '0.01', per: 1, when: {} }]
let made = 0

/** A settled job of n pictures at a day, sold at `cost` a picture. */
async function sold(at: string, n: number, cost: bigint, fields: Partial<JobRecord> = {}): Promise<string> {
  const books = await openBooks(api.store, 0n)
  const job = await insertJob(books, 0n)
  const created_at = new Date(Date.parse(at) + made++)
  const quote = { rates: RATES, adjustment: {}, from: '2026-11-01', source: 'test' } as unknown as Json
  const list_cost = BigInt(n) * 10_000_000n
  const charged = BigInt(n) * cost
  const record: JobRecord = {
    ...job,
    _id: idAt(created_at),
    ...{ operation: 'image', model: 'sandbox/image', state: 'settled', cost: charged, list_cost, created_at },
    offers: [
      { provider: 'sandbox', upstream: 'broken', quote, estimate: {} },
      { provider: 'sandbox', upstream: 'image', quote, estimate: {} },
    ],
    offer: 1,
    usage: { meters: { images: n }, attributes: {}, source: 'reported' },
    ...(list_cost > charged && { loss: list_cost - charged }),
    ...fields,
  }
  await api.store.jobs.deleteOne({ _id: job._id })
  await api.store.jobs.insertOne(record)
  return record._id
}

/** A job's id has its time in front. */
function idAt(at: Date): string {
  let time = at.getTime()
  let text = ''
  for (let place = 0; place < 10; place++, time = Math.floor(time / 32))
    text = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.charAt(time % 32) + text
  return `job_${text}${newId('job').slice(14)}`
}

const margin = async (query: string) =>
  (await call<{ data: Record<string, unknown>[] }>(api, 'GET', `/api/v1/margin?${query}`)).body.data

describe('the margin', () => {
  it('is what was charged and not given back, less what providers charge, by what is asked for', async () => {
    await sold('2026-09-01T00:00:00Z', 2, 12_000_000n)
    await sold('2026-09-01T23:59:59Z', 3, 12_000_000n, { refunded: 6_000_000n })
    await sold('2026-09-02T10:00:00Z', 1, 8_000_000n)
    await sold('2026-09-02T11:00:00Z', 9, 1n, { state: 'released' })
    expect(await margin('from=2026-09-01&to=2026-09-03')).toEqual([
      {
        ...{ day: '2026-09-01', provider: 'sandbox', model: 'sandbox/image', jobs: 2 },
        ...{ charged_usd: '0.060000000', refunded_usd: '0.006000000', provider_usd: '0.050000000' },
        ...{ margin_usd: '0.004000000', jobs_below_cost: 0, below_cost_usd: '0.000000000' },
      },
      {
        ...{ day: '2026-09-02', provider: 'sandbox', model: 'sandbox/image', jobs: 1 },
        ...{ charged_usd: '0.008000000', refunded_usd: '0.000000000', provider_usd: '0.010000000' },
        ...{ margin_usd: '-0.002000000', jobs_below_cost: 1, below_cost_usd: '0.002000000' },
      },
    ])
    expect(await margin('from=2026-09-01&to=2026-09-03&group_by=provider')).toMatchObject([
      { provider: 'sandbox', jobs: 3, margin_usd: '0.002000000' },
    ])
  })

  it('of a day long past is added up once; what is given back later still counts', async () => {
    const job_id = await sold('2026-08-05T08:00:00Z', 5, 10_000_000n)
    const query = 'from=2026-08-05&to=2026-08-06&group_by=day'
    expect(await margin(query)).toMatchObject([{ charged_usd: '0.050000000' }])
    expect(await api.store.margin_days.findOne({ _id: '2026-08-05' })).toMatchObject({ rows: [{ jobs: 1 }] })
    await api.store.jobs.updateOne({ _id: job_id }, { $set: { refunded: 10_000_000n } })
    expect(await margin(query)).toMatchObject([{ charged_usd: '0.050000000', refunded_usd: '0.010000000' }])
  })

  it('of today moves with today', async () => {
    const today = new Date().toISOString()
    await sold(today, 1, 10_000_000n)
    await margin('group_by=model')
    await sold(today, 1, 10_000_000n)
    const day = today.slice(0, 10)
    const rows = await margin('group_by=day,model')
    expect(rows.find((row) => row.day === day)).toMatchObject({ jobs: 2 })
    expect(await api.store.margin_days.findOne({ _id: day })).toBeNull()
  })

  it('is not asked for in ways that make no sense', async () => {
    for (const query of ['from=2026-09-02&to=2026-09-01', 'from=2025-01-01&to=2026-09-01', 'group_by=account']) {
      expect((await call(api, 'GET', `/api/v1/margin?${query}`)).status).toBe(400)
    }
  })
})

describe('jobs sold below cost', () => {
  it('are listed, newest first', async () => {
    const old = await sold('2026-07-01T00:00:00Z', 1, 1n)
    const young = await sold('2026-07-02T00:00:00Z', 1, 2n)
    const list = await call<{ data: { id: string }[] }>(api, 'GET', '/api/v1/margin/losses?limit=100&order=asc')
    const ids = list.body.data.map(({ id }) => id)
    expect(ids.indexOf(old)).toBe(0)
    expect(ids.indexOf(young)).toBe(1)
    expect(list.body.data[0]).toMatchObject({ provider: 'sandbox', loss_usd: '0.009999999' })
  })
})

interface Compared {
  invoiced_usd: string
  expected_usd: string
  differences: object[]
  lines: number
}

describe('an invoice', () => {
  const compare = (csv: string, more: object = {}) =>
    call<Compared & { error: { code: string; message: string } }>(api, 'POST', '/api/v1/margin/invoice', {
      ...{ provider: 'sandbox', csv },
      ...more,
    })

  it('is held against what jobs should have cost, in the provider’s names or ours', async () => {
    await sold('2026-06-01T05:00:00Z', 4, 1n)
    await sold('2026-06-02T05:00:00Z', 2, 1n)
    await sold('2026-06-03T05:00:00Z', 3, 1n)
    const csv = [
      '\uFEFFDate,"Request, count",Model,amount_usd',
      '2026-06-01,4,image,0.05',
      '2026-06-02T00:00:00Z,2,sandbox/image,0.02',
      '2026-06-02,1,"ghost, of a model",1.000',
      '',
    ].join('\r\n')
    const { body } = await compare(`${csv}\r\n2026-06-03,,other,0`)
    expect(body).toMatchObject({ lines: 5, invoiced_usd: '1.070000000', expected_usd: '0.090000000' })
    expect(body.differences).toEqual([
      line('2026-06-02', 'ghost, of a model', '1.000000000', '0.000000000', '1.000000000', 0),
      line('2026-06-03', 'image', '0.000000000', '0.030000000', '-0.030000000', 1),
      line('2026-06-01', 'image', '0.050000000', '0.040000000', '0.010000000', 1),
    ])
    const tolerant = await compare(csv, { tolerance_usd: '0.05' })
    expect(tolerant.body.differences).toHaveLength(1)
  })

  const line = (
    day: string,
    model: string,
    invoiced_usd: string,
    expected_usd: string,
    difference_usd: string,
    jobs: number,
  ) => ({ day, model, invoiced_usd, expected_usd, difference_usd, jobs })

  it.each([
    ['without its columns', 'day,model,cost\n', 'Line 1'],
    ['without lines', 'date,model,amount_usd\n\n', 'Line 2'],
    ['with a date that is none', 'date,model,amount_usd\n2026-06-01,a,1\n06/01/2026,a,1', 'Line 3'],
    ['with an amount that is none', 'date,model,amount_usd\n2026-06-01,a,$1', 'Line 2'],
  ])('%s is refused by its line', async (_name, csv, place) => {
    const { status, body } = await compare(csv)
    expect([status, body.error.code]).toEqual([400, 'invalid_invoice'])
    expect(body.error.message).toContain(place)
  })
})

describe('a new price table', () => {
  const text = readFileSync(join(import.meta.dirname, '../../pricing/sandbox.toml'), 'utf8')
  const tryOut = (files: object, more: object = {}) =>
    call<Record<string, unknown>>(api, 'POST', '/api/v1/prices/dry-run', { files, ...more })

  it('is tried on past jobs: old and new sums by model, and what it has no price for', async () => {
    await sold('2026-05-01T00:00:00Z', 2, 10_000_000n)
    const lost = await sold('2026-05-01T01:00:00Z', 1, 10_000_000n, { model: 'sandbox/gone' })
    await sold('2026-05-01T02:00:00Z', 7, 10_000_000n, {
      offers: [{ provider: 'openai', upstream: 'x', quote: {}, estimate: {} }],
      offer: 0,
    })
    const dearer = text.replace(/(meter = "images", usd = )"0\.01"/g, '$1"0.03"')
    expect(dearer).not.toBe(text)
    const { status, body } = await tryOut({ 'sandbox.toml': dearer }, { since: '2026-05-01', until: '2026-05-02' })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      ...{ jobs: 3, untouched: 1, unpriced: 1, truncated: false },
      ...{ old_usd: '0.020000000', new_usd: '0.060000000', difference_usd: '0.040000000' },
      unpriced_jobs: [{ job_id: lost, reason: expect.stringContaining('sandbox/gone') }],
      data: [
        { model: 'sandbox/gone', unpriced: 1 },
        { model: 'sandbox/image', jobs: 1, old_list_usd: '0.020000000', new_list_usd: '0.060000000' },
      ],
    })
    const site = await tryOut(
      { 'sandbox.toml': text, 'site.toml': 'discount = "0.5"' },
      { since: '2026-05-01', until: '2026-05-02' },
    )
    expect(site.body).toMatchObject({ new_usd: '0.010000000' })
  })

  it('that is broken is refused with its faults, and changes nothing', async () => {
    const before = await call(api, 'GET', '/api/v1/prices?provider=sandbox')
    const { status, text: answer } = await tryOut({ 'sandbox.toml': text.replace('usd = "', 'usd = "x') })
    expect([status, answer.includes('sandbox.toml')]).toEqual([422, true])
    expect((await tryOut({ '../../etc/x.toml': '' })).status).toBe(400)
    expect((await call(api, 'GET', '/api/v1/prices?provider=sandbox')).text).toBe(before.text)
  })
})
