// Giving a job back to a queue: until its time comes it is under nobody's name, and any router may take it.
import type { JobRecord } from '../../store/jobs.ts'
import type { Services } from '../services.ts'
import type { Work } from '../work.ts'
import { queueName } from './queues.ts'

/** What happened to a job is told by its last attempts; one that was refused for hours need not carry them all. */
const ATTEMPTS_MAX = 50
/** How long the file of a finished job is asked for again and again; then the job is given up. */
export const FETCH_MS = 15 * 60_000

/** The job waits in the queue, never past the time at which something must be done about it. */
export async function handBack(
  services: Services,
  { job }: Work,
  kind: 'work' | 'poll',
  after_ms: number,
): Promise<void> {
  const { ref, percent, offer, polls, nonce, state, polled_at, made } = job
  const queue = queueName(kind, providerOf(job))
  const poll_at = new Date(Math.max(Date.now(), Math.min(Date.now() + after_ms, latest(job))))
  await services.job_writes.change({
    job_id: job._id,
    fence: job.lease.fence,
    set: {
      ref,
      percent,
      offer,
      nonce,
      state,
      queue,
      attempts: job.attempts.slice(-ATTEMPTS_MAX),
      polls: polls + 1,
      ...(polled_at && { polled_at }),
      ...(made && { made }),
    },
    poll_at,
  })
  services.wake(poll_at, queue)
}

const latest = ({ deadline, made }: JobRecord): number => (made ? made.at.getTime() + FETCH_MS : deadline.getTime())

export const providerOf = (job: JobRecord): string => job.offers[job.offer]?.provider ?? ''
