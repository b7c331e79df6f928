// Limits that renew themselves: exactly as many as there is room for, by however many routers at once, and in each window
// what belongs to it.
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { Ledger } from '../../src/ledger/ledger.ts'
import { type LimitChange, setLimits } from '../../src/ledger/set_limits.ts'
import { verify } from '../../src/ledger/verify.ts'
import type { Limits } from '../../src/store/accounts.ts'
import { type TestStore, testStore } from '../support/store.ts'
import { accountOf, addKey, type Books, balances, behindLine, type Fate, insertJob, openBooks } from './books.ts'

const CENT = 10_000_000n
const NOON = Date.parse('2026-11-21T12:00:00Z')
const DAY_MS = 86_400_000

let shared: TestStore
beforeAll(async () => {
  shared = await testStore()
})
afterAll(() => shared.close())
afterEach(() => {
  vi.useRealTimers()
})

/** Only what `new Date()` says: timers go on, for the store needs them. */
const setClock = (at_ms: number) => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(at_ms)
}

const limitKey = ({ store, account_id, key_id }: Books, change: LimitChange) =>
  setLimits(store, { account_id, key_id }, change)
const limitAccount = ({ store, account_id }: Books, change: LimitChange) => setLimits(store, { account_id }, change)

async function limitsOf(books: Books): Promise<{ key: Limits; account: Limits }> {
  const { keys, limits = {} } = await accountOf(books)
  return { key: keys[books.key_id]?.limits ?? {}, account: limits }
}

async function hold(books: Books, amount = CENT, ledger = new Ledger(books.store), tokens = 0n) {
  const { account_id, key_id } = books
  const { _id: job_id } = await insertJob(books, amount)
  const outcome = await ledger.hold({ job_id, account_id, key_id, amount, tokens })
  return { job_id, account_id, key_id, amount, outcome, ledger }
}
type Held = Awaited<ReturnType<typeof hold>>

const isHeld = ({ outcome }: Held) => outcome.held

async function end({ job_id, account_id, key_id, amount, outcome, ledger }: Held, cost?: bigint, tokens?: bigint) {
  const nonce = outcome.held ? outcome.nonce : ''
  const charge = cost === undefined ? {} : { charge: { cost, list_cost: cost, lines: [] } }
  const status = cost === undefined ? 'failed' : 'completed'
  await ledger.decide({ job_id, nonce, status, by: 'rtr_test', ...charge })
  const counted = tokens === undefined ? {} : { tokens }
  const done = ledger.finish({
    job_id,
    account_id,
    key_id,
    nonce,
    hold: amount,
    cost,
    ...counted,
    decided_at: new Date(),
  })
  await ledger.flush()
  await done
}

async function expectSound(books: Books) {
  expect(balances(await accountOf(books))).toBe(true)
  const { drift } = await verify(shared.store, 300)
  expect(drift.filter(({ account_id }) => account_id === books.account_id)).toEqual([])
}

