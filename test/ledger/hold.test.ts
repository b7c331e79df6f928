// Holding credit: exactly what there is, by however many at once, and never more; limits of keys alike.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { grant } from '../../src/ledger/grants.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { verify } from '../../src/ledger/verify.ts'
import { StoreUnavailable } from '../../src/ledger/writes.ts'
import { UNLIMITED_ROOM } from '../../src/store/accounts.ts'
import { type TestStore, testStore } from '../support/store.ts'
import {
  accountOf,
  addKey,
  type Books,
  balances,
  behindLine,
  type Fate,
  insertJob,
  openBooks,
  setLimit,
} from './books.ts'

const CENT = 10_000_000n
let shared: TestStore

beforeAll(async () => {
  shared = await testStore()
})
afterAll(() => shared.close())

async function holdMany(books: Books, count: number, amount: bigint, ledger = new Ledger(books.store)) {
  const jobs = await Promise.all(Array.from({ length: count }, () => insertJob(books, amount)))
  const { account_id, key_id } = books
  return Promise.all(jobs.map(({ _id }) => ledger.hold({ job_id: _id, account_id, key_id, amount })))
}

describe('a hold', () => {
  it('is given to exactly 37 of 200 at once where there is credit for 37', async () => {
    const books = await openBooks(shared.store, 37n * CENT + CENT - 1n)
    const outcomes = await holdMany(books, 200, CENT)
    expect(outcomes.filter(({ held }) => held)).toHaveLength(37)
    for (const outcome of outcomes)
      if (!outcome.held) expect(outcome).toEqual({ held: false, reason: 'insufficient_credits', available: CENT - 1n })
    const account = await accountOf(books)
    expect(account).toMatchObject({ available: CENT - 1n, held: 37n * CENT, settled: 0n })
    expect(balances(account)).toBe(true)
  })

  it('is given to exactly 37 of 200 when three routers ask at once', async () => {
    const books = await openBooks(shared.store, 37n * CENT)
    const ledgers = [new Ledger(shared.store), new Ledger(shared.store), new Ledger(shared.store)]
    const outcomes = await Promise.all(ledgers.map((ledger) => holdMany(books, 67, CENT, ledger)))
    expect(outcomes.flat().filter(({ held }) => held)).toHaveLength(37)
    expect(await accountOf(books)).toMatchObject({ available: 0n, held: 37n * CENT })
  })

  it('keeps the limit of each key exactly, beside another key of the same account', async () => {
    const books = await openBooks(shared.store, 100n * CENT, 11n * CENT)
    const other = { ...books, key_id: await addKey(shared.store, books.account_id, null) }
    const ledger = new Ledger(shared.store)
    const [limited, unlimited] = await Promise.all([
      holdMany(books, 50, CENT, ledger),
      holdMany(other, 50, CENT, ledger),
    ])
    expect(limited.filter(({ held }) => held)).toHaveLength(11)
    expect(unlimited.filter(({ held }) => held)).toHaveLength(50)
    expect(limited).toContainEqual({ held: false, reason: 'key_budget_exhausted', available: 0n })
    const account = await accountOf(books)
    expect(account.keys[books.key_id]).toEqual({ room: 0n, held: 11n * CENT, settled: 0n })
    expect(balances(account)).toBe(true)
  })

  it('keeps a limit that changes while holds are made', async () => {
    const books = await openBooks(shared.store, 1000n * CENT, 20n * CENT)
    const holding = holdMany(books, 100, CENT)
    for (const limit of [5n, 50n, 0n, 31n]) await setLimit(books, limit * CENT)
    await holding
    const { keys } = await accountOf(books)
    const { room, held, settled } = keys[books.key_id] ?? { room: 0n, held: 0n, settled: 0n }
    expect(room + held + settled).toBe(31n * CENT)
    expect(held).toBeLessThanOrEqual(50n * CENT)
  })

  it('of nothing is never refused, even by a key that is over its limit', async () => {
    const books = await openBooks(shared.store, 5n * CENT)
    await holdMany(books, 5, CENT)
    await setLimit(books, CENT)
    expect(await holdMany(books, 2, 0n)).toEqual([
      { held: true, nonce: expect.any(String) },
      { held: true, nonce: expect.any(String) },
    ])
    expect((await holdMany(books, 1, 1n))[0]).toMatchObject({ held: false })
  })

  it('says what the account has where it has no such key, and nothing where there is no account', async () => {
    const books = await openBooks(shared.store, 3n * CENT)
    const [outcome] = await holdMany({ ...books, key_id: 'key_unknown' }, 1, CENT)
    expect(outcome).toEqual({ held: false, reason: 'key_budget_exhausted', available: 0n })
    const [nobody] = await holdMany({ ...books, account_id: 'acc_unknown' }, 1, CENT)
    expect(nobody).toEqual({ held: false, reason: 'insufficient_credits', available: 0n })
  })

  it.each<[string, Fate[]]>([
    ['its answer is lost', ['lost after']],
    ['it is lost on its way', ['lost before']],
    ['it is lost again and again', ['lost before', 'lost after', 'lost before']],
    ['it comes late, and is repeated meanwhile', ['late']],
    ['it comes late twice', ['late', 'late']],
  ])('is made once when %s', async (_what, fates) => {
    const books = await openBooks(shared.store, 10n * CENT)
    const left = [...fates]
    const line = behindLine(shared.store, () => left.shift() ?? 'arrives')
    const outcomes = await holdMany(books, 4, CENT, new Ledger(line.store))
    await line.land()
    const account = await accountOf(books)
    expect(account).toMatchObject({ available: 6n * CENT, held: 4n * CENT })
    expect(balances(account)).toBe(true)
    const nonces = Object.values(account.holds).map(({ nonce }) => nonce)
    expect(outcomes.map((outcome) => outcome.held && outcome.nonce).sort()).toEqual(nonces.sort())
  })

  it('fails as unavailable, and with nothing known, when the store stays silent', { timeout: 30_000 }, async () => {
    const books = await openBooks(shared.store, 10n * CENT)
    const line = behindLine(shared.store, () => 'lost before')
    await expect(holdMany(books, 1, CENT, new Ledger(line.store))).rejects.toThrow(StoreUnavailable)
  })

  it('is exact beyond what a double can hold', async () => {
    const credit = 2n ** 53n + 1n
    const books = await openBooks(shared.store, credit)
    const [held] = await holdMany(books, 1, 2n ** 53n - 1n)
    expect(held?.held).toBe(true)
    expect(await accountOf(books)).toMatchObject({ credits: credit, available: 2n, held: 2n ** 53n - 1n })
    const [one, two, three] = await holdMany(books, 3, 1n)
    expect([one?.held, two?.held, three?.held]).toEqual([true, true, false])
  })

  it('takes credit that a finished job is about to give back', async () => {
    const books = await openBooks(shared.store, CENT)
    const ledger = new Ledger(shared.store)
    const { account_id, key_id } = books
    const job = await insertJob(books, CENT)
    const outcome = await ledger.hold({ job_id: job._id, account_id, key_id, amount: CENT })
    const nonce = outcome.held ? outcome.nonce : ''
    await ledger.decide({ job_id: job._id, nonce, status: 'failed', by: 'rtr_test' })
    const decided = { job_id: job._id, account_id, key_id, nonce, hold: CENT, cost: undefined, decided_at: new Date() }
    const finished = ledger.finish(decided)
    expect((await holdMany(books, 1, CENT, ledger))[0]?.held).toBe(true)
    await finished
    expect(await verify(shared.store)).toMatchObject({ drift: [] })
  })
})

