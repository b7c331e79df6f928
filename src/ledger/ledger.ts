// The ledger: everything that moves money, in one place. It holds, decides, settles and releases by the protocol of
// docs/architecture.md; it knows no provider, no price and no request.

import type { AccountRecord } from '../store/accounts.ts'
import type { Batch } from '../store/batch.ts'
import type { Store } from '../store/connect.ts'
import { type DecisionRequest, decideBatch } from './decide.ts'
import { type Decided, finishBatch } from './finish.ts'
import { type HoldOutcome, type HoldRequest, holdBatch } from './hold.ts'
import { repeatUntilKnown } from './writes.ts'

/** What follows a decision may be late by this much (design: at most 250 ms, the writes themselves included). */
const FINISH_LINGER_MS = 100

export class Ledger {
  readonly #store: Store
  readonly #holds: Batch<HoldRequest, HoldOutcome>
  readonly #decisions: Batch<DecisionRequest, boolean>
  readonly #finishing: Batch<Decided, void>

  constructor(store: Store) {
    this.#store = store
    this.#holds = holdBatch(store)
    this.#decisions = decideBatch(store)
    this.#finishing = finishBatch(store, FINISH_LINGER_MS)
  }

  /** Sets credit aside for a job, or says why not. Throws StoreUnavailable. */
  async hold(request: HoldRequest): Promise<HoldOutcome> {
    const outcome = await this.#holds.add(request)
    if (outcome.held) return outcome
    // Credit that finished jobs are about to give back counts: their release may be waiting in our own batch.
    await this.flush()
    return this.#holds.add(request)
  }

  /** Decides a job; true if this decision is the one that stands. Throws StoreUnavailable: then nothing is known. */
  decide(request: DecisionRequest): Promise<boolean> {
    return this.#decisions.add(request)
  }

  /** Applies, journals and closes what was decided, a moment later. Only for decisions that are durable. */
  finish(decided: Decided): Promise<void> {
    return this.#finishing.add(decided)
  }

  /** Sends what this router still has to finish, and waits for it. */
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