describe('a limit', () => {
  const kinds: [string, LimitChange][] = [
    ['money a day', { day: 37n * CENT }],
    ['money a month', { month: 37n * CENT + 1n }],
    ['requests a minute', { requests: 37n }],
    ['tokens a minute', { tokens: 3799n }],
    ['jobs at once', { jobs: 37n }],
  ]
  it.each(
    kinds.flatMap(([what, change]) => [
      ['of a key', what, limitKey, change] as const,
      ['of an account', what, limitAccount, change] as const,
    ]),
  )('%s, %s, lets exactly 37 of 120 run when three routers ask at once', async (_whose, _what, limit, change) => {
    const books = await openBooks(shared.store, 1000n * CENT)
    await limit(books, change)
    const ledgers = [1, 2, 3].map(() => new Ledger(shared.store))
    const outcomes = await Promise.all(
      ledgers.flatMap((ledger) => Array.from({ length: 40 }, () => hold(books, CENT, ledger, 100n))),
    )
    expect(outcomes.filter(isHeld)).toHaveLength(37)
    const refused = outcomes.flatMap(({ outcome }) => (outcome.held ? [] : [outcome]))
    expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['limit_reached']))
    await expectSound(books)
  })

  it('that is set while work runs is kept at once by routers that knew of none', async () => {
    const books = await openBooks(shared.store, 100n * CENT)
    const ledger = new Ledger(shared.store)
    expect(isHeld(await hold(books, CENT, ledger))).toBe(true)
    await limitKey(books, { requests: 2n })
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => hold(books, CENT, ledger)))
    expect(outcomes.filter(isHeld)).toHaveLength(2)
    await limitAccount(books, { jobs: 3n })
    await limitKey(books, { requests: null })
    const more = await Promise.all(Array.from({ length: 5 }, () => hold(books, CENT, new Ledger(shared.store))))
    expect(more.filter(isHeld)).toHaveLength(3)
    await expectSound(books)
  })

  it('of one key leaves another key of the account alone', async () => {
    const books = await openBooks(shared.store, 100n * CENT)
    const other = { ...books, key_id: await addKey(shared.store, books.account_id, null) }
    await limitKey(books, { day: 2n * CENT, requests: 9n })
    const ledger = new Ledger(shared.store)
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, index) => hold(index % 2 ? books : other, CENT, ledger)),
    )
    expect(
      outcomes
        .filter(isHeld)
        .map(({ key_id }) => key_id === other.key_id)
        .filter(Boolean),
    ).toHaveLength(5)
    expect(outcomes.filter(isHeld)).toHaveLength(7)
  })

  it('tells whose it is, what was needed and left, and when it begins anew', async () => {
    setClock(NOON)
    const books = await openBooks(shared.store, 100n * CENT)
    await limitAccount(books, { day: 3n * CENT })
    await limitKey(books, { month: 2n * CENT })
    await hold(books)
    expect((await hold(books, 2n * CENT)).outcome).toEqual({
      held: false,
      reason: 'limit_reached',
      available: CENT,
      full: { owner: 'key', kind: 'month', limit: 2n * CENT, needed: 2n * CENT, resets_at: new Date('2026-12-01') },
    })
    await limitKey(books, { month: null })
    expect((await hold(books, 3n * CENT)).outcome).toMatchObject({
      available: 2n * CENT,
      full: { owner: 'account', kind: 'day', resets_at: new Date('2026-11-22') },
    })
  })

  it('of money lets pass what costs nothing, however little is left', async () => {
    const books = await openBooks(shared.store, 10n * CENT)
    await limitKey(books, { day: CENT })
    await hold(books)
    await limitKey(books, { day: 1n })
    expect(isHeld(await hold(books, 0n))).toBe(true)
    expect(isHeld(await hold(books, 1n))).toBe(false)
  })

  it('can be raised and lowered below what is used', async () => {
    const books = await openBooks(shared.store, 100n * CENT)
    await limitKey(books, { day: 3n * CENT })
    const first = await hold(books, 3n * CENT)
    await limitKey(books, { day: 5n * CENT })
    const second = await hold(books, 2n * CENT)
    await limitKey(books, { day: CENT })
    expect(isHeld(await hold(books, CENT))).toBe(false)
    await end(first, CENT)
    await end(second)
    expect((await limitsOf(books)).key.day).toMatchObject({ room: 0n, held: 0n, settled: CENT })
    await expectSound(books)
  })

  it.each<[string, Fate[]]>([
    ['its answer is lost', ['lost after', 'lost after']],
    ['it comes late, and is repeated meanwhile', ['late', 'late', 'late']],
  ])('counts a hold once when %s', async (_what, fates) => {
    const books = await openBooks(shared.store, 100n * CENT)
    await limitKey(books, { requests: 5n, day: 5n * CENT })
    const left = [...fates]
    const line = behindLine(shared.store, () => left.shift() ?? 'arrives')
    const ledger = new Ledger(line.store)
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => hold(books, CENT, ledger)))
    await line.land()
    expect(outcomes.filter(isHeld)).toHaveLength(5)
    for (const held of outcomes.filter(isHeld)) await end({ ...held, ledger: new Ledger(shared.store) }, 1n)
    expect((await limitsOf(books)).key).toMatchObject({
      requests: { room: 0n, held: 0n, settled: 5n },
      day: { room: 5n * CENT - 5n, held: 0n, settled: 5n },
    })
    await expectSound(books)
  })
})

