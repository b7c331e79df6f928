// The protocol as a whole under what can go wrong: several routers on one account, writes that are lost or come late,
// routers that die between any two steps, deciders that disagree. When all is quiet the books are exact.
import fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Services } from '../../src/flow/services.ts'
import { Works } from '../../src/flow/work.ts'
import { recoverJobsOf } from '../../src/flow/worker/recover.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { verify } from '../../src/ledger/verify.ts'
import { StoreUnavailable } from '../../src/ledger/writes.ts'
import type { JobRecord } from '../../src/store/jobs.ts'
import { type TestStore, testStore } from '../support/store.ts'
import {
  accountOf,
  type Books,
  balances,
  behindLine,
  type Fate,
  insertJob,
  type Line,
  openBooks,
  sum,
} from './books.ts'

const HOLD = 1_000n
const JOBS = 6

/** The same few every time; more, and others, by hand. */
const RUNS = Number(process.env.LEDGER_RUNS ?? 20)
const SEED = Number(process.env.LEDGER_SEED ?? 20261121)

let shared: TestStore
beforeAll(async () => {
  shared = await testStore()
})
afterAll(() => shared.close())

interface Plan {
  /** How many of the jobs the account can pay for. */
  affordable: number
  /** One for each write of each router, in order; afterwards they arrive. */
  fates: Fate[][]
  jobs: JobPlan[]
  /** After how many steps of all jobs what is late arrives. */
  landings: number[]
}

interface JobPlan {
  /** Which router brings it. */
  router: number
  /** What each of several deciders wants: a cost, or nothing. */
  deciders: { router: number; cost: bigint | null }[]
  /** Before which of its steps its router dies; beyond its steps: it lives. */
  dies_at: number
}

const router = fc.integer({ min: 0, max: 2 })
const fate = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Fate>('arrives') },
  { weight: 1, arbitrary: fc.constant<Fate>('lost before') },
  { weight: 1, arbitrary: fc.constant<Fate>('lost after') },
  { weight: 1, arbitrary: fc.constant<Fate>('late') },
)
const plans: fc.Arbitrary<Plan> = fc.record({
  affordable: fc.integer({ min: 1, max: JOBS }),
  fates: fc.array(fc.array(fate, { minLength: 4, maxLength: 20 }), { minLength: 3, maxLength: 3 }),
  jobs: fc.array(
    fc.record({
      router,
      deciders: fc.array(fc.record({ router, cost: fc.option(fc.bigInt({ min: 0n, max: HOLD })) }), {
        minLength: 1,
        maxLength: 3,
      }),
      dies_at: fc.integer({ min: 1, max: 8 }),
    }),
    { minLength: JOBS, maxLength: JOBS },
  ),
  landings: fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 4 }),
})

class Death extends Error {}

class Run {
  readonly books: Books
  readonly #lines: Line[]
  readonly #ledgers: Ledger[]
  readonly #landings: Set<number>
  #steps = 0

  constructor(books: Books, plan: Plan) {
    this.books = books
    this.#lines = plan.fates.map((fates) => {
      const left = [...fates]
      return behindLine(books.store, () => left.shift() ?? 'arrives')
    })
    this.#ledgers = this.#lines.map(({ store }) => new Ledger(store))
    this.#landings = new Set(plan.landings)
  }

  async land(): Promise<void> {
    for (const line of this.#lines) await line.land()
  }

  ledger(index: number): Ledger {
    const ledger = this.#ledgers[index]
    if (!ledger) throw new Error('There are three routers.')
    return ledger
  }

  /** A job as the flow works on it, until its router dies. */
  async work(plan: JobPlan): Promise<void> {
    const job = await insertJob(this.books, HOLD)
    let steps = 0
    const step = async <Result>(act: () => Promise<Result>): Promise<Result> => {
      if (++steps >= plan.dies_at) throw new Death()
      if (this.#landings.has(++this.#steps)) await this.land()
      return act()
    }
    try {
      const { _id: job_id, account_id, key_id } = job
      const outcome = await step(() => this.ledger(plan.router).hold({ job_id, account_id, key_id, amount: HOLD }))
      const nonce = outcome.held ? outcome.nonce : ''
      const wishes = outcome.held ? plan.deciders : [{ router: plan.router, cost: null }]
      await Promise.all(wishes.map((wish) => this.#decide(job, nonce, wish, step)))
    } catch (error) {
      if (!(error instanceof Death || error instanceof StoreUnavailable)) throw error
    }
  }

  async #decide(
    { _id: job_id, account_id, key_id, hold }: JobRecord,
    nonce: string,
    { router, cost }: JobPlan['deciders'][number],
    step: <Result>(act: () => Promise<Result>) => Promise<Result>,
  ): Promise<void> {
    const charge = cost === null ? undefined : { cost, list_cost: cost, lines: [] }
    const status = charge ? ('completed' as const) : ('failed' as const)
    const ledger = this.ledger(router)
    const won = await step(() => ledger.decide({ job_id, nonce, status, by: 'rtr_test', ...(charge && { charge }) }))
    if (!won) return
    const decided = { job_id, account_id, key_id, nonce, hold, cost: cost ?? undefined, decided_at: new Date() }
    await step(() => ledger.finish(decided))
    await step(() => this.ledger((router + 1) % 3).finish(decided))
  }

  /** What another router does about all of it: the jobs of the dead, then holds that belong to no open job. */
  async recover(): Promise<void> {
    const { store, account_id } = this.books
    const ledger = new Ledger(store)
    const services = {
      store,
      ledger,
      router_id: 'rtr_other',
      works: new Works(),
      wake() {},
      log: pino({ level: 'silent' }),
    }
    await recoverJobsOf(services as unknown as Services, ['rtr_test', 'rtr_other'])
    const { holds } = await accountOf(this.books)
    for (const [job_id, { nonce, amount, key_id }] of Object.entries(holds)) {
      const hold = { job_id, account_id, key_id, nonce, hold: amount }
      await ledger.finish({ ...hold, cost: undefined, decided_at: new Date() })
    }
  }
}

describe('the protocol', () => {
  it('keeps the books exact whatever is lost, late, repeated, contradicted or killed', {
    timeout: RUNS * 5000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const books = await openBooks(shared.store, BigInt(plan.affordable) * HOLD)
        const run = new Run(books, plan)
        await Promise.all(plan.jobs.map((job) => run.work(job)))
        expect(balances(await accountOf(books))).toBe(true)
        await run.recover()
        await run.land()
        await run.recover()
        await proveQuiet(books)
      }),
      { numRuns: RUNS, seed: SEED },
    )
    const { drift } = await verify(shared.store)
    expect(drift).toEqual([])
  })
})

async function proveQuiet(books: Books): Promise<void> {
  const { store, account_id } = books
  const account = await accountOf(books)
  expect(balances(account)).toBe(true)
  expect(account.holds).toEqual({})
  const jobs = await store.jobs.find({ account_id }).toArray()
  const entries = await store.entries.find({ account_id, type: 'settle' }).toArray()
  for (const { _id, state, cost, decision } of jobs) {
    expect(['settled', 'released']).toContain(state)
    expect(decision).not.toBeNull()
    const own = entries.filter(({ job_id }) => job_id === _id)
    expect(own.map(({ amount }) => amount)).toEqual(state === 'settled' ? [cost] : [])
  }
  expect(account.settled).toBe(sum(entries.map(({ amount }) => amount)))
}
