// Ending a job: what it costs, the decision that says so (S5), and the hand-over of what follows to the ledger.
import type { Json, Usage } from '../contract.ts'
import type { Charge } from '../ledger/decide.ts'
import { faultPoint } from '../ledger/fault_point.ts'
import { formatUsd, type NanoUsd } from '../ledger/money.ts'
import { StoreUnavailable } from '../ledger/writes.ts'
import { cost, UnpricedUsage } from '../pricing/cost.ts'
import type { JobDecision, JobError, JobOutput, JobRecord } from '../store/jobs.ts'
import { keptTokens } from './account/limits.ts'
import type { AdmittedOffer } from './admit.ts'
import { Failure, failureOf } from './failure.ts'
import type { Services } from './services.ts'
import type { Work } from './work.ts'
import { outputsExpireAt } from './worker/expiry.ts'

export interface Delivered {
  /** What was consumed; undefined when nothing that is charged for was made (an empty answer). */
  usage: Usage | undefined
  status?: 'completed' | 'canceled'
  outputs?: JobOutput[]
  /** What is missing of what was asked for. */
  partial?: Json
}

/** Charges the job, durably, and answers the cost; undefined if the job was decided otherwise before (canceled, taken over). */
export async function settle(services: Services, work: Work, delivered: Delivered): Promise<NanoUsd | undefined> {
  const served = work.offers[work.job.offer] ?? work.offers[0]
  if (!served) throw new Error(`Job ${work.job._id} has no offer.`)
  const usage = delivered.usage && withRequestFacts(delivered.usage, served.estimate)
  const charge = chargeFor(services, work.job, served, usage)
  const outputs = delivered.outputs ?? []
  if (outputs.length > 0) work.job.expires_at = outputsExpireAt(services, work.job)
  const won = await decide(services, work, {
    status: delivered.status ?? 'completed',
    charge,
    ...(usage && { usage: usage as unknown as Json }),
    outputs,
    ...(delivered.partial !== undefined && { partial: delivered.partial }),
    ...(work.job.expires_at && { expires_at: work.job.expires_at }),
  })
  return won ? charge.cost : undefined
}

/** Gives the hold back; false if the job was decided otherwise before. */
export async function release(
  services: Services,
  work: Work,
  error: unknown,
  status: 'failed' | 'canceled' | 'expired',
): Promise<boolean> {
  return decide(services, work, { status, error: jobError(failureOf(error)) })
}

interface Ending {
  status: JobDecision['status']
  charge?: Charge
  error?: JobError
  usage?: Json
  partial?: Json
  outputs?: JobOutput[]
  expires_at?: Date
}

async function decide(services: Services, work: Work, ending: Ending): Promise<boolean> {
  const { job } = work
  const decided_at = new Date()
  work.decided = true
  if (ending.charge) faultPoint('K8')
  try {
    const won = await services.ledger.decide({
      job_id: job._id,
      nonce: job.nonce,
      by: services.router_id,
      offer: job.offer,
      attempts: job.attempts,
      ...(job.started_at && { started_at: job.started_at }),
      ...ending,
    })
    if (won) {
      if (ending.charge) faultPoint('K9')
      services.metrics.job(ending.status)
      const { charge, status, usage = null } = ending
      finishLater(services, job, { charged: charge?.cost, decided_at, status, usage })
    }
    services.works.end(work)
    return won
  } catch (error) {
    services.works.lose(work)
    throw ending.charge && error instanceof StoreUnavailable ? chargeUnknown(job._id, error) : error
  }
}

/** The one failure that may have cost something: the work is done, and the store did not say whether it knows. */
const chargeUnknown = (job_id: string, cause: StoreUnavailable) =>
  new Failure(
    503,
    'store_unavailable',
    `The store does not answer, so whether this call was charged is not known yet. GET /v1/jobs/${job_id} tells in a moment.`,
    { cause },
  )

export interface Ended {
  charged: NanoUsd | undefined
  decided_at: Date
  status: JobDecision['status']
  usage: Json
}

/** What follows a durable decision, in the background: if it fails here, recovery redoes it from the job. */
function finishLater(services: Services, job: JobRecord, ended: Ended): void {
  finish(services, job, ended).catch((error: unknown) =>
    services.log.error({ job: job._id, error }, 'A decided job could not be finished yet; recovery will do it.'),
  )
}

/** Safe to repeat. The request goes first: once the job is closed nobody looks for it any more. */
export async function finish(
  { ledger, storage, log }: Services,
  job: JobRecord,
  { charged, decided_at, status, usage }: Ended,
): Promise<void> {
  const { _id: job_id, account_id, key_id, nonce, hold, webhook_url } = job
  if (job.request_key !== null) {
    const forget = (error: unknown) => log.error({ job: job_id, error }, 'The request of a job could not be removed.')
    await storage.remove(job.request_key).catch(forget)
  }
  const ending = { status, ...(webhook_url !== undefined && { webhook_url }) }
  const tokens = keptTokens(usage)
  const counted = tokens === undefined ? {} : { tokens }
  await ledger.finish({ job_id, account_id, key_id, nonce, hold, cost: charged, ...counted, decided_at, ending })
}

/** The rates are chosen by the request's own facts, unless the provider says that it did otherwise. */
function withRequestFacts(usage: Usage, estimate: Usage): Usage {
  return { ...usage, attributes: { ...estimate.attributes, ...usage.attributes } }
}

function chargeFor(
  services: Services,
  job: JobRecord,
  { offer, quote, estimate }: AdmittedOffer,
  usage: Usage | undefined,
): Charge {
  if (!usage) return { cost: 0n, list_cost: 0n, lines: [] }
  try {
    const exact = cost(usage, quote)
    return capped(services, job, {
      cost: exact.amount,
      list_cost: exact.list_amount,
      lines: exact.lines as unknown as Json[],
    })
  } catch (error) {
    if (!(error instanceof UnpricedUsage)) throw error
    // The work is done and delivered: its price as quoted beforehand stands, and the operator hears of it.
    services.log.error(
      { job: job._id, model: offer.model, provider: offer.provider, reason: error.message },
      'The provider reported a usage without a price; the estimate was charged.',
    )
    const quoted = cost(estimate, quote)
    return { cost: quoted.amount, list_cost: quoted.list_amount, lines: quoted.lines as unknown as Json[] }
  }
}

/** The hold is an upper bound by construction; should a provider report more, the caller still pays no more than was held. */
function capped(services: Services, job: JobRecord, charge: Charge): Charge {
  if (charge.cost <= job.hold) return charge
  services.log.error(
    { job: job._id, model: job.model, cost: charge.cost.toString(), hold: job.hold.toString() },
    'The cost exceeds the hold; only the hold was charged.',
  )
  const usd = formatUsd(job.hold - charge.cost)
  const limit = { meter: 'limit', quantity: 1, usd, per: 1, when: {}, amount_usd: usd }
  const list_cost = charge.list_cost > STORED_MAX ? STORED_MAX : charge.list_cost
  return { cost: job.hold, list_cost, lines: [...charge.lines, limit] }
}

/** Of an Int64: what a provider may report by mistake is beyond it. */
const STORED_MAX = 2n ** 63n - 1n

export function jobError({ status, code, message, param }: Failure): JobError {
  return { code, message, type: status < 500 ? 'invalid_request_error' : 'server_error', param: param ?? null }
}