describe('what a job gives back', () => {
  it('is its place, the tokens it did not use and the money it did not cost; never the request', async () => {
    const books = await openBooks(shared.store, 100n * CENT)
    await limitAccount(books, { jobs: 1n, tokens: 1000n, requests: 10n, day: 10n * CENT })
    const job = await hold(books, CENT, new Ledger(shared.store), 900n)
    expect((await hold(books)).outcome).toMatchObject({ held: false, full: { kind: 'jobs' } })
    await end(job, 3n, 250n)
    expect((await limitsOf(books)).account).toMatchObject({
      jobs: { room: 1n, held: 0n },
      tokens: { room: 750n, held: 0n, settled: 250n },
      requests: { room: 9n, held: 0n, settled: 1n },
      day: { room: 10n * CENT - 3n, held: 0n, settled: 3n },
    })
    await end(await hold(books, CENT, new Ledger(shared.store), 750n))
    expect((await limitsOf(books)).account).toMatchObject({ tokens: { room: 750n }, requests: { room: 8n } })
    await expectSound(books)
  })

  it('comes back once, though everybody finishes the job', async () => {
    const books = await openBooks(shared.store, 100n * CENT)
    await limitKey(books, { jobs: 3n, day: 5n * CENT })
    const job = await hold(books)
    await end(job, 1n)
    await Promise.all([1, 2, 3].map(() => end({ ...job, ledger: new Ledger(shared.store) }, 1n)))
    expect((await limitsOf(books)).key).toMatchObject({ jobs: { room: 3n }, day: { room: 5n * CENT - 1n } })
  })

  it('lets a caller that goes from router to router make one call after the other', async () => {
    const books = await openBooks(shared.store, 100n * CENT)
    await limitKey(books, { jobs: 1n })
    const ledgers = [new Ledger(shared.store), new Ledger(shared.store)]
    for (let turn = 0; turn < 4; turn++) {
      const job = await hold(books, CENT, ledgers[turn % 2])
      expect(isHeld(job)).toBe(true)
      // The answer goes out with the decision; what follows comes a moment later.
      void end(job, 1n)
    }
  })
})

