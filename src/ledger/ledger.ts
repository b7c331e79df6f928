// The ledger: everything that moves money, in one place. It holds, decides, settles and releases by the protocol of
// docs/architecture.md; it knows no provider, no price and no request.

import { setTimeout as pause } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { AccountRecord, Limits } from '../store/accounts.ts'
import type { Batch } from '../store/batch.ts'
import type { Store } from '../store/connect.ts'
import { type DecisionRequest, decideBatch, type Verdict } from './decide.ts'
import { type BeforeClose, type Decided, finishBatch } from './finish.ts'
import { type HoldOutcome, type HoldRequest, holdBatch } from './hold.ts'
import type { LimitOwner } from './limits.ts'
import { repeatUntilKnown, StoreUnavailable } from './writes.ts'

/** What follows a decision may be late by this much (design: at most 250 ms, the writes themselves included). */
const FINISH_LINGER_MS = 100
/** How long a refused hold waits for jobs that other routers have decided and not yet finished. */
const OTHERS_FINISH_MS = 2 * FINISH_LINGER_MS
/** How long a limit of requests that was found full is taken to be so, unless its minute is over before. */
const FULL_MS = 1000
const REMEMBERED_MAX = 10_000
/** How often a hold is tried whose refusal is contradicted by the account. */
const HOLD_TRIES = 10

type Refusal = Extract<HoldOutcome, { held: false }>

export class Ledger {
  readonly #store: Store
  readonly #holds: Batch<HoldRequest, HoldOutcome>
  readonly #decisions: Batch<DecisionRequest, Verdict>
  readonly #finishing: Batch<Decided, void>
  /** Limits of requests that were found full, by key: a flood of calls is refused without the store. */
  readonly #full = new LRUCache<string, Refusal>({ max: REMEMBERED_MAX, ttl: FULL_MS })

  constructor(store: Store, beforeClose?: BeforeClose) {
    this.#store = store
    this.#holds = holdBatch(store)
    this.#decisions = decideBatch(store)
    this.#finishing = finishBatch(store, FINISH_LINGER_MS, beforeClose)
  }

  /** Sets credit aside for a job and counts it in the limits, or says why not. Throws StoreUnavailable. */
  async hold(request: HoldRequest): Promise<HoldOutcome> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#holds.add(request)
      if (outcome.held) return outcome
      const { full } = outcome
      // Refused, and yet enough is there: another job gave it back between the refusal and the look at the account.
      const enough = outcome.available >= (full?.needed ?? request.amount)
      if (full?.kind === 'requests' && !enough) return this.#remember(request.key_id, outcome)
      if (attempt > 1 && (!enough || attempt === HOLD_TRIES)) return outcome
      // Credit that finished jobs are about to give back counts: their release may be waiting in our own batch.
      await this.flush()
      if (full?.kind === 'jobs') await pause(OTHERS_FINISH_MS)
    }
  }

  /** The refusal that a call of this key would meet, where that is known without asking. */
  refusal(key_id: string): Refusal | undefined {
    const known = this.#full.get(key_id)
    const resets_at = known?.full?.resets_at
    return resets_at && resets_at.getTime() > Date.now() ? known : undefined
  }

  #remember(key_id: string, outcome: Refusal): Refusal {
    this.#full.set(key_id, outcome)
    return outcome
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

  /** The limits of a key and of its account as they stand. */
  async limits(account_id: string, key_id: string): Promise<Record<LimitOwner, Limits | undefined>> {
    const projection = { limits: 1, [`keys.${key_id}.limits`]: 1 }
    const account = await repeatUntilKnown(() => this.#store.accounts.findOne({ _id: account_id }, { projection }))
    return { account: account?.limits, key: account?.keys?.[key_id]?.limits }
  }
}
