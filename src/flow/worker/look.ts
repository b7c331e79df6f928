// One look at work under way, and what follows from what the provider says. A look that fails says nothing about the
// work: the job waits for the next one, until its deadline, at which it is looked at a last time.
import { type Json, type Progress, ProviderError } from '../../contract.ts'
import type { JobRecord } from '../../store/jobs.ts'
import { bring, bringLater } from '../media/bring.ts'
import { pollProvider } from '../media/generate.ts'
import type { GeneratorOperation, OutputOf } from '../media/generators.ts'
import type { Services } from '../services.ts'
import { release } from '../settle.ts'
import { deadlinePassed, type Work } from '../work.ts'
import { FETCH_MS, handBack, providerOf } from './hand_back.ts'
import { abandon } from './late.ts'
import type { Leave } from './places.ts'
import { laneOf, slowDownFor } from './upstream.ts'

/** A look may bring a whole film along, as it does in OpenAI's format. */
const LOOK_MS_MAX = 300_000
/** A look that begins before the deadline, or at it, may end so much later. */
const LAST_LOOK_MS = 60_000
/** After looks that failed: growing with the age of the work. */
const FAILED = 1 / 10
const FAILED_MS = { least: 2000, most: 60_000 }

/** Gives its place back as soon as the provider has answered. */
export async function look<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
  ref: Json,
  leave: Leave,
): Promise<void> {
  const { job } = work
  const overdue = isOverdue(job)
  const began_at = Date.now()
  work.grace_until = new Date(began_at + LAST_LOOK_MS)
  let progress: Progress<OutputOf<Kind>>
  try {
    progress = await ask(services, work, operation, ref)
  } catch (error) {
    if (!(error instanceof ProviderError) || work.abort.signal.aborted) throw error
    return await afterFailure(services, work, error, overdue)
  } finally {
    leave()
  }
  const lane = laneOf(services, job)
  lane.pace.wentWell()
  if (progress.status === 'pending') {
    if (job.made) return bringLater(services, work)
    if (isOverdue(job)) return expire(services, work)
    job.polled_at = new Date(began_at)
  } else if (progress.status === 'done' && !job.made) {
    const seen_open_ms = job.polled_at ? job.polled_at.getTime() - submittedAt(job) : 0
    lane.timing(upstreamOf(job)).learn(began_at - submittedAt(job), seen_open_ms)
  }
  await conclude(services, work, operation, progress, true)
}

async function ask<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
  ref: Json,
): Promise<Progress<OutputOf<Kind>>> {
  const { abort, job } = work
  const limited = new AbortController()
  const end = () => limited.abort(abort.signal.reason)
  abort.signal.addEventListener('abort', end, { once: true })
  const timer = setTimeout(() => limited.abort(tooSlow()), LOOK_MS_MAX)
  const provider = providerOf(job)
  try {
    const progress = await pollProvider(services, { ...work, abort: limited }, operation, ref)
    services.metrics.poll(provider, progress.status)
    return progress
  } catch (error) {
    services.metrics.poll(provider, error instanceof ProviderError ? error.kind : 'internal')
    throw error
  } finally {
    clearTimeout(timer)
    abort.signal.removeEventListener('abort', end)
  }
}

const tooSlow = () => new ProviderError('timeout', 'The provider did not answer in time.')

async function afterFailure(services: Services, work: Work, error: ProviderError, overdue: boolean): Promise<void> {
  const { job } = work
  const { kind, message, detail } = error
  slowDownFor(services, job, error)
  services.log.warn({ job: job._id, kind, reason: message }, 'A look failed; the job is looked at again later.')
  if (job.made) return bringLater(services, work)
  if (overdue) return expire(services, work)
  const backoff_ms = Math.min(FAILED_MS.most, Math.max(FAILED_MS.least, (Date.now() - submittedAt(job)) * FAILED))
  const after_ms = detail.retry_after_ms ?? backoff_ms
  // What was refused together must not come back together.
  await handBack(services, work, 'poll', after_ms + Math.random() * Math.max(after_ms, FAILED_MS.least))
}

/** What a provider answered, to a submission or to a look: the job is handed back, or decided. */
export async function conclude<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
  progress: Progress<OutputOf<Kind>>,
  looked: boolean,
): Promise<void> {
  const { job } = work
  if (progress.status === 'failed') return void (await release(services, work, progress.error, 'failed'))
  if (progress.status === 'done') {
    if (!looked) return bring(services, work, operation, progress)
    // A download is long work: it waits for a place among the provider's own.
    work.grace_until = new Date(Date.now() + FETCH_MS)
    const leave = await laneOf(services, job).work.enter(work.abort.signal)
    return bring(services, work, operation, progress).finally(leave)
  }
  job.ref = progress.ref
  job.percent = Math.min(99, Math.max(job.percent, Math.round(progress.percent ?? 0)))
  const lane = laneOf(services, job)
  const age_ms = Date.now() - submittedAt(job)
  const after_ms = lane.timing(upstreamOf(job)).nextLook(age_ms, progress.poll_after_ms, { spare: lane.spare })
  await handBack(services, work, 'poll', after_ms)
}

async function expire(services: Services, work: Work): Promise<void> {
  if (await release(services, work, deadlinePassed(), 'expired')) await abandon(services, work)
}

const isOverdue = ({ deadline, made }: JobRecord): boolean => !made && deadline.getTime() <= Date.now()
const upstreamOf = (job: JobRecord): string => job.offers[job.offer]?.upstream ?? ''
/** When the provider took it. */
const submittedAt = ({ attempts, started_at, created_at }: JobRecord): number =>
  (attempts.at(-1)?.started_at ?? started_at ?? created_at).getTime()
