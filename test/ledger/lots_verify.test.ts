// The check of the books finds one nano-dollar in lots wherever it is missing, and nothing while charges are on their way.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { Ledger } from '../../src/ledger/ledger.ts'
import { allocate } from '../../src/ledger/lots.ts'
import { verify } from '../../src/ledger/verify.ts'
import { type TestStore, testStore } from '../support/store.ts'
import { type Books, insertJob, openBooks } from './books.ts'

let shared: TestStore
let books: Books
beforeAll(async () => {
  shared = await testStore()
})
afterAll(() => shared.close())

async function charged(cost: bigint): Promise<string> {
  const { account_id, key_id, store } = books
  const { _id: job_id } = await insertJob(books, cost)
  const ledger = new Ledger(store)
  const outcome = await ledger.hold({ job_id, account_id, key_id, amount: cost })
  if (!outcome.held) throw new Error(outcome.reason)
  const { nonce } = outcome
  const charge = { cost, list_cost: cost, lines: [] }
  await ledger.decide({ job_id, nonce, status: 'completed', by: 'rtr_test', charge })
  const finished = ledger.finish({ job_id, account_id, key_id, nonce, hold: cost, cost, decided_at: new Date() })
  await ledger.flush()
  await finished
  return job_id
}

beforeEach(async () => {
  books = await openBooks(shared.store, 1000n)
  await charged(30n)
  await allocate(shared.store, books.account_id)
})

it('is content with lots that are attributed, and with charges that are not yet', async () => {
  await charged(5n)
  expect(await verify(shared.store, 0)).toMatchObject({ ok: true, drift: [] })
})

const lots = (change: object) => shared.store.lots.updateOne({ account_id: books.account_id }, change)
const harms: [string, string, () => Promise<unknown>, () => Promise<unknown>][] = [
  [
    'left too much',
    'remaining in lots',
    () => lots({ $inc: { remaining: 1n, spent: -1n } }),
    () => lots({ $inc: { remaining: -1n, spent: 1n } }),
  ],
  [
    'became of it too little',
    'what became of lots',
    () => lots({ $inc: { spent: -1n } }),
    () => lots({ $inc: { spent: 1n } }),
  ],
  [
    'attributed too much',
    'spent from lots',
    () => shared.store.lot_books.updateOne({ _id: books.account_id }, { $inc: { attributed: 1n } }),
    () => shared.store.lot_books.updateOne({ _id: books.account_id }, { $inc: { attributed: -1n } }),
  ],
]

it.each(harms)('finds one nano-dollar %s', { timeout: 30_000 }, async (_name, what, harm, mend) => {
  await harm()
  // What only the book says is looked at when the lots differ, or something is under way.
  if (what === 'spent from lots') await lots({ $inc: { remaining: 1n, spent: -1n } })
  const { ok, drift } = await verify(shared.store, 300)
  expect(ok).toBe(false)
  expect(drift.filter(({ account_id }) => account_id === books.account_id).map((each) => each.what)).toContain(what)
  await mend()
  if (what === 'spent from lots') await lots({ $inc: { remaining: -1n, spent: 1n } })
})
