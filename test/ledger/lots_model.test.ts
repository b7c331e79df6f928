// Any sequence of grants, spending, expiry, refunds and taking back leaves lots and account as a simple model says, to the
// nano-dollar. A sequence that fails is named by its seed.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { grant } from '../../src/ledger/grants.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { allocate } from '../../src/ledger/lots.ts'
import { refund } from '../../src/ledger/refund.ts'
import { expireLots, reclaim } from '../../src/ledger/take.ts'
import { verify } from '../../src/ledger/verify.ts'
import { type TestStore, testStore } from '../support/store.ts'
import { accountOf, type Books, balances, insertJob, openBooks } from './books.ts'

const SEEDS = 10
const STEPS = 24
const HOUR_MS = 3_600_000

let shared: TestStore
beforeAll(async () => {
  shared = await testStore()
})
afterAll(() => shared.close())

/** Whole numbers below n, the same for a seed (mulberry32). */
function dice(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n
  }
}

interface ModelLot {
  id: string
  /** Hours from the beginning; Infinity for never. */
  hour: number
  paid: boolean
  left: number
}
interface ModelJob {
  id: string
  nonce: string
  held: number
  /** What bore its charge, in order; undefined while it runs. */
  bore?: [ModelLot, number][]
  refunded: number
}

/** The model does at once, with plain numbers, what the ledger does in steps. */
class Model {
  lots: ModelLot[] = []
  jobs: ModelJob[] = []
  get held() {
    return this.jobs.reduce((sum, job) => sum + (job.bore ? 0 : job.held), 0)
  }
  get left() {
    return this.lots.reduce((sum, { left }) => sum + left, 0)
  }
  get ordered() {
    return this.lots.toSorted((a, b) => a.hour - b.hour || Number(a.paid) - Number(b.paid))
  }
  settle(job: ModelJob, cost: number) {
    job.bore = []
    for (const lot of this.ordered) {
      const share = Math.min(lot.left, cost)
      if (share > 0) job.bore.push([lot, share])
      lot.left -= share
      cost -= share
    }
    job.held = 0
  }
  refund(job: ModelJob, amount: number) {
    job.refunded += amount
    for (const part of (job.bore ?? []).toReversed()) {
      const share = Math.min(part[1], amount)
      part[0].left += share
      part[1] -= share
      amount -= share
    }
  }
  expire(hour: number) {
    let keep = this.held
    for (const lot of this.ordered.filter((each) => each.hour <= hour)) {
      const kept = Math.min(lot.left, keep)
      keep -= kept
      lot.left = kept
    }
  }
}

class Run {
  readonly model = new Model()
  readonly began = Date.now()
  readonly #books: Books
  readonly #ledger: Ledger
  readonly #roll: (n: number) => number
  #made = 0

  constructor(books: Books, roll: (n: number) => number) {
    this.#books = books
    this.#ledger = new Ledger(books.store)
    this.#roll = roll
  }

  at = (hour: number) => new Date(this.began + hour * HOUR_MS)

  async step(): Promise<void> {
    const running = this.model.jobs.filter(({ bore }) => !bore)
    const charged = this.model.jobs.filter((job) => job.bore?.some(([, share]) => share > 0))
    const roll = this.#roll(100)
    if (roll < 25 || this.model.lots.length === 0) return this.#grant()
    if (roll < 55 && this.model.left > this.model.held) return this.#hold()
    if (roll < 75 && running.length > 0) return this.#end(this.#pick(running))
    if (roll < 83 && charged.length > 0) return this.#refund(this.#pick(charged))
    if (roll < 91) return this.#expire()
    return this.#takeBack(this.#pick(this.model.lots))
  }

  #pick = <Item>(items: Item[]): Item => items[this.#roll(items.length)] as Item

