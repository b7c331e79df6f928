// One step of an asynchronous job: its start, or one look at it, and what follows from what the provider says. The
// intent to submit is written first; what may have been submitted before is never blindly submitted again.
import { type Json, type Progress, ProviderError, type Usage } from '../contract.ts'
import { StoreUnavailable } from '../ledger/writes.ts'
import type { Quote } from '../pricing/schema.ts'
import type { JobRecord } from '../store/jobs.ts'
import type { AdmittedOffer } from './admit.ts'
import { callFor } from './attempts.ts'
import { isBackground, streamInBackground } from './background.ts'
import { chatAnswer } from './chat.ts'
import { frontOf } from './fronts.ts'
import { begin, finishGeneration, pollProvider } from './generate.ts'
import {
  type GeneratorOperation,
  generatorOf,
  isGeneratorOperation,
  type OutputOf,
  type RequestOf,
} from './generators.ts'
import { storeJson } from './outputs.ts'
import { readRequest } from './requests.ts'
import type { Services } from './services.ts'
import { release } from './settle.ts'
import type { KeptChat } from './submit.ts'
import { canceled, deadlinePassed, isCancel, isStopping, type Work } from './work.ts'

/** Between polls where the provider names no time: growing from the first to the second, with a fifth of jitter. */
const POLL_MS_MIN = 1000
const POLL_MS_MAX = 30_000
const POLL_GROWTH = 1.5

/** Works on a claimed job until it is handed back or decided. */
export async function step(services: Services, job: JobRecord): Promise<void> {
  const abort = new AbortController()
  const work = services.works.begin({ job, offers: offersOf(services, job), abort, decided: false })
  try {
    await run(services, work)
  } catch (error) {
    if (!work.decided) services.works.lose(work)
    throw error
  } finally {
    services.works.end(work)
  }
}

/** Rejects when the store does not answer: what the job says then is taken up from the store again. */
async function run(services: Services, work: Work): Promise<void> {
  const { job } = work
  try {
    if (job.cancel_at) work.abort.abort(canceled())
    work.abort.signal.throwIfAborted()
    if (isGeneratorOperation(job.operation)) await stepGeneration(services, work, job.operation)
    else await stepChat(services, work)
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error
    if (!work.decided) await giveUp(services, work, error)
  }
}

async function giveUp(services: Services, work: Work, error: unknown): Promise<void> {
  const { job, abort } = work
  const { aborted, reason } = abort.signal
  if (isStopping(reason)) return handBack(services, work, 0)
  if (!aborted) return void (await release(services, work, error, 'failed'))
  const won = await release(services, work, reason, isCancel(reason) ? 'canceled' : 'expired')
  if (won && isGeneratorOperation(job.operation)) await cancelUpstream(services, work, job.operation)
}

/** The job's own quotes, with the connections of today. */
export function offersOf(services: Services, job: JobRecord): AdmittedOffer[] {
  const registry = services.registry()
  return job.offers.map(({ provider, upstream, quote, estimate }) => {
    const listed = registry.offers.get(job.model)?.find((each) => each.provider === provider)
    const connection = registry.connection(provider) ?? {}
    return {
      offer: {
        model: job.model,
        provider,
        upstream,
        connection,
        limits: listed?.limits ?? {},
        options: listed?.options ?? {},
      },
      quote: quote as unknown as Quote,
      estimate: estimate as unknown as Usage,
      cost: job.hold,
    }
  })
}

async function stepChat(services: Services, work: Work): Promise<void> {
  const { job } = work
  if (job.state === 'running') throw interrupted()
  if (!(await markSubmitting(services, work))) return
  const { protocol, ...kept } = (await readRequest(services, job)) as unknown as KeptChat
  const chat = { front: frontOf(protocol), ...kept }
  if (isBackground(work)) return streamInBackground(services, work, chat)
  await chatAnswer(services, work, chat, async (json) => [await storeJson(services, job, json)])
}

async function stepGeneration<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
): Promise<void> {
  const { job } = work
  if (job.ref !== null) return look(services, work, operation, job.ref)
  if (job.state === 'running' && !isRepeatable(work, operation)) throw interrupted()
  if (!(await markSubmitting(services, work))) return
  const request = (await readRequest(services, job)) as unknown as RequestOf<Kind>
  await conclude(services, work, operation, await begin(services, work, operation, request))
}

