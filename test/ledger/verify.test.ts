// The check of the books finds one nano-dollar wherever it is missing, and nothing where work goes on.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Ledger } from '../../src/ledger/ledger.ts'
import { verify } from '../../src/ledger/verify.ts'
import { type TestStore, testStore } from '../support/store.ts'
import { type Books, insertJob, openBooks } from './books.ts'

const CENT = 10_000_000n
let shared: TestStore
let books: Books
let job_id: string
let open_id: string

async function work(ledger: Ledger, cost: bigint | undefined): Promise<string> {
  const { account_id, key_id } = books
  const job = await insertJob(books, CENT)
  const outcome = await ledger.hold({ job_id: job._id, account_id, key_id, amount: CENT })
  if (!outcome.held) throw new Error('There is credit enough.')
  const { nonce } = outcome
  const charge = cost === undefined ? undefined : { cost, list_cost: cost, lines: [] }
  const status = charge ? ('completed' as const) : ('failed' as const)
  await ledger.decide({ job_id: job._id, nonce, status, by: 'rtr_test', ...(charge && { charge }) })
  await ledger.finish({ job_id: job._id, account_id, key_id, nonce, hold: CENT, cost, decided_at: new Date() })
  return job._id
}

/** One for what stays sound, the others for what is harmed. */
let stores: TestStore[]
beforeAll(async () => {
  stores = await Promise.all([testStore(), testStore(), testStore()])
})
afterAll(async () => {
  for (const store of stores) await store.close()
})

async function openAccount(store: TestStore | undefined): Promise<void> {
  if (!store) throw new Error('There are three stores.')
  shared = store
  books = await openBooks(shared.store, 100n * CENT, 50n * CENT)
  const ledger = new Ledger(shared.store)
  job_id = await work(ledger, 3n)
  await work(ledger, undefined)
  open_id = (await insertJob(books, CENT))._id
  await ledger.hold({ job_id: open_id, account_id: books.account_id, key_id: books.key_id, amount: CENT })
}

const damage = (change: object) => shared.store.accounts.updateOne({ _id: books.account_id }, change)

describe('verify', () => {
  beforeEach(() => openAccount(stores[0]))

  it('finds nothing where nothing is wrong', async () => {
    expect(await verify(shared.store)).toEqual({ ok: true, accounts: 1, entries: 2, pending: 0, drift: [] })
  })
})

describe('verify finds one nano-dollar', { timeout: 30_000 }, () => {
  beforeEach(() => openAccount(stores[1]))

  const harms: [string, string, () => Promise<unknown>][] = [
    ['of credit that was never given', 'credits', () => damage({ $inc: { credits: 1n, available: 1n } })],
    ['that left the credit', 'credits', () => damage({ $inc: { credits: -1n } })],
    ['settled too much', 'settled', () => damage({ $inc: { settled: 1n, available: -1n } })],
    ['held too much', 'held', () => damage({ $inc: { held: 1n, available: -1n } })],
    ['available too much', 'available', () => damage({ $inc: { available: 1n } })],
    ['more in a hold', 'held', () => damage({ $inc: { [`holds.${open_id}.amount`]: 1n } })],
    ['more room for a key', 'limit of', () => damage({ $inc: { [`keys.${books.key_id}.room`]: 1n } })],
    ['held by a key too much', 'held by', () => damage({ $inc: { [`keys.${books.key_id}.held`]: 1n } })],
    ['settled by a key too much', 'settled by keys', () => damage({ $inc: { [`keys.${books.key_id}.settled`]: 1n } })],
    ['of a key that is gone', 'limit of', () => damage({ $unset: { [`keys.${books.key_id}`]: '' } })],
    ['of an entry that is gone', 'settled', () => shared.store.entries.deleteOne({ _id: `${job_id}:f` })],
    [
      'of an entry that is there twice',
      'settled',
      async () => {
        const entry = await shared.store.entries.findOne({ _id: `${job_id}:f` })
        if (entry) await shared.store.entries.insertOne({ ...entry, _id: `${job_id}:g` })
      },
    ],
    ['of an entry', 'settled', () => shared.store.entries.updateOne({ _id: `${job_id}:f` }, { $inc: { amount: 1n } })],
    [
      'of one leg of an entry',
      'legs of entries',
      () => shared.store.entries.updateOne({ _id: `${job_id}:f` }, { $inc: { 'legs.0.amount': 1n } }),
    ],
    [
      'on the other side of an entry',
      'other side of entries',
      () => shared.store.entries.updateOne({ _id: `${job_id}:f` }, { $pull: { legs: { ledger: 'revenue' } } } as never),
    ],
    [
      'of an account that is gone',
      'entries of an account that is not there',
      () => shared.store.accounts.deleteOne({ _id: books.account_id }),
    ],
  ]
  it.each(harms)('%s', async (_harm, what, harm) => {
    await harm()
    const { ok, drift } = await verify(shared.store, 100)
    expect(ok).toBe(false)
    const own = drift.filter(({ account_id }) => account_id === books.account_id)
    expect(own.map((each) => each.what)).toContainEqual(expect.stringContaining(what))
  })
})

