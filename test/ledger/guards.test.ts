// Each guard of the money protocol has a story here that goes wrong without it: the story passes over the real ledger,
// and fails when the guard is taken out of the statements on their way to the store.
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { grant } from '../../src/ledger/grants.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { setLimits } from '../../src/ledger/set_limits.ts'
import { verify } from '../../src/ledger/verify.ts'
import type { Store } from '../../src/store/connect.ts'
import { type TestStore, testStore } from '../support/store.ts'
import { accountOf, type Books, balances, behindLine, type Fate, insertJob, jobOf, openBooks } from './books.ts'

const CENT = 10_000_000n
let shared: TestStore

beforeAll(async () => {
  shared = await testStore()
})
afterAll(() => shared.close())

/** Takes a guard out of a statement, or a document, on its way to the store. */
type Mutation = (write: string, given: unknown[]) => void

interface Statement {
  q: Record<string, unknown>
  u: { $set?: Record<string, unknown> }
}

/** Without the conditions whose names match, in updates of this collection. */
function without(collection: string, condition: RegExp): Mutation {
  return (write, given) => {
    if (write !== 'database.command') return
    const { update, updates } = given[0] as { update?: string; updates?: Statement[] }
    if (update !== collection) return
    for (const { q } of updates ?? []) for (const name of Object.keys(q)) if (condition.test(name)) delete q[name]
  }
}

const withoutGrantGuard: Mutation = (write, given) => {
  if (write === 'accounts.updateOne') delete (given[0] as Record<string, unknown>)['applied.id']
}

const withFreshEntryIds: Mutation = (write, given) => {
  if (write === 'entries.insertMany') for (const entry of given[0] as { _id: string }[]) entry._id = randomUUID()
}

interface Scene {
  books: Books
  ledger: Ledger
  store: Store
  land(): Promise<number>
  /** The fates of the next writes; afterwards they arrive. */
  next(...fates: Fate[]): void
}

async function scene(mutation: Mutation | undefined, credit = 10n * CENT, limit: bigint | null = null): Promise<Scene> {
  const fates: Fate[] = []
  const line = behindLine(shared.store, () => fates.shift() ?? 'arrives', mutation)
  const books = await openBooks(shared.store, credit, limit)
  return { books, ledger: new Ledger(line.store), ...line, next: (...given) => void fates.push(...given) }
}

async function held({ books, ledger }: Scene, amount = CENT) {
  const { _id: job_id } = await insertJob(books, amount)
  const { account_id, key_id } = books
  const outcome = await ledger.hold({ job_id, account_id, key_id, amount })
  return { job_id, account_id, key_id, amount, outcome, nonce: outcome.held ? outcome.nonce : '' }
}
type Held = Awaited<ReturnType<typeof held>>

const charge = (cost: bigint) => ({ cost, list_cost: cost, lines: [] })
const decision = ({ job_id, nonce }: Held, cost?: bigint) => ({
  job_id,
  nonce,
  by: 'rtr_test',
  ...(cost === undefined ? { status: 'failed' as const } : { status: 'completed' as const, charge: charge(cost) }),
})
const decided = ({ job_id, account_id, key_id, nonce, amount }: Held, cost?: bigint) => ({
  ...{ job_id, account_id, key_id, nonce, cost },
  hold: amount,
  decided_at: new Date(),
})

interface Story {
  guard: string
  mutation: Mutation
  act(mutation: Mutation | undefined): Promise<void>
}

