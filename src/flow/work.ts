// The jobs that this router works on at this moment: how a cancel, a deadline or a stop reaches the work, and how
// recovery tells work under way from work that was lost.
import type { JobRecord } from '../store/jobs.ts'
import type { AdmittedOffer } from './admit.ts'
import type { EventLog } from './chat/event_log.ts'
import { Failure } from './failure.ts'

export interface Work {
  job: JobRecord
  /** Live offers, in the order of `job.offers`. */
  offers: AdmittedOffer[]
  /** Ends the provider's work; the reason is the Failure that the caller and the job are given. */
  abort: AbortController
  /** Set when this router decided the job, or learnt that another had. */
  decided: boolean
  /** Until when it may go on beyond the job's deadline: a last look, a file that is made and must only be fetched. */
  grace_until?: Date
  /** Of an answer that others than its first reader may read along. */
  events?: EventLog
}

/** What this router has in hand. One a router: the store knows the rest. */
export class Works {
  readonly #active = new Map<string, Work>()
  readonly #claimed = new Set<string>()
  readonly #lost = new Map<string, Date>()
  #stopping = false

  begin(work: Work): Work {
    if (this.#stopping) work.abort.abort(routerStopping())
    this.#active.set(work.job._id, work)
    this.#claimed.delete(work.job._id)
    return work
  }

  end({ job }: Work): void {
    this.#active.delete(job._id)
  }

  /** The store did not say what became of the job: recovery asks it again. */
  lose(work: Work): void {
    this.end(work)
    this.#lost.set(work.job._id, new Date())
  }

  /** Said before the store is asked to give the job to this router, so that recovery never takes it for lost. */
  claim(job_id: string): void {
    this.#claimed.add(job_id)
  }

  /** The store gave it to another. */
  unclaim(job_id: string): void {
    this.#claimed.delete(job_id)
  }

  get(job_id: string): Work | undefined {
    return this.#active.get(job_id)
  }

  has(job_id: string): boolean {
    return this.#active.has(job_id) || this.#claimed.has(job_id)
  }

  get size(): number {
    return this.#active.size
  }

  /** With the time at which they were lost. */
  lost(): [job_id: string, at: Date][] {
    return [...this.#lost]
  }

  found(job_id: string): void {
    this.#lost.delete(job_id)
  }

  /** Ends work whose deadline has passed. Called a few times a second for all, so that no request needs a timer of its own. */
  endOverdue(now = Date.now()): void {
    for (const { job, abort, grace_until } of this.#active.values()) {
      if (Math.max(job.deadline.getTime(), grace_until?.getTime() ?? 0) < now) abort.abort(deadlinePassed())
    }
  }

  /** Ends what is under way, and what still begins, when the router must stop; asynchronous jobs go on under another router. */
  endAll(): void {
    this.#stopping = true
    for (const { abort } of this.#active.values()) abort.abort(routerStopping())
  }
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
