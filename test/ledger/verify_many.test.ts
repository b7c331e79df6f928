// The check of the books over many jobs, as `bench/verify.ts` measures it over a million: a nano-dollar in one of twenty
// thousand is found, named, and nothing else; and others are served in the meantime.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { fillStore } from '../../bench/fill.ts'
import { verify } from '../../src/ledger/verify.ts'
import { type TestStore, testStore } from '../support/store.ts'

const JOBS = 20_000
let filled: TestStore
beforeAll(async () => {
  filled = await testStore()
  await fillStore(filled.store, { jobs: JOBS, accounts: 50 })
}, 120_000)
afterAll(() => filled.close())

it('finds nothing in twenty thousand jobs, and keeps nobody waiting', { timeout: 60_000 }, async () => {
  let busy = true
  let served = 0
  const others = async () => {
    for (; busy; served++) await filled.store.accounts.findOne({ _id: 'acc_nobody' })
  }
  const asking = others()
  const verification = await verify(filled.store)
  busy = false
  await asking
  expect(verification).toEqual({ ok: true, accounts: 50, entries: JOBS * 0.9 + 50, pending: 0, drift: [] })
  // Between any two pages, of which there are forty.
  expect(served).toBeGreaterThan(30)
})

it('names the jobs of which a nano-dollar is missing', { timeout: 60_000 }, async () => {
  const { entries } = filled.store
  const some = await entries.find({ type: 'settle' }).sort({ _id: 1 }).skip(7777).limit(2).toArray()
  for (const [index, { _id }] of some.entries()) {
    const by = index === 0 ? 1n : -1n
    await entries.updateOne({ _id }, { $inc: { amount: by, 'legs.0.amount': -by, 'legs.1.amount': by } })
  }
  const { drift } = await verify(filled.store, 100)
  expect(drift.flatMap(({ job_id }) => job_id ?? []).sort()).toEqual(some.map(({ job_id }) => job_id))
  const found = drift.find(({ job_id }) => job_id === some[0]?.job_id)
  expect(BigInt((found?.found_usd ?? '').replace('.', '')) - BigInt((found?.expected_usd ?? '').replace('.', ''))).toBe(
    1n,
  )
})