describe('a window', () => {
  it('of a day begins anew at midnight of UTC, once, whichever of many routers comes first', async () => {
    setClock(NOON)
    const books = await openBooks(shared.store, 1000n * CENT)
    await limitKey(books, { day: 5n * CENT })
    await limitAccount(books, { month: 8n * CENT })
    const ledgers = [1, 2, 3].map(() => new Ledger(shared.store))
    const round = () => Promise.all(Array.from({ length: 12 }, (_, index) => hold(books, CENT, ledgers[index % 3])))
    expect((await round()).filter(isHeld)).toHaveLength(5)
    setClock(NOON + DAY_MS / 2 - 1)
    expect((await round()).filter(isHeld)).toHaveLength(0)
    setClock(NOON + DAY_MS / 2)
    expect((await round()).filter(isHeld)).toHaveLength(3)
    setClock(Date.parse('2026-12-01T00:00:00Z'))
    expect((await round()).filter(isHeld)).toHaveLength(5)
    await expectSound(books)
  })

  it('gets back only what was held in it: yesterday’s jobs that end today leave today as it is', async () => {
    setClock(NOON)
    const books = await openBooks(shared.store, 1000n * CENT)
    await limitKey(books, { day: 5n * CENT, month: 50n * CENT })
    const yesterday = await Promise.all([hold(books, 2n * CENT), hold(books, 2n * CENT)])
    setClock(NOON + DAY_MS)
    const today = await hold(books, 4n * CENT)
    for (const job of yesterday) await end(job, CENT)
    expect((await limitsOf(books)).key).toMatchObject({
      day: { window: '2026-11-22', room: CENT, held: 4n * CENT, settled: 0n },
      month: { window: '2026-11', held: 4n * CENT, settled: 2n * CENT },
    })
    await end(today, 3n * CENT)
    expect((await limitsOf(books)).key.day).toMatchObject({ room: 2n * CENT, held: 0n, settled: 3n * CENT })
    await expectSound(books)
  })

  it('that has not begun anew yet still takes what its own jobs give back', async () => {
    setClock(NOON)
    const books = await openBooks(shared.store, 1000n * CENT)
    await limitKey(books, { day: 5n * CENT })
    const job = await hold(books, 5n * CENT)
    setClock(NOON + DAY_MS)
    await end(job, CENT)
    expect((await limitsOf(books)).key.day).toMatchObject({ window: '2026-11-21', settled: CENT, held: 0n })
    expect(isHeld(await hold(books, 5n * CENT))).toBe(true)
    await expectSound(books)
  })

  it('of a minute begins with its first call', async () => {
    setClock(NOON + 45_000)
    const books = await openBooks(shared.store, 1000n * CENT)
    await limitKey(books, { requests: 2n })
    const ledger = () => new Ledger(shared.store)
    expect([isHeld(await hold(books, 1n, ledger())), isHeld(await hold(books, 1n, ledger()))]).toEqual([true, true])
    setClock(NOON + 104_999)
    expect((await hold(books, 1n, ledger())).outcome).toMatchObject({
      full: { resets_at: new Date(NOON + 105_000) },
    })
    setClock(NOON + 105_000)
    expect(isHeld(await hold(books, 1n, ledger()))).toBe(true)
  })

  it('never goes back, though the clock of a router does', async () => {
    setClock(NOON + DAY_MS)
    const books = await openBooks(shared.store, 1000n * CENT)
    await limitKey(books, { day: 2n * CENT })
    expect(isHeld(await hold(books))).toBe(true)
    setClock(NOON)
    expect(isHeld(await hold(books))).toBe(true)
    expect(isHeld(await hold(books))).toBe(false)
    expect((await limitsOf(books)).key.day?.window).toBe('2026-11-22')
  })
})

describe('a flood of calls over a limit of requests', () => {
  it('is refused without the store, until the minute is over', async () => {
    const books = await openBooks(shared.store, 100n * CENT)
    await limitKey(books, { requests: 1n })
    const ledger = new Ledger(shared.store)
    await hold(books, CENT, ledger)
    expect(ledger.refusal(books.key_id)).toBeUndefined()
    await hold(books, CENT, ledger)
    expect(ledger.refusal(books.key_id)).toMatchObject({ full: { kind: 'requests' } })
  })
})

describe('verify finds', { timeout: 30_000 }, () => {
  const harms: [string, string, Record<string, bigint>][] = [
    ['a nano-dollar more room in a day', 'limit of', { 'day.room': 1n }],
    ['a nano-dollar held too much in a month', 'held in', { 'month.held': 1n, 'month.room': -1n }],
    ['a nano-dollar settled too much in a day', 'settled in', { 'day.settled': 1n, 'day.room': -1n }],
    ['a job that is not there', 'held in', { 'jobs.held': 1n, 'jobs.room': -1n }],
  ]
  it.each(harms)('%s', async (_harm, what, change) => {
    const books = await openBooks(shared.store, 100n * CENT)
    await limitKey(books, { day: 9n * CENT, month: 9n * CENT, jobs: 5n })
    await end(await hold(books), 7n)
    await hold(books)
    await expectSound(books)
    const field = `keys.${books.key_id}.limits`
    const $inc = Object.fromEntries(Object.entries(change).map(([name, amount]) => [`${field}.${name}`, amount]))
    await shared.store.accounts.updateOne({ _id: books.account_id }, { $inc })
    const { drift } = await verify(shared.store, 100)
    const own = drift.filter(({ account_id }) => account_id === books.account_id)
    expect(own.map((each) => each.what)).toContainEqual(expect.stringContaining(what))
    await shared.store.accounts.deleteOne({ _id: books.account_id })
    await shared.store.entries.deleteMany({ account_id: books.account_id })
  })
})

