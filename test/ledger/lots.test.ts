// Lots: which of them bear what is charged, what leaves an account when they expire, and that no crash or crowd changes it.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { grant } from '../../src/ledger/grants.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { allocate } from '../../src/ledger/lots.ts'
import { finishDueRefunds, refund } from '../../src/ledger/refund.ts'
import { expireLots, reclaim } from '../../src/ledger/take.ts'
import { verify } from '../../src/ledger/verify.ts'
import { lotDrift } from '../../src/ledger/verify_lots.ts'
import type { LotRecord, LotTerms } from '../../src/store/lots.ts'
import { type TestStore, testStore } from '../support/store.ts'
import { accountOf, type Books, balances, behindLine, type Fate, insertJob, jobOf, openBooks, sum } from './books.ts'

const HOUR = 3_600_000
let shared: TestStore
beforeAll(async () => {
  shared = await testStore()
})
afterAll(async () => {
  expect(await verify(shared.store)).toMatchObject({ ok: true, drift: [] })
  await shared.close()
})

const inHours = (hours: number) => new Date(Date.now() + hours * HOUR)

async function give(books: Books, amount: bigint, hours: number | null, kind: LotTerms['kind'] = 'paid') {
  const id = `gr_${randomUUID()}`
  const terms = {
    kind,
    expires_at: hours === null ? null : inHours(hours),
    source: { type: 'grant' as const, id: null },
  }
  await grant(books.store, { id, account_id: books.account_id, amount, reason: 'Test', by: 'test', terms })
  return id
}

async function hold({ account_id, key_id, store }: Books, amount: bigint, ledger = new Ledger(store)) {
  const { _id: job_id } = await insertJob({ account_id, key_id, store }, amount)
  const outcome = await ledger.hold({ job_id, account_id, key_id, amount })
  if (!outcome.held) throw new Error(outcome.reason)
  return { job_id, amount, nonce: outcome.nonce }
}

async function end(books: Books, { job_id, amount, nonce }: Awaited<ReturnType<typeof hold>>, cost?: bigint) {
  const { store, account_id, key_id } = books
  const ledger = new Ledger(store)
  const charge = cost === undefined ? undefined : { cost, list_cost: cost, lines: [] }
  const status = charge ? ('completed' as const) : ('failed' as const)
  await ledger.decide({ job_id, nonce, status, by: 'rtr_test', ...(charge && { charge }) })
  const finished = ledger.finish({ job_id, account_id, key_id, nonce, hold: amount, cost, decided_at: new Date() })
  await ledger.flush()
  await finished
  return job_id
}

const spend = async (books: Books, cost: bigint) => end(books, await hold(books, cost), cost)

async function lotsOf({ store, account_id }: Books): Promise<Map<string, LotRecord>> {
  const lots = await store.lots.find({ account_id }).toArray()
  return new Map(lots.map((lot) => [lot._id, lot]))
}
const remaining = async (books: Books, id: string) => (await lotsOf(books)).get(id)?.remaining

async function sound(books: Books) {
  const account = await accountOf(books)
  expect(balances(account)).toBe(true)
  expect(await lotDrift(books.store, books.account_id)).toEqual([])
  const lots = [...(await lotsOf(books)).values()]
  expect(sum(lots.map((lot) => lot.remaining))).toBe(account.available + account.held)
}

