// Statements: a month of an account whose entries lead from what there was before to what was left, in JSON and in a table,
// and today's to the very credit that the account has.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { legsOf } from '../../src/ledger/changes.ts'
import { parseUsd } from '../../src/ledger/money.ts'
import type { EntryType } from '../../src/store/entries.ts'
import { Site } from '../flow/site.ts'
import { newKey, newUser } from '../support/accounts.ts'
import { call, type TestApi, testApi } from '../support/api.ts'

let api: TestApi
let user: Awaited<ReturnType<typeof newUser>>
let key: string
beforeAll(async () => {
  api = await testApi()
  user = await newUser(api)
  key = (await newKey(api, user.id)).key
  const entries: [string, string, EntryType, bigint][] = [
    ['a', '2026-09-30T23:59:59.999Z', 'grant', 5_000_000_000n],
    ['b', '2026-10-01T00:00:00Z', 'settle', 1n],
    ['c', '2026-10-10T12:00:00Z', 'settle', 1_999_999_999n],
    ['d', '2026-10-11T12:00:00Z', 'refund', 500_000_000n],
    ['e', '2026-10-31T23:59:59Z', 'expire', 250_000_000n],
    ['f', '2026-11-01T00:00:00Z', 'grant', 7_000_000_000n],
  ]
  await api.store.entries.insertMany(
    entries.map(([name, at, type, amount]) => ({
      _id: `entry_${name}`,
      account_id: user.account_id,
      type,
      amount,
      legs: legsOf(user.account_id, type, amount),
      job_id: type === 'settle' ? `job_${name}` : null,
      key_id: null,
      reason: type === 'grant' ? '=SUM(A1:A9)' : null,
      by: null,
      at: new Date(at),
    })),
  )
})
afterAll(() => api.close())

interface Statement {
  opening_usd: string
  closing_usd: string
  sums: { type: string; entries: number; change_usd: string }[]
  data: { id: string; change_usd: string }[]
  has_more: boolean
  last_id: string
}
const get = (query: string) => call<Statement>(api, 'GET', `/v1/statements?${query}`, undefined, { key })
const nano = (usd: string): bigint => (usd.startsWith('-') ? -1n : 1n) * (parseUsd(usd.replace('-', '')) ?? 0n)
const total = (amounts: string[]) => amounts.map(nano).reduce((sum, amount) => sum + amount, 0n)

describe('a statement', () => {
  it('leads from what there was to what was left', async () => {
    const { status, body } = await get('month=2026-10')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      object: 'statement',
      account_id: user.account_id,
      month: '2026-10',
      from: Date.UTC(2026, 9, 1) / 1000,
      to: Date.UTC(2026, 10, 1) / 1000,
      opening_usd: '5.000000000',
      closing_usd: '3.250000000',
      has_more: false,
    })
    expect(body.sums).toEqual([
      { type: 'grant', entries: 0, change_usd: '0.000000000' },
      { type: 'settle', entries: 2, change_usd: '-2.000000000' },
      { type: 'refund', entries: 1, change_usd: '0.500000000' },
      { type: 'expire', entries: 1, change_usd: '-0.250000000' },
      { type: 'reclaim', entries: 0, change_usd: '0.000000000' },
    ])
    expect(body.data.map(({ id }) => id)).toEqual(['entry_b', 'entry_c', 'entry_d', 'entry_e'])
    expect(nano(body.opening_usd) + total(body.data.map(({ change_usd }) => change_usd))).toBe(nano(body.closing_usd))
  })

  it('closes where the next one opens', async () => {
    const months = await Promise.all(['2026-09', '2026-10', '2026-11'].map((month) => get(`month=${month}`)))
    const [september, october, november] = months.map(({ body }) => body)
    expect(september?.opening_usd).toBe('0.000000000')
    expect(october?.opening_usd).toBe(september?.closing_usd)
    expect(november?.opening_usd).toBe(october?.closing_usd)
  })

  it('is read page by page', async () => {
    const first = await get('month=2026-10&limit=3')
    expect(first.body).toMatchObject({ has_more: true, last_id: 'entry_d' })
    const rest = await get(`month=2026-10&limit=3&after=${first.body.last_id}`)
    expect(rest.body.data.map(({ id }) => id)).toEqual(['entry_e'])
    expect(rest.body.closing_usd).toBe(first.body.closing_usd)
  })

  it('is a table that adds up, in which nothing runs', async () => {
    const { text, headers } = await get('month=2026-10&format=csv')
    expect(headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(headers.get('content-disposition')).toBe('attachment; filename="statement-2026-10.csv"')
    const rows = text
      .trimEnd()
      .split('\r\n')
      .slice(1)
      .map((row) => row.split(','))
    const [opening, changes, closing] = [rows[0], rows.slice(1, -1), rows.at(-1)]
    expect([opening?.[1], closing?.[1]]).toEqual(['opening', 'closing'])
    expect(nano(opening?.[2] ?? '') + total(changes.map(([, , change = '']) => change))).toBe(nano(closing?.[2] ?? ''))
    expect((await get('month=2026-11&format=csv')).text).toContain(",'=SUM(A1:A9)\r\n")
  })

  it('of another is for admins', async () => {
    const { body } = await call<Statement>(api, 'GET', `/api/v1/statements?user_id=${user.id}&month=2026-10`)
    expect(body.closing_usd).toBe('3.250000000')
    const stranger = await newUser(api, 'Bob')
    const other = await newKey(api, stranger.id)
    const own = await call<Statement>(api, 'GET', '/v1/statements?month=2026-10', undefined, { key: other.key })
    expect(own.body).toMatchObject({ opening_usd: '0.000000000', data: [] })
  })

  it.each(['month=2026-13', 'month=November', 'month=2099-01', 'month=2026-10&format=pdf', 'day=1'])(
    'is refused for %s',
    async (query) => {
      expect((await get(query)).status).toBe(400)
    },
  )
})

it("closes today at the very credit of the account, and so does every receipt's charge", {
  timeout: 30_000,
}, async () => {
  const site = await Site.open()
  try {
    const caller = await site.caller('1')
    const sent = [
      await caller.chat('Hello'),
      await caller.chat('[[fail:unavailable]]'),
      await caller.send('/v1/images/generations', { model: 'sandbox/image', prompt: 'A boat', size: '64x64', n: 2 }),
      await caller.send('/v1/audio/speech', { model: 'sandbox/speech', input: 'Hello', voice: 'alloy' }),
    ]
    const statement = await caller.json<Statement>('/v1/statements')
    const { available_usd, held_usd } = await caller.credits()
    expect(nano(statement.closing_usd)).toBe(nano(available_usd) + nano(held_usd))
    const jobs = await Promise.all(sent.map(({ job_id }) => caller.job(job_id)))
    const charged = total(jobs.map(({ billing }) => billing.cost_usd ?? '0'))
    expect(statement.sums.find(({ type }) => type === 'settle')?.change_usd.replace('-', '')).toBe(
      (Number(charged) / 1e9).toFixed(9),
    )
    expect(await site.verify()).toMatchObject({ ok: true })
  } finally {
    await site.close()
  }
})