describe('verify finds what a job and its entry disagree about, though every sum is right', { timeout: 30_000 }, () => {
  let second_id: string
  beforeEach(async () => {
    await openAccount(stores[2])
    second_id = await work(new Ledger(shared.store), 5n)
  })

  const entries = (id: string) => shared.store.entries.updateOne.bind(shared.store.entries, { _id: `${id}:f` })
  /** The whole entry, both of its legs. */
  const change = (id: string, by: bigint) =>
    entries(id)({ $inc: { amount: by, 'legs.0.amount': -by, 'legs.1.amount': by } })
  const job = (id: string, change: object) => shared.store.jobs.updateOne({ _id: id }, change)

  const harms: [harm: string, what: string, () => Promise<unknown>, wrong: () => string[]][] = [
    [
      'a nano-dollar of one charge in the entry of another',
      'an entry that is not what its job cost',
      async () => {
        await change(job_id, 1n)
        await change(second_id, -1n)
      },
      () => [job_id, second_id],
    ],
    [
      'a job that says another cost',
      'an entry that is not what its job cost',
      () => job(job_id, { $inc: { cost: 1n } }),
      () => [job_id],
    ],
    [
      'a charge of a job that was released',
      'an entry of a job that was not charged',
      () => job(job_id, { $set: { state: 'released', cost: null } }),
      () => [job_id],
    ],
    [
      'a charge of a job that is gone',
      'an entry without its job',
      () => shared.store.jobs.deleteOne({ _id: job_id }),
      () => [job_id],
    ],
    [
      'a charge under another key',
      "an entry under another key than its job's",
      () => entries(job_id)({ $set: { key_id: 'key_other' } }),
      () => [job_id],
    ],
    [
      'a charge that is the entry of another job',
      'a charge without its entry',
      async () => {
        const entry = await shared.store.entries.findOne({ _id: `${second_id}:f` })
        await shared.store.entries.deleteOne({ _id: `${second_id}:f` })
        if (entry) await shared.store.entries.insertOne({ ...entry, _id: `${job_id}:g`, job_id })
      },
      () => [job_id, second_id],
    ],
    [
      'an entry for nothing',
      'an entry without its job',
      async () => {
        const entry = await shared.store.entries.findOne({ _id: `${job_id}:f` })
        const legs = entry?.legs.map((leg) => ({ ...leg, amount: 0n })) ?? []
        if (entry) await shared.store.entries.insertOne({ ...entry, _id: 'none:f', amount: 0n, legs, job_id: 'none' })
      },
      () => ['none'],
    ],
  ]
  it.each(harms)('%s', async (_harm, what, harm, wrong) => {
    await harm()
    const { ok, drift } = await verify(shared.store, 100)
    expect(ok).toBe(false)
    expect(drift.map((each) => each.what)).toContain(what)
    const own = drift.filter(({ account_id }) => account_id === books.account_id)
    expect([...new Set(own.map((each) => each.job_id))].sort()).toEqual(wrong().sort())
  })
})

describe('verify while work goes on', () => {
  beforeEach(() => openAccount(stores[0]))

  it('finds nothing in a thousand jobs that come and go on one account', { timeout: 60_000 }, async () => {
    const ledgers = [new Ledger(shared.store), new Ledger(shared.store)]
    let busy = true
    const working = Promise.all(
      ledgers.flatMap((ledger) =>
        Array.from({ length: 20 }, async (_, index) => {
          for (let turn = 0; turn < 25; turn++) await work(ledger, index % 3 === 0 ? undefined : BigInt(turn))
        }),
      ),
    ).finally(() => {
      busy = false
    })
    const found: object[] = []
    while (busy) found.push(...(await verify(shared.store)).drift)
    await working
    expect(found).toEqual([])
    expect(await verify(shared.store)).toMatchObject({ ok: true, pending: 0 })
  })

  it('counts a decided job whose entry is on its way as pending', async () => {
    const ledger = new Ledger(shared.store)
    const { account_id, key_id } = books
    const job = await insertJob(books, CENT)
    const outcome = await ledger.hold({ job_id: job._id, account_id, key_id, amount: CENT })
    const nonce = outcome.held ? outcome.nonce : ''
    const charge = { cost: CENT, list_cost: CENT, lines: [] }
    await ledger.decide({ job_id: job._id, nonce, status: 'completed', by: 'rtr_test', charge })
    expect(await verify(shared.store)).toMatchObject({ ok: true, pending: 1 })
    // Applied and not journaled: a router that died between the two.
    const hold = { [`holds.${job._id}`]: '' }
    const key = `keys.${key_id}`
    const amounts = { held: -CENT, settled: CENT, [`${key}.held`]: -CENT, [`${key}.settled`]: CENT }
    await damage({ $unset: hold, $inc: amounts })
    expect(await verify(shared.store)).toMatchObject({ ok: true, pending: 1 })
  })
})