  async #grant() {
    const { store, account_id } = this.#books
    const id = `${account_id}:${String(this.#made++).padStart(4, '0')}`
    // Each its own hour, so that the order does not hang on the clock.
    const hour = this.#roll(3) === 0 ? Infinity : 1000 + this.#roll(1000)
    const kind = this.#roll(2) === 0 ? ('paid' as const) : ('promotional' as const)
    const left = 1 + this.#roll(100)
    const expires_at = hour === Infinity ? null : this.at(hour)
    const terms = { kind, expires_at, source: { type: 'grant' as const, id: null } }
    await grant(store, { id, account_id, amount: BigInt(left), reason: 'r', by: 'test', terms })
    this.model.lots.push({ id, hour, paid: kind === 'paid', left })
  }

  async #hold() {
    const { account_id, key_id } = this.#books
    const held = 1 + this.#roll(this.model.left - this.model.held)
    const { _id: id } = await insertJob(this.#books, BigInt(held))
    const outcome = await this.#ledger.hold({ job_id: id, account_id, key_id, amount: BigInt(held) })
    if (!outcome.held) throw new Error(outcome.reason)
    this.model.jobs.push({ id, nonce: outcome.nonce, held, refunded: 0 })
  }

  async #end(job: ModelJob) {
    const { account_id, key_id } = this.#books
    const fails = this.#roll(4) === 0
    const cost = this.#roll(job.held + 1)
    const charge = { cost: BigInt(cost), list_cost: BigInt(cost), lines: [] }
    const { id: job_id, nonce } = job
    const status = fails ? ('failed' as const) : ('completed' as const)
    await this.#ledger.decide({ job_id, nonce, status, by: 'rtr_test', ...(!fails && { charge }) })
    const decided = { job_id, account_id, key_id, nonce, hold: BigInt(job.held), decided_at: new Date() }
    const finished = this.#ledger.finish({ ...decided, cost: fails ? undefined : charge.cost })
    await this.#ledger.flush()
    await finished
    // In the order in which they were decided, whatever the clock's grain.
    await allocate(this.#books.store, account_id)
    this.model.settle(job, fails ? 0 : cost)
  }

  async #refund(job: ModelJob) {
    const left = (job.bore ?? []).reduce((sum, [, share]) => sum + share, 0)
    const amount = 1 + this.#roll(left)
    const id = `${job.id}:r${job.refunded}`
    const given = await refund(this.#books.store, {
      id,
      job_id: job.id,
      amount: BigInt(amount),
      reason: 'r',
      by: 'test',
    })
    expect(given.refunded).toBe(true)
    await allocate(this.#books.store, this.#books.account_id)
    this.model.refund(job, amount)
  }

  async #expire() {
    const hour = 900 + this.#roll(600)
    await expireLots(this.#books.store, this.#books.account_id, this.at(hour))
    this.model.expire(hour)
  }

  async #takeBack(lot: ModelLot) {
    const amount = 1 + this.#roll(50)
    const { store, account_id } = this.#books
    const id = `${account_id}:t${this.#made++}`
    const request = { id, account_id, lot: lot.id, amount: BigInt(amount), reason: 'r', by: 'test' }
    const outcome = await reclaim(store, request)
    const may = lot.left >= amount && this.model.left - this.model.held >= amount
    expect(outcome?.taken).toBe(may)
    if (may) lot.left -= amount
  }

  async check(): Promise<void> {
    const account = await accountOf(this.#books)
    expect(balances(account)).toBe(true)
    const lots = await this.#books.store.lots.find({ account_id: account._id }).toArray()
    const found = Object.fromEntries(lots.map(({ _id, remaining }) => [_id, Number(remaining)]))
    expect(found).toEqual(Object.fromEntries(this.model.lots.map(({ id, left }) => [id, left])))
    expect([account.held, account.available]).toEqual([
      BigInt(this.model.held),
      BigInt(this.model.left - this.model.held),
    ])
  }
}

it.each(Array.from({ length: SEEDS }, (_, index) => index + 1))(
  'sequence %i ends as the model says',
  { timeout: 60_000 },
  async (seed) => {
    const run = new Run(await openBooks(shared.store, 0n), dice(seed))
    for (let step = 0; step < STEPS; step++) {
      await run.step()
      await run.check()
    }
  },
)

it('and the books add up', { timeout: 60_000 }, async () => {
  expect(await verify(shared.store)).toMatchObject({ ok: true, drift: [] })
})