describe('what is charged', () => {
  it('is borne by the lot that expires first, the promotional before the paid, and last by one that never does', async () => {
    const books = await openBooks(shared.store, 0n)
    const never = await give(books, 10n, null)
    const late = await give(books, 10n, 9)
    const at = 5
    const paid = await give(books, 10n, at)
    const { expires_at } = (await lotsOf(books)).get(paid) as LotRecord
    const promotional = await give(books, 10n, at, 'promotional')
    await shared.store.lots.updateOne({ _id: promotional }, { $set: { expires_at } })
    const seen: bigint[][] = []
    for (const cost of [7n, 7n, 7n, 7n, 7n]) {
      await spend(books, cost)
      await allocate(shared.store, books.account_id)
      const lots = await lotsOf(books)
      seen.push([promotional, paid, late, never].map((id) => lots.get(id)?.remaining ?? -1n))
    }
    expect(seen).toEqual([
      [3n, 10n, 10n, 10n],
      [0n, 6n, 10n, 10n],
      [0n, 0n, 9n, 10n],
      [0n, 0n, 2n, 10n],
      [0n, 0n, 0n, 5n],
    ])
    await sound(books)
  })

  it('is known entry by entry', async () => {
    const books = await openBooks(shared.store, 0n)
    const first = await give(books, 5n, 1)
    const second = await give(books, 5n, 2)
    const jobs = [await spend(books, 2n), await spend(books, 4n)]
    await allocate(shared.store, books.account_id)
    const parts = await Promise.all(jobs.map((job) => shared.store.entries.findOne({ _id: `${job}:f` })))
    expect(parts.map((entry) => entry?.lots)).toEqual([[{ lot: first }], [{ lot: first, amount: 3n }, { lot: second }]])
    expect(parts.every((entry) => entry?.unattributed === undefined)).toBe(true)
  })

  it('is attributed once, however many routers do it at once', async () => {
    const books = await openBooks(shared.store, 0n)
    const lot = await give(books, 1000n, null)
    for (let job = 0; job < 6; job++) await spend(books, 10n)
    await Promise.all(Array.from({ length: 12 }, () => allocate(shared.store, books.account_id)))
    expect(await remaining(books, lot)).toBe(940n)
    await sound(books)
  })

  it('is attributed in accounts of before there were lots', async () => {
    const books = await openBooks(shared.store, 100n)
    await spend(books, 30n)
    const { store, account_id } = books
    await store.lots.deleteMany({ account_id })
    await store.lot_books.deleteMany({ _id: account_id })
    await store.entries.updateMany({ account_id }, { $unset: { lots: '', unattributed: '' } })
    await store.accounts.updateOne({ _id: account_id }, { $set: { applied: [] } })
    await allocate(store, account_id)
    expect([...(await lotsOf(books)).values()]).toMatchObject([{ kind: 'paid', amount: 100n, remaining: 70n }])
    await sound(books)
  })
})

describe('a lot that expires', () => {
  it('takes what is left of it out of the account, once, and leaves an entry', async () => {
    const books = await openBooks(shared.store, 50n)
    const lot = await give(books, 100n, 1)
    await spend(books, 30n)
    await Promise.all(Array.from({ length: 8 }, () => expireLots(shared.store, books.account_id, inHours(2))))
    expect(await accountOf(books)).toMatchObject({ credits: 80n, available: 50n, held: 0n, settled: 30n })
    expect((await lotsOf(books)).get(lot)).toMatchObject({ remaining: 0n, spent: 30n, expired: 70n })
    const entries = await shared.store.entries.find({ account_id: books.account_id, type: 'expire' }).toArray()
    expect(entries).toMatchObject([{ amount: 70n, lots: [{ lot }] }])
    await sound(books)
  })

  it('keeps what was held before for the jobs that hold it, and gives it up when they have ended', async () => {
    const books = await openBooks(shared.store, 0n)
    const lot = await give(books, 100n, 1)
    const other = await give(books, 100n, null)
    const [settled, released] = [await hold(books, 40n), await hold(books, 20n)]
    await expireLots(shared.store, books.account_id, inHours(2))
    expect(await accountOf(books)).toMatchObject({ credits: 160n, available: 100n, held: 60n })
    await end(books, settled, 25n)
    await expireLots(shared.store, books.account_id, inHours(2))
    expect((await lotsOf(books)).get(lot)).toMatchObject({ remaining: 20n, spent: 25n, expired: 55n })
    await end(books, released)
    await expireLots(shared.store, books.account_id, inHours(2))
    expect((await lotsOf(books)).get(lot)).toMatchObject({ remaining: 0n, spent: 25n, expired: 75n })
    expect(await remaining(books, other)).toBe(100n)
    expect(await accountOf(books)).toMatchObject({ credits: 125n, available: 100n, held: 0n, settled: 25n })
    await sound(books)
  })

  it('never takes what younger jobs hold', async () => {
    const books = await openBooks(shared.store, 0n)
    await give(books, 100n, -1)
    const job = await hold(books, 90n)
    await expireLots(shared.store, books.account_id)
    expect(await accountOf(books)).toMatchObject({ credits: 90n, available: 0n, held: 90n })
    await end(books, job, 50n)
    await expireLots(shared.store, books.account_id)
    expect(await accountOf(books)).toMatchObject({ credits: 50n, available: 0n, settled: 50n })
    await sound(books)
  })
})