/** What a limit should be, in a few lines: the sum of what was held and charged in the window that counts. */
class Model {
  readonly #limit: Record<string, bigint>
  readonly #used: Record<string, { window: string; amount: bigint }> = {}
  constructor(limit: Record<string, bigint>) {
    this.#limit = limit
  }
  #window(kind: string, at_ms: number): string {
    return kind === 'jobs' ? 'always' : new Date(at_ms).toISOString().slice(0, kind === 'day' ? 10 : 7)
  }
  #of(kind: string, at_ms: number) {
    const window = this.#window(kind, at_ms)
    const known = this.#used[kind]
    if (known?.window === window) return known
    const fresh = { window, amount: 0n }
    this.#used[kind] = fresh
    return fresh
  }
  take(at_ms: number, amount: bigint): boolean {
    const needs = Object.keys(this.#limit).map((kind) => [kind, kind === 'jobs' ? 1n : amount] as const)
    const fits = needs.every(([kind, need]) => this.#of(kind, at_ms).amount + need <= (this.#limit[kind] ?? 0n))
    if (fits) for (const [kind, need] of needs) this.#of(kind, at_ms).amount += need
    return fits
  }
  end(held_at_ms: number, amount: bigint, cost: bigint): void {
    for (const kind of Object.keys(this.#limit)) {
      // Whoever holds next begins the window anew; until then the old one stands.
      const used = this.#used[kind]
      if (!used || used.window !== this.#window(kind, held_at_ms)) continue
      used.amount -= kind === 'jobs' ? 1n : amount - cost
    }
  }
}

describe('any sequence of holds, ends, days and months', () => {
  it('keeps the limits as a simple model does', { timeout: 120_000 }, async () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('hold' as const), amount: fc.bigInt({ min: 1n, max: 6n }) }),
      },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), share: fc.nat(100), which: fc.nat(20) }) },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 400 }) }),
      },
    )
    const limits = fc.record({ day: fc.bigInt(5n, 15n), month: fc.bigInt(10n, 40n), jobs: fc.bigInt(2n, 6n) })
    const plan = fc.record({ limits, steps: fc.array(step, { minLength: 5, maxLength: 25 }) })
    await fc.assert(
      fc.asyncProperty(plan, async ({ limits, steps }) => {
        let now_ms = NOON
        setClock(now_ms)
        const books = await openBooks(shared.store, 1_000_000n)
        await limitKey(books, limits)
        const model = new Model({ ...limits })
        const ledgers = [new Ledger(shared.store), new Ledger(shared.store)]
        const open: { job: Held; at_ms: number }[] = []
        for (const [index, each] of steps.entries()) {
          if (each.do === 'wait') {
            now_ms += each.hours * 3600_000
            setClock(now_ms)
          } else if (each.do === 'hold') {
            const job = await hold(books, each.amount, ledgers[index % 2])
            expect(isHeld(job)).toBe(model.take(now_ms, each.amount))
            if (isHeld(job)) open.push({ job, at_ms: now_ms })
          } else if (open.length > 0) {
            const [{ job, at_ms } = { job: undefined, at_ms: 0 }] = open.splice(each.which % open.length, 1)
            if (!job) continue
            const cost = (job.amount * BigInt(each.share)) / 100n
            await end(job, each.share === 0 ? undefined : cost)
            model.end(at_ms, job.amount, each.share === 0 ? 0n : cost)
          }
        }
        expect(balances(await accountOf(books))).toBe(true)
        await shared.store.accounts.deleteOne({ _id: books.account_id })
        await shared.store.keys.deleteMany({ account_id: books.account_id })
        await shared.store.entries.deleteMany({ account_id: books.account_id })
      }),
      { numRuns: Number(process.env.LEDGER_RUNS ?? 15), seed: Number(process.env.LEDGER_SEED ?? 20261121) },
    )
  })
})

describe('a nonce', () => {
  it('of a hold without limits tells nothing but itself', async () => {
    const books = await openBooks(shared.store, CENT)
    const { outcome } = await hold(books)
    expect(outcome).toEqual({ held: true, nonce: expect.stringMatching(/^[0-9a-f-]{36}$/) })
  })
})
