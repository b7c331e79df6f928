// The jobs that this router works on at this moment: how a cancel, a deadline or a stop reaches the work, and how
// recovery tells work under way from work that was lost.
import type { JobRecord } from '../store/jobs.ts'
import type { AdmittedOffer } from './admit.ts'
import { Failure } from './failure.ts'

export interface Work {
  job: JobRecord
  /** Live offers, in the order of `job.offers`. */
  offers: AdmittedOffer[]
  /** Ends the provider's work; the reason is the Failure that the caller and the job are given. */
  abort: AbortController
  /** Set when this router decided the job, or learnt that another had. */
  decided: boolean
}

const active = new Map<string, Work>()

export function beginWork(work: Work): Work {
  active.set(work.job._id, work)
  return work
}

export function endWork({ job }: Work): void {
  active.delete(job._id)
}

export const workOn = (job_id: string): Work | undefined => active.get(job_id)

export const worksUnderWay = (): number => active.size

/** Ends work whose deadline has passed. Called once a second for all, so that no request needs a timer of its own. */
export function endOverdue(now = Date.now()): void {
  for (const { job, abort } of active.values()) {
    if (job.deadline.getTime() < now) abort.abort(deadlinePassed())
  }
}

/** Ends what is still under way when the router must stop; asynchronous jobs go on under another router. */
export function endAll(): void {
  for (const { abort } of active.values()) abort.abort(routerStopping())
}

const STOPPING = 'The router is stopping. Nothing was charged; send the request again.'

export const canceled = () => new Failure(499, 'canceled', 'The job was canceled.')
/** Whether work ended because its owner said so, not because it failed. */
export const isCancel = (error: unknown): boolean => error instanceof Failure && error.code === 'canceled'
/** Whether the router stops: asynchronous work then goes to another router instead of failing. */
export const isStopping = (error: unknown): boolean => error instanceof Failure && error.message === STOPPING
export const callerGone = () =>
  new Failure(499, 'client_closed_request', 'The caller hung up before anything was delivered. Nothing was charged.')
export const deadlinePassed = () =>
  new Failure(504, 'timeout', 'The work was not done by its deadline. Nothing was charged.')
export const routerStopping = () => new Failure(503, 'no_provider_available', STOPPING, { retry_after_ms: 1000 })
