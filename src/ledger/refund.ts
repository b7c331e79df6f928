// Refunds: a charge given back to the account, in whole or in part, once for each refund's id and never more than the job
// was charged. The job says first what will be given back; whoever finds that may finish it.
import type { AccountRecord, AppliedChange } from '../store/accounts.ts'
import type { Store } from '../store/connect.ts'
import type { JobRecord, JobRefund } from '../store/jobs.ts'
import { journalChanges } from './changes.ts'
import type { NanoUsd } from './money.ts'
import { repeatUntilKnown } from './writes.ts'

export interface RefundRequest {
  id: string
  job_id: string
  amount: NanoUsd
  reason: string
  by: string
}

export type RefundOutcome =
  | { refunded: true; refund: JobRefund; job: JobRecord; account: AccountRecord | undefined }
  /** `job`: undefined where there is none; not settled yet, or charged less than that beside what was given back. */
  | { refunded: false; job: JobRecord | undefined }

/** What may still be given back of a job. */
export const refundable = ({ state, cost, refunded = 0n }: Pick<JobRecord, 'state' | 'cost' | 'refunded'>): NanoUsd =>
  state === 'settled' && cost !== null ? cost - refunded : 0n

export async function refund(store: Store, request: RefundRequest): Promise<RefundOutcome> {
  const { id, job_id, amount, reason, by } = request
  for (;;) {
    const job = await repeatUntilKnown(() => store.jobs.findOne({ _id: job_id }))
    const known = job?.refunds?.find((each) => each.id === id)
    if (job && known) {
      return { refunded: true, refund: known, job, account: await finishRefunds(store, job) }
    }
    if (!job || amount > refundable(job)) return { refunded: false, job: job ?? undefined }
    // The claim: only one of two at once finds the job as it was read.
    const before = job.refunded ?? 0n
    const unchanged = job.refunded === undefined ? { refunded: { $exists: false } } : { refunded: before }
    const claimed: JobRefund = { id, amount, before, reason, by, at: new Date() }
    await repeatUntilKnown(() =>
      store.jobs.updateOne(
        { _id: job_id, state: 'settled', 'refunds.id': { $ne: id }, ...unchanged },
        { $set: { refunded: before + amount, refund_due: claimed.at }, $push: { refunds: claimed } },
      ),
    )
  }
}

/** Carries out what the job says was refunded; safe to repeat by anyone. Answers the account as it then stands. */
export async function finishRefunds(store: Store, job: JobRecord): Promise<AccountRecord | undefined> {
  const { _id, account_id, refunds = [], refunded } = job
  if (!job.refund_due) return (await repeatUntilKnown(() => store.accounts.findOne({ _id: account_id }))) ?? undefined
  for (const each of refunds) await apply(store, job, each)
  const account = await repeatUntilKnown(() => store.accounts.findOne({ _id: account_id }))
  if (account) await journalChanges(store, account)
  // Another refund in between has a sum of its own, and is not done yet.
  await repeatUntilKnown(() => store.jobs.updateOne({ _id, refunded } as never, { $unset: { refund_due: '' } }))
  return account ?? undefined
}

async function apply(store: Store, { _id: job_id, account_id, key_id }: JobRecord, refund: JobRefund): Promise<void> {
  const { id, amount } = refund
  // Looked up first: the account forgets a change a day after it was journaled.
  if (await repeatUntilKnown(() => store.entries.findOne({ _id: id }, { projection: { _id: 1 } }))) return
  const applied: AppliedChange = { ...refund, type: 'refund', job_id, key_id }
  await repeatUntilKnown(() =>
    store.accounts.updateOne(
      { _id: account_id, 'applied.id': { $ne: id }, settled: { $gte: amount } },
      {
        $inc: {
          available: amount,
          settled: -amount,
          // What the key may spend in all grows again; what it may in a day or a month does not.
          [`keys.${key_id}.room`]: amount,
          [`keys.${key_id}.settled`]: -amount,
        },
        $push: { applied },
      },
    ),
  )
}

/** Refunds whose router died on the way. */
export async function finishDueRefunds(store: Store, before: Date): Promise<void> {
  const due = await repeatUntilKnown(() =>
    store.jobs
      .find({ refund_due: { $lt: before } })
      .limit(100)
      .toArray(),
  )
  for (const job of due) await finishRefunds(store, job)
}