/** The router died between asking the provider and hearing its answer: what cannot be known is given back, and said. */
const interrupted = () =>
  new ProviderError(
    'unavailable',
    'The router was interrupted while the work was submitted, and cannot know whether it was.',
  )

const isRepeatable = (work: Work, operation: GeneratorOperation) => {
  const admitted = work.offers[work.job.offer]
  return admitted !== undefined && generatorOf(admitted.offer.connection, operation).repeatable === true
}

/** False: the job was ended or taken over meanwhile, and must not be submitted. */
function markSubmitting(services: Services, { job }: Work): Promise<boolean> {
  job.state = 'running'
  job.started_at ??= new Date()
  return services.job_writes.change({
    job_id: job._id,
    fence: job.lease.fence,
    set: { state: 'running', started_at: job.started_at, nonce: job.nonce },
  })
}

/** A poll that fails says nothing about the work: the job waits for the next one, until its deadline. */
async function look<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
  ref: Json,
): Promise<void> {
  const overdue = work.job.deadline.getTime() <= Date.now()
  let progress: Progress<OutputOf<Kind>>
  try {
    progress = await pollProvider(services, work, operation, ref)
  } catch (error) {
    if (overdue || work.abort.signal.aborted || !(error instanceof ProviderError))
      return expire(services, work, operation, error)
    services.log.warn(
      { job: work.job._id, kind: error.kind, reason: error.message },
      'A poll failed; the job is looked at again later.',
    )
    return handBack(services, work, error.detail.retry_after_ms ?? pollAfter(work))
  }
  if (progress.status === 'pending' && overdue) return expire(services, work, operation, deadlinePassed())
  await conclude(services, work, operation, progress)
}

async function expire(services: Services, work: Work, operation: GeneratorOperation, error: unknown): Promise<void> {
  if (work.job.deadline.getTime() > Date.now()) throw error
  await cancelUpstream(services, work, operation)
  await release(services, work, deadlinePassed(), 'expired')
}

async function conclude<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
  progress: Progress<OutputOf<Kind>>,
): Promise<void> {
  const { job } = work
  if (progress.status === 'done') return void (await finishGeneration(services, work, operation, progress, () => true))
  if (progress.status === 'failed') return void (await release(services, work, progress.error, 'failed'))
  job.ref = progress.ref
  job.percent = Math.min(99, Math.max(job.percent, Math.round(progress.percent ?? 0)))
  await handBack(services, work, progress.poll_after_ms ?? pollAfter(work))
}

function pollAfter({ job }: Work): number {
  const grown = Math.min(POLL_MS_MAX, POLL_MS_MIN * POLL_GROWTH ** job.polls)
  return grown * (0.8 + Math.random() * 0.4)
}

/** The job waits, under nobody's name, until the next look; never past its deadline. */
async function handBack(services: Services, { job }: Work, after_ms: number): Promise<void> {
  const { ref, percent, offer, attempts, polls, nonce } = job
  const poll_at = new Date(Math.max(Date.now(), Math.min(Date.now() + after_ms, job.deadline.getTime())))
  await services.job_writes.change({
    job_id: job._id,
    fence: job.lease.fence,
    set: { ref, percent, offer, attempts, nonce, polls: polls + 1 },
    poll_at,
  })
  services.wake(poll_at)
}

/** Tells the provider to stop, where it can be told; that it cannot be reached changes nothing for the caller. */
export async function cancelUpstream(services: Services, work: Work, operation: GeneratorOperation): Promise<void> {
  const admitted = work.offers[work.job.offer]
  const { ref } = work.job
  if (!admitted || ref === null) return
  const signal = AbortSignal.timeout(10_000)
  try {
    await generatorOf(admitted.offer.connection, operation).cancel?.(ref, {
      ...callFor(services, work, admitted),
      signal,
    })
  } catch (error) {
    services.log.warn({ job: work.job._id, error }, 'The provider could not be told to stop.')
  }
}