describe('a refund', () => {
  it('goes back to the lots that had paid, the last one first, once for its id', async () => {
    const books = await openBooks(shared.store, 0n)
    const first = await give(books, 50n, 5)
    const second = await give(books, 50n, 6)
    const job_id = await spend(books, 80n)
    const give_back = (id: string, amount: bigint) =>
      refund(shared.store, { id: `${job_id}:${id}`, job_id, amount, reason: 'Bad picture', by: 'test' })
    await Promise.all(Array.from({ length: 10 }, () => give_back('one', 40n)))
    await allocate(shared.store, books.account_id)
    expect([await remaining(books, first), await remaining(books, second)]).toEqual([10n, 50n])
    expect(await accountOf(books)).toMatchObject({ credits: 100n, available: 60n, settled: 40n })
    expect(await give_back('two', 41n)).toMatchObject({ refunded: false })
    expect(await give_back('three', 40n)).toMatchObject({ refunded: true })
    await sound(books)
    expect(await jobOf(books, job_id)).toMatchObject({ refunded: 80n, refunds: [{ amount: 40n }, { before: 40n }] })
  })

  it('of many at once never gives back more than was charged', async () => {
    const books = await openBooks(shared.store, 100n)
    const job_id = await spend(books, 10n)
    const all = Array.from({ length: 12 }, (_, n) =>
      refund(shared.store, { id: `${job_id}:${n}`, job_id, amount: 3n, reason: 'r', by: 'test' }),
    )
    expect((await Promise.all(all)).filter(({ refunded }) => refunded)).toHaveLength(3)
    expect(await accountOf(books)).toMatchObject({ available: 99n, settled: 1n })
    await sound(books)
  })

  it('to a lot that has expired since can be spent for a month', async () => {
    const books = await openBooks(shared.store, 0n)
    const lot = await give(books, 50n, 1, 'promotional')
    const job_id = await spend(books, 30n)
    await allocate(shared.store, books.account_id)
    await shared.store.lots.updateOne({ _id: lot }, { $set: { expires_at: inHours(-1) } })
    await expireLots(shared.store, books.account_id)
    await refund(shared.store, { id: `${job_id}:r`, job_id, amount: 12n, reason: 'Sorry', by: 'test' })
    await expireLots(shared.store, books.account_id)
    expect(await accountOf(books)).toMatchObject({ credits: 30n, available: 12n, settled: 18n })
    const fresh = (await lotsOf(books)).get(`${job_id}:r:${lot}`)
    expect(fresh).toMatchObject({ kind: 'promotional', remaining: 12n, source: { type: 'refund' } })
    expect(fresh?.expires_at?.getTime()).toBeGreaterThan(inHours(29 * 24).getTime())
    await sound(books)
  })
})