const stories: Story[] = [
  {
    guard: 'a hold needs the credit',
    mutation: without('accounts', /^available$/),
    async act(mutation) {
      const here = await scene(mutation, 3n * CENT)
      await Promise.all(Array.from({ length: 5 }, () => held(here)))
      const account = await accountOf(here.books)
      expect(account).toMatchObject({ available: 0n, held: 3n * CENT })
    },
  },
  {
    guard: 'a hold needs room under the limit of its key',
    mutation: without('accounts', /^keys\..*\.room$/),
    async act(mutation) {
      const here = await scene(mutation, 10n * CENT, 3n * CENT)
      await Promise.all(Array.from({ length: 5 }, () => held(here)))
      expect(await accountOf(here.books)).toMatchObject({ held: 3n * CENT })
    },
  },
  {
    guard: 'a hold needs room in every limit',
    mutation: without('accounts', /limits\..*\.room$/),
    async act(mutation) {
      const here = await scene(mutation)
      const { account_id, key_id } = here.books
      await setLimits(shared.store, { account_id, key_id }, { jobs: 3n })
      await Promise.all(Array.from({ length: 5 }, () => held(here)))
      expect(await accountOf(here.books)).toMatchObject({ held: 3n * CENT })
    },
  },
  {
    guard: 'a hold counts in the limits that there are',
    mutation: without('accounts', /^(limits|keys\..*\.limits)$/),
    async act(mutation) {
      const here = await scene(mutation)
      await held(here)
      await setLimits(shared.store, { account_id: here.books.account_id }, { day: CENT })
      await Promise.all(Array.from({ length: 5 }, () => held(here)))
      expect(await accountOf(here.books)).toMatchObject({ held: 2n * CENT })
    },
  },
  {
    guard: 'a settlement matches the window that its hold counts in',
    mutation: without('accounts', /limits\..*\.window$/),
    async act(mutation) {
      const here = await scene(mutation)
      const { account_id, key_id } = here.books
      await setLimits(shared.store, { account_id, key_id }, { day: 5n * CENT })
      const job = await held(here)
      // Another router begins the next day before the job of this one ends.
      const next = { window: '9999-12-31', limit: 5n * CENT, room: 5n * CENT, held: 0n, settled: 0n }
      const field = `keys.${key_id}.limits.day`
      await shared.store.accounts.updateOne({ _id: account_id }, { $set: { [field]: next } })
      expect(await here.ledger.decide(decision(job, CENT))).toBe(true)
      await here.ledger.finish(decided(job, CENT))
      const account = await accountOf(here.books)
      expect(account.settled).toBe(CENT)
      expect(account.keys[key_id]?.limits?.day).toEqual(next)
    },
  },
  {
    guard: 'a job is held for once',
    mutation: without('accounts', /^holds\.[^.]+$/),
    async act(mutation) {
      const here = await scene(mutation)
      here.next('late')
      await held(here)
      await here.land()
      const account = await accountOf(here.books)
      expect(account.held).toBe(CENT)
      expect(balances(account)).toBe(true)
    },
  },
  {
    guard: 'a settlement matches the nonce of its hold',
    mutation: without('accounts', /^holds\..*\.nonce$/),
    async act(mutation) {
      const here = await scene(mutation)
      here.next('late')
      const job = await held(here)
      expect(await here.ledger.decide(decision(job, CENT))).toBe(true)
      await here.ledger.finish(decided(job, CENT))
      // The first attempt to hold arrives when all is over; then somebody repeats the settlement from the job.
      await here.land()
      await here.ledger.finish(decided(job, CENT))
      expect((await accountOf(here.books)).settled).toBe(CENT)
    },
  },
  {
    guard: 'a settlement matches the amount of its hold',
    mutation: without('accounts', /^holds\..*\.amount$/),
    async act(mutation) {
      const here = await scene(mutation)
      const job = await held(here)
      // The hold is extended in mid-stream, and the settlement still knows the amount from before.
      const more = { held: CENT, available: -CENT, [`holds.${job.job_id}.amount`]: CENT }
      const key = `keys.${here.books.key_id}`
      await shared.store.accounts.updateOne(
        { _id: here.books.account_id },
        { $inc: { ...more, [`${key}.held`]: CENT, [`${key}.room`]: -CENT } },
      )
      expect(await here.ledger.decide(decision(job, CENT))).toBe(true)
      await here.ledger.finish(decided(job, CENT))
      const account = await accountOf(here.books)
      expect(account).toMatchObject({ held: 0n, settled: CENT, available: 9n * CENT })
      expect(balances(account)).toBe(true)
    },
  },
  {
    guard: 'a decision is a compare-and-set',
    mutation: without('jobs', /^state$/),
    async act(mutation) {
      const here = await scene(mutation)
      const job = await held(here)
      const won = await Promise.all([
        here.ledger.decide(decision(job, CENT)),
        here.ledger.decide(decision(job)),
        new Ledger(here.store).decide(decision(job, 2n)),
      ])
      expect(won.filter(Boolean)).toHaveLength(1)
    },
  },
  {
    guard: 'a grant is applied once',
    mutation: withoutGrantGuard,
    async act(mutation) {
      const here = await scene(mutation, 0n)
      const { account_id } = here.books
      const gift = { id: `gr_${account_id}`, account_id, amount: CENT, reason: 'Test', by: 'test' }
      here.next('lost after')
      await grant(here.store, gift)
      expect((await accountOf(here.books)).credits).toBe(CENT)
    },
  },
  {
    guard: 'an entry has the id of its settlement',
    mutation: withFreshEntryIds,
    async act(mutation) {
      const here = await scene(mutation)
      const job = await held(here)
      await here.ledger.decide(decision(job, CENT))
      await here.ledger.finish(decided(job, CENT))
      await here.ledger.finish(decided(job, CENT))
      expect(await shared.store.entries.countDocuments({ job_id: job.job_id })).toBe(1)
    },
  },
]