describe('a grant', () => {
  it('is credited once though it is delivered a hundred times, by several routers at once', async () => {
    const books = await openBooks(shared.store, 0n)
    const gift = { id: 'gr_hundred', account_id: books.account_id, amount: 5n * CENT, reason: 'Test', by: 'test' }
    const accounts = await Promise.all(Array.from({ length: 100 }, () => grant(shared.store, gift)))
    expect(accounts.every((account) => account?.credits === 5n * CENT)).toBe(true)
    expect(await accountOf(books)).toMatchObject({ credits: 5n * CENT, available: 5n * CENT })
    expect(await shared.store.entries.countDocuments({ account_id: books.account_id })).toBe(1)
  })

  it('is credited once though it is delivered again after the account has forgotten it', async () => {
    const books = await openBooks(shared.store, 0n)
    const gift = { id: 'gr_forgotten', account_id: books.account_id, amount: CENT, reason: 'Test', by: 'test' }
    await grant(shared.store, gift)
    const yesterday = new Date(Date.now() - 25 * 3600_000)
    await shared.store.accounts.updateOne({ _id: books.account_id }, { $set: { 'applied.0.at': yesterday } })
    await grant(shared.store, gift)
    expect((await accountOf(books)).applied).toEqual([])
    await grant(shared.store, gift)
    expect((await accountOf(books)).credits).toBe(CENT)
  })

  it.each<[string, Fate[]]>([
    ['the answer of the account is lost', ['lost after']],
    ['everything is lost once', ['lost before', 'lost after', 'lost before', 'lost after']],
    ['the credit comes late, twice', ['late', 'late']],
  ])('is credited once when %s', async (_what, fates) => {
    const books = await openBooks(shared.store, CENT)
    const left = [...fates]
    const line = behindLine(shared.store, () => left.shift() ?? 'arrives')
    const gift = {
      id: `gr_${books.account_id}`,
      account_id: books.account_id,
      amount: CENT,
      reason: 'Test',
      by: 'test',
    }
    await grant(line.store, gift)
    await line.land()
    expect((await accountOf(books)).credits).toBe(2n * CENT)
    expect(await verify(shared.store)).toMatchObject({ drift: [] })
  })

  it('is journaled by the next check when its router died between the account and the entry', async () => {
    const books = await openBooks(shared.store, CENT)
    const { account_id } = books
    const dying = behindLine(shared.store, (write) => (write.startsWith('entries') ? 'lost before' : 'arrives'))
    const gift = { id: `gr_${account_id}`, account_id, amount: 2n * CENT, reason: 'Test', by: 'test' }
    await expect(grant(dying.store, gift)).rejects.toThrow(StoreUnavailable)
    expect(await shared.store.entries.countDocuments({ account_id })).toBe(1)
    expect(await verify(shared.store)).toMatchObject({ ok: true })
    const entry = await shared.store.entries.findOne({ _id: gift.id })
    expect(entry).toMatchObject({ account_id, type: 'grant', amount: 2n * CENT, reason: 'Test', by: 'test' })
  }, 30_000)

  it('beyond Int64 is refused whole', async () => {
    const books = await openBooks(shared.store, 2n ** 62n)
    const { account_id } = books
    const gift = { id: `gr_${account_id}`, account_id, amount: 2n ** 62n, reason: 'Test', by: 'test' }
    await expect(grant(shared.store, gift)).rejects.toThrow()
    expect(await accountOf(books)).toMatchObject({ credits: 2n ** 62n, available: 2n ** 62n })
    expect(await verify(shared.store)).toMatchObject({ ok: true })
  })

  it('to an account that is not there does nothing', async () => {
    const gift = { id: 'gr_nobody', account_id: 'acc_nobody', amount: CENT, reason: 'Test', by: 'test' }
    expect(await grant(shared.store, gift)).toBeUndefined()
    expect(await shared.store.entries.findOne({ _id: 'gr_nobody' })).toBeNull()
  })
})

describe('the limit of a key', () => {
  it('can be set, lowered below what is spent, and taken away', async () => {
    const books = await openBooks(shared.store, 10n * CENT)
    const { key_id } = books
    await holdMany(books, 4, CENT)
    const roomAfter = async (limit: bigint | null) => {
      await setLimit(books, limit)
      return (await accountOf(books)).keys[key_id]?.room
    }
    expect(await roomAfter(6n * CENT)).toBe(2n * CENT)
    expect(await roomAfter(CENT)).toBe(-3n * CENT)
    expect(await roomAfter(null)).toBe(UNLIMITED_ROOM - 4n * CENT)
  })
})