describe('credit that is taken back', () => {
  it('is what was not spent of its lot, all of it or nothing, once for its id', async () => {
    const books = await openBooks(shared.store, 100n)
    const lot = await give(books, 50n, 1)
    await spend(books, 20n)
    const take = (id: string, amount: bigint) =>
      reclaim(shared.store, { id, account_id: books.account_id, lot, amount, reason: 'Bought twice', by: 'test' })
    expect(await take(randomUUID(), 31n)).toEqual({ taken: false, unspent: 30n, available: 130n })
    const id = randomUUID()
    const all = await Promise.all(Array.from({ length: 8 }, () => take(id, 30n)))
    expect(all.every((each) => each?.taken)).toBe(true)
    expect((await lotsOf(books)).get(lot)).toMatchObject({ remaining: 0n, spent: 20n, reclaimed: 30n })
    expect(await accountOf(books)).toMatchObject({ credits: 120n, available: 100n })
    await sound(books)
  })

  it('is never what is held', async () => {
    const books = await openBooks(shared.store, 0n)
    const lot = await give(books, 50n, null)
    await hold(books, 40n)
    const request = { account_id: books.account_id, lot, reason: 'r', by: 'test' }
    expect(await reclaim(shared.store, { ...request, id: randomUUID(), amount: 11n })).toMatchObject({ taken: false })
    expect(await reclaim(shared.store, { ...request, id: randomUUID(), amount: 10n })).toMatchObject({ taken: true })
    await sound(books)
  })
})

describe('whatever is lost or late on the line', () => {
  const works: [name: string, work: (books: Books, job_id: string, lot: string) => Promise<unknown>][] = [
    ['attributing', (books) => allocate(books.store, books.account_id)],
    ['expiry', (books) => expireLots(books.store, books.account_id, inHours(2))],
    [
      'a refund',
      ({ store }, job_id) => refund(store, { id: `${job_id}:r`, job_id, amount: 5n, reason: 'r', by: 'test' }),
    ],
    [
      'taking back',
      ({ store, account_id }, job_id, lot) =>
        reclaim(store, { id: `${job_id}:t`, account_id, lot, amount: 10n, reason: 'r', by: 'test' }),
    ],
  ]
  it.each(works)('%s is finished by whoever comes next, wherever the router died', async (_name, work) => {
    for (let at = 0, died = true; died; at++) {
      const books = await openBooks(shared.store, 20n)
      const lot = await give(books, 100n, 1)
      const job_id = await spend(books, 30n)
      let write = 0
      const line = behindLine(shared.store, () => {
        if (write++ >= at) throw new Error('dead')
        return 'arrives'
      })
      died = await work({ ...books, store: line.store }, job_id, lot).then(
        () => false,
        () => true,
      )
      await finishDueRefunds(shared.store, inHours(1))
      await expireLots(shared.store, books.account_id, inHours(2))
      const { credits, available, settled } = await accountOf(books)
      expect({ credits, available }).toEqual({ credits: settled + 20n, available: 20n })
      await sound(books)
    }
  })

  const fates: Fate[] = ['lost before', 'lost after', 'late']
  it.each(works.flatMap(([name, work]) => fates.map((fate) => [name, fate, work] as const)))(
    '%s is done once: %s, at each of its writes',
    async (_name, fate, work) => {
      for (let at = 0; at < 9; at++) {
        const books = await openBooks(shared.store, 20n)
        const lot = await give(books, 100n, 1)
        const job_id = await spend(books, 30n)
        let write = 0
        const line = behindLine(shared.store, () => (write++ === at ? fate : 'arrives'))
        await work({ ...books, store: line.store }, job_id, lot)
        await line.land()
        await work(books, job_id, lot)
        await expireLots(shared.store, books.account_id, inHours(2))
        const { credits, available, settled } = await accountOf(books)
        const refunded = 30n - settled
        expect({ credits, available }).toEqual({ credits: settled + 20n, available: 20n })
        expect([0n, 5n]).toContain(refunded)
        await sound(books)
      }
    },
  )
})