describe.each(stories)('the guard: $guard', ({ mutation, act }) => {
  it('holds in the real ledger', () => act(undefined))
  it('is missed by its story when it is taken away', () => expect(act(mutation)).rejects.toThrow())
})

describe('every step', () => {
  it('may be repeated any number of times, by anybody, in any order of arrival', async () => {
    const here = await scene(undefined)
    const job = await held(here)
    const others = [new Ledger(here.store), new Ledger(here.store)]
    const again = await here.ledger.hold({ ...job })
    expect(again).toEqual({ held: true, nonce: job.nonce })
    expect(await here.ledger.decide(decision(job, 7n))).toBe(true)
    expect(await Promise.all(others.map((ledger) => ledger.decide(decision(job, 9n))))).toEqual([false, false])
    expect(await Promise.all(others.map((ledger) => ledger.decide(decision(job))))).toEqual([false, false])
    const ledgers = [here.ledger, ...others]
    await Promise.all(ledgers.flatMap((ledger) => [1, 2, 3].map(() => ledger.finish(decided(job, 7n)))))
    expect(await accountOf(here.books)).toMatchObject({ settled: 7n, held: 0n, available: 10n * CENT - 7n, holds: {} })
    expect(await jobOf(here.books, job.job_id)).toMatchObject({ state: 'settled', cost: 7n, request: null })
    expect(await shared.store.entries.countDocuments({ job_id: job.job_id })).toBe(1)
  })

  it.each<[string, Fate[]]>([
    ['is lost on its way', ['lost before', 'lost before']],
    ['loses its answer', ['lost after', 'lost after']],
    ['comes late', ['late', 'late']],
  ])('of a settlement may be one that %s', async (_what, fates) => {
    const here = await scene(undefined)
    const job = await held(here)
    here.next(...fates)
    expect(await here.ledger.decide(decision(job, CENT))).toBe(true)
    here.next(...fates, ...fates, ...fates)
    await here.ledger.finish(decided(job, CENT))
    await here.land()
    expect(await accountOf(here.books)).toMatchObject({ settled: CENT, held: 0n })
    expect(await jobOf(here.books, job.job_id)).toMatchObject({ state: 'settled' })
    const { drift } = await verify(shared.store, 100)
    expect(drift.filter(({ account_id }) => account_id === here.books.account_id)).toEqual([])
  })

  it('that the store must refuse fails alone, beside others of the same moment', async () => {
    const here = await scene(undefined)
    const jobs = await Promise.all(Array.from({ length: 6 }, () => held(here)))
    const decisions = jobs.map((job, index) => {
      const cost = 3n
      // No document can be as large as this.
      const usage = index === 2 ? { raw: 'x'.repeat(17 * 2 ** 20) } : {}
      return here.ledger.decide({ ...decision(job, cost), usage })
    })
    const outcomes = await Promise.allSettled(decisions)
    const failed = outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))
    expect(failed).toEqual([2])
  })

  it('that ends a refused job changes no money', async () => {
    const here = await scene(undefined, CENT)
    const job = await held(here, 2n * CENT)
    expect(job.outcome).toEqual({ held: false, reason: 'insufficient_credits', available: CENT })
    expect(await here.ledger.decide(decision(job))).toBe(true)
    await here.ledger.finish(decided(job))
    expect(await jobOf(here.books, job.job_id)).toMatchObject({ state: 'released', lease: { fence: 0 } })
    expect(await accountOf(here.books)).toMatchObject({ available: CENT, held: 0n })
  })

  it('that waits for company is at most a moment late, and a balance brings it forward', async () => {
    const here = await scene(undefined)
    const job = await held(here)
    await here.ledger.decide(decision(job, CENT))
    const finished = here.ledger.finish(decided(job, CENT))
    expect(await here.ledger.balance(here.books.account_id)).toMatchObject({ settled: CENT, held: 0n })
    await Promise.race([finished, pause(250).then(() => expect.unreachable('later than promised'))])
  })
})
