// The ledger: everything that moves money, in one place. It holds, decides, settles and releases by the protocol of
// docs/architecture.md; it knows no provider, no price and no request.

import type { AccountRecord } from '../store/accounts.ts'
import type { Batch } from '../store/batch.ts'
import type { Store } from '../store/connect.ts'
import { type DecisionRequest, decideBatch, type Verdict } from './decide.ts'
import { type BeforeClose, type Decided, finishBatch } from './finish.ts'
import { type HoldOutcome, type HoldRequest, holdBatch } from './hold.ts'
import { repeatUntilKnown, StoreUnavailable } from './writes.ts'

/** What follows a decision may be late by this much (design: at most 250 ms, the writes themselves included). */
const FINISH_LINGER_MS = 100
/** How often a hold is tried whose refusal is contradicted by the account. */
const HOLD_TRIES = 10

export class Ledger {
  readonly #store: Store
  readonly #holds: Batch<HoldRequest, HoldOutcome>
  readonly #decisions: Batch<DecisionRequest, Verdict>
  readonly #finishing: Batch<Decided, void>

  constructor(store: Store, beforeClose?: BeforeClose) {
    this.#store = store
    this.#holds = holdBatch(store)
    this.#decisions = decideBatch(store)
    this.#finishing = finishBatch(store, FINISH_LINGER_MS, beforeClose)
  }

  /** Sets credit aside for a job, or says why not. Throws StoreUnavailable. */
  async hold(request: HoldRequest): Promise<HoldOutcome> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#holds.add(request)
      if (outcome.held) return outcome
      // Refused, and yet enough is there: another job gave it back between the refusal and the look at the account.
      const enough = outcome.available >= request.amount
      if (attempt > 1 && (!enough || attempt === HOLD_TRIES)) return outcome
      // Credit that finished jobs are about to give back counts: their release may be waiting in our own batch.
      await this.flush()
    }
  }

  /** Decides a job; true if this decision is the one that stands. Throws StoreUnavailable: then nothing is known. */
  async decide(request: DecisionRequest): Promise<boolean> {
    const verdict = await this.#decisions.add(request)
    if (verdict === 'undecided')
      throw new StoreUnavailable(`The store did not take the decision about job ${request.job_id}.`)
    return verdict === 'won'
  }

  /** Applies, journals and closes what was decided, a moment later. Only for decisions that are durable. */
  finish(decided: Decided): Promise<void> {
    return this.#finishing.add(decided)
  }

  /** Sends what this router has to finish by now, and waits for it. */
  flush(): Promise<void> {
    return this.#finishing.flush()
  }

  /** The account as it stands, with what this router still had to finish. */
  async balance(account_id: string): Promise<AccountRecord | undefined> {
    await this.flush()
    const account = await repeatUntilKnown(() =>
      this.#store.accounts.findOne({ _id: account_id }, { projection: { holds: 0, applied: 0 } }),
    )
    return account ?? undefined
  }
}
