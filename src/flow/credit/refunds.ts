// Refunds by admins: a job's charge given back, or a purchase taken back as far as it is unspent. Each once for its
// Idempotency-Key, in the ledger and in the audit trail.
import { hash } from 'node:crypto'
import { formatUsd, type NanoUsd } from '../../ledger/money.ts'
import { refund, refundable } from '../../ledger/refund.ts'
import { reclaim } from '../../ledger/take.ts'
import { repeatUntilKnown } from '../../ledger/writes.ts'
import type { JobRecord } from '../../store/jobs.ts'
import { audit } from '../account/audit.ts'
import { Failure } from '../failure.ts'
import { newId } from '../ids.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'
import { type LotServices, settleLots } from './lots.ts'

export interface RefundFields {
  /** Absent: all that is left. */
  amount: NanoUsd | undefined
  reason: string
  idempotency_key: string | undefined
}

export interface RefundView {
  id: string
  object: 'refund'
  job_id: string
  account_id: string
  amount_usd: string
  /** Of the job in all. */
  refunded_usd: string
  cost_usd: string
  available_usd: string
  reason: string
  at: number | null
}

/** Throws Failure job_not_found, job_not_finished, nothing_to_refund, refund_too_large and idempotency_key_reused. */
export async function refundJob(
  services: Pick<Services, 'store' | 'ledger'>,
  job_id: string,
  fields: RefundFields,
  by: string,
): Promise<RefundView> {
  const { store, ledger } = services
  const { reason, idempotency_key } = fields
  await ledger.flush()
  const id = idempotency_key === undefined ? newId('rf') : idOf('rf', job_id, idempotency_key)
  const job = await repeatUntilKnown(() => store.jobs.findOne({ _id: job_id }))
  const known = job?.refunds?.find((each) => each.id === id)
  if (!job) throw notThere(job_id)
  const amount = fields.amount ?? known?.amount ?? refundable(job)
  if (!known) checkRefundable(job, amount)
  const outcome = await refund(store, { id, job_id, amount, reason, by })
  if (!outcome.refunded) {
    if (outcome.job) checkRefundable(outcome.job, amount)
    throw notThere(job_id)
  }
  const { refund: given, job: refunded, account } = outcome
  if (given.amount !== amount || given.reason !== reason) throw keyReused()
  const view: RefundView = {
    ...{ id, object: 'refund', job_id, account_id: job.account_id, amount_usd: formatUsd(given.amount) },
    refunded_usd: formatUsd(refunded.refunded ?? 0n),
    cost_usd: formatUsd(refunded.cost ?? 0n),
    available_usd: formatUsd(account?.available ?? 0n),
    reason,
    at: seconds(given.at),
  }
  if (!known) await audit(services, { by, action: 'job.refund', subject: job_id, detail: { ...view } })
  return view
}

function checkRefundable(job: JobRecord, amount: NanoUsd): void {
  const { _id, state, decision, cost } = job
  if (!decision || state === 'settling')
    throw new Failure(409, 'job_not_finished', `Job ${_id} is not settled yet. Ask again when it is.`)
  const left = refundable(job)
  if (left === 0n)
    throw new Failure(
      409,
      'nothing_to_refund',
      `Nothing is left to refund of job ${_id}: it was charged ${formatUsd(cost ?? 0n)} USD.`,
    )
  if (amount > left)
    throw new Failure(
      400,
      'refund_too_large',
      `Of job ${_id} ${formatUsd(left)} USD are left to refund, less than amount_usd. Leave amount_usd out to refund them all.`,
      { param: 'amount_usd', facts: { refundable_usd: formatUsd(left) } },
    )
}

export interface TakeBackView {
  id: string
  object: 'reclaim'
  lot_id: string
  account_id: string
  amount_usd: string
  available_usd: string
  reason: string
}

/** Of a lot: what was not spent of it. Throws Failure lot_not_found, lot_spent and idempotency_key_reused. */
export async function takeBack(
  services: LotServices,
  lot_id: string,
  { amount, reason, idempotency_key }: RefundFields,
  by: string,
): Promise<TakeBackView> {
  const { store, ledger } = services
  const id = idempotency_key === undefined ? newId('tb') : idOf('tb', lot_id, idempotency_key)
  const lot = await repeatUntilKnown(() => store.lots.findOne({ _id: lot_id }))
  if (!lot) throw new Failure(404, 'lot_not_found', `There is no lot '${lot_id.slice(0, 100)}'.`, { param: 'id' })
  const { account_id } = lot
  await settleLots(services, account_id)
  const known = await repeatUntilKnown(() => store.entries.findOne({ _id: id }))
  const wanted =
    amount ?? known?.amount ?? (await repeatUntilKnown(() => store.lots.findOne({ _id: lot_id })))?.remaining ?? 0n
  if (wanted === 0n) throw lotSpent(lot_id, 0n, 0n)
  const outcome = await reclaim(store, { id, account_id, lot: lot_id, amount: wanted, reason, by })
  if (!outcome) throw new Error(`Account ${account_id} is not in the store.`)
  if (!outcome.taken) throw lotSpent(lot_id, outcome.unspent, outcome.available)
  if (outcome.entry.amount !== wanted || outcome.entry.reason !== reason) throw keyReused()
  const account = await ledger.balance(account_id)
  const view: TakeBackView = {
    ...{ id, object: 'reclaim', lot_id, account_id, amount_usd: formatUsd(wanted) },
    available_usd: formatUsd(account?.available ?? 0n),
    reason,
  }
  if (!known) await audit(services, { by, action: 'lot.reclaim', subject: lot_id, detail: { ...view } })
  return view
}

const lotSpent = (lot_id: string, unspent: NanoUsd, available: NanoUsd) =>
  new Failure(
    409,
    'lot_spent',
    `Of lot ${lot_id} ${formatUsd(unspent)} USD are not spent, and ${formatUsd(available)} USD of the account are not held: no more can be taken back.`,
    { facts: { unspent_usd: formatUsd(unspent), available_usd: formatUsd(available) } },
  )

const notThere = (job_id: string) =>
  new Failure(404, 'job_not_found', `There is no job '${job_id.slice(0, 100)}'.`, { param: 'id' })

const idOf = (prefix: 'rf' | 'tb', subject: string, key: string) =>
  `${prefix}_${hash('sha256', `${subject} ${key}`).slice(0, 32)}`

const keyReused = () =>
  new Failure(
    422,
    'idempotency_key_reused',
    'This Idempotency-Key was used for something else. Send the same body, or use a fresh key.',
    { param: 'Idempotency-Key' },
  )
