// Usage over days: the sums of days that are over are those of their jobs, to the nano-dollar, whoever asks, however the
// report is grouped, and however often the days are added up.
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillStore } from '../../bench/fill.ts'
import { getUsage, USAGE_GROUPS, type UsageGroup, usageTable } from '../../src/flow/credit/usage.ts'
import { addUpDays } from '../../src/flow/credit/usage_days.ts'
import { timeOf } from '../../src/flow/ids.ts'
import { formatUsd } from '../../src/ledger/money.ts'
import { type TestStore, testStore } from '../support/store.ts'

const JOBS = 3000
const NOW = new Date('2026-11-10T12:00:00Z')
const OCTOBER = { from: new Date('2026-10-01T00:00:00Z'), to: new Date('2026-11-01T00:00:00Z') }
const EDGES = { from: new Date('2026-10-03T07:30:00Z'), to: new Date('2026-10-20T21:15:10Z') }
const GROUPS: UsageGroup[][] = [
  ...USAGE_GROUPS.map((group) => [group]),
  ['day', 'model', 'key', 'operation'],
  ['user', 'day'],
]

let filled: TestStore
let charged: bigint
let account_id: string
const log = pino({ level: 'silent' })
beforeAll(async () => {
  filled = await testStore()
  charged = await fillStore(filled.store, { jobs: JOBS, accounts: 7 })
  account_id = (await filled.store.accounts.findOne({}))?._id ?? ''
}, 60_000)
afterAll(() => filled.close())

/** All reports that the days could change. */
async function reports() {
  const { store } = filled
  const found = []
  for (const span of [OCTOBER, EDGES])
    for (const group_by of GROUPS)
      for (const owner of [{}, { account_id }]) found.push(await getUsage({ store }, { ...span, ...owner, group_by }))
  return found
}

describe('usage', () => {
  it('is the same from the days as from the jobs, added up once or twice', { timeout: 60_000 }, async () => {
    const { store } = filled
    const from_jobs = await reports()
    expect(from_jobs[0]).toMatchObject({ jobs: JOBS * 0.9, cost_usd: formatUsd(charged) })
    // One day has work that is open yet.
    const open = await store.jobs.findOne({ _id: { $gt: 'job_' }, state: 'settled' }, { sort: { _id: 1 }, skip: 1000 })
    const open_id = open?._id ?? ''
    const day = timeOf(open_id).toISOString().slice(0, 10)
    await store.jobs.updateOne({ _id: open_id }, { $set: { 'lease.owner': 'rtr_at_work' } })
    await addUpDays({ store, log }, NOW)
    expect(await store.usage_days.countDocuments({ state: 'done' })).toBe(39)
    expect(await store.usage_days.findOne({ _id: day })).toMatchObject({ state: 'under way' })
    expect(await reports()).toEqual(from_jobs)
    await store.jobs.updateOne({ _id: open_id }, { $unset: { 'lease.owner': '' } })
    await addUpDays({ store, log }, new Date(NOW.getTime() + 2 * 3600_000))
    expect(await store.usage_days.countDocuments({ state: 'done' })).toBe(40)
    expect(await reports()).toEqual(from_jobs)
    // Some router did not hear that it was done.
    await store.usage_days.updateMany({}, { $set: { state: 'under way', until: new Date(0) } })
    await addUpDays({ store, log }, NOW)
    expect(await reports()).toEqual(from_jobs)
  })

  it('of days that are over reads no job', async () => {
    const { store } = filled
    await addUpDays({ store, log }, NOW)
    const blind = { ...store, jobs: undefined as never }
    const whole = { from: OCTOBER.from, to: new Date('2026-10-31T00:00:00Z') }
    const report = await getUsage({ store: blind }, { ...whole, account_id, group_by: ['day'] })
    expect(report.data).toHaveLength(30)
  })

  it('does not add up a day that is not over', async () => {
    const { store } = filled
    await store.usage_days.deleteMany({})
    await addUpDays({ store, log }, new Date('2026-10-15T00:30:00Z'))
    const days = await store.usage_days.find().sort({ _id: -1 }).toArray()
    expect(days[0]?._id).toBe('2026-10-13')
  })

  it('is a table of all groups and meters for spreadsheets', async () => {
    const { store } = filled
    const report = await getUsage({ store }, { ...OCTOBER, account_id, group_by: ['model', 'key'] })
    const { columns, rows } = usageTable(report)
    expect(columns.slice(0, 4)).toEqual(['model', 'key_id', 'jobs', 'cost_usd'])
    expect(rows).toHaveLength(report.data.length)
    expect(rows.every((row) => row.length === columns.length)).toBe(true)
  })
})
