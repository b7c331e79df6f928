// Work that was given up (canceled, expired) and may be finished all the same: the provider is told to stop, and looked
// at a few times more. A success is only noted, for the operator who may have paid for it; the job stays as decided.
import { type Json, type Progress, ProviderError, type Usage } from '../../contract.ts'
import type { JobRecord } from '../../store/jobs.ts'
import { pollProvider } from '../media/generate.ts'
import { type GeneratorOperation, isGeneratorOperation } from '../media/generators.ts'
import type { Services } from '../services.ts'
import type { Work } from '../work.ts'
import { providerOf } from './hand_back.ts'
import { queueName } from './queues.ts'
import { cancelUpstream, offersOf, pollTurn, slowDownFor } from './upstream.ts'

/** When it is looked at, counted from one look to the next. */
const LOOKS_AFTER_MS = [60_000, 5 * 60_000, 25 * 60_000]
const LOOK_MS_MAX = 60_000

/** For a job that this router has just given up. Never rejects: the job's end does not depend on it. */
export async function abandon(services: Services, work: Work): Promise<void> {
  const { job } = work
  if (!isGeneratorOperation(job.operation)) return
  try {
    if (job.made) return await noteLateSuccess(services, job, job.made.usage)
    if (job.ref === null) return
    await cancelUpstream(services, work, job.operation)
    await lookLater(services, job, 0)
  } catch (error) {
    services.log.error({ job: job._id, error }, 'Whether work that was given up ended well will not be known.')
  }
}

/**
 * Sets the time of the next look, or that there is none; before the look itself, so that one that is interrupted is not
 * the last. False where another router was faster.
 */
async function lookLater({ store }: Services, job: JobRecord, looks: number): Promise<boolean> {
  const after_ms = LOOKS_AFTER_MS[looks]
  const queue = queueName('late', providerOf(job))
  const next = { ref: job.ref, offer: job.offer, queue, late_looks: looks }
  const poll_at = after_ms === undefined ? undefined : new Date(Date.now() + after_ms)
  const { matchedCount } = await store.jobs.updateOne(
    {
      _id: job._id,
      state: { $in: ['releasing', 'released'] },
      ...(looks > 0 && { late_looks: looks - 1 }),
    },
    poll_at ? { $set: { ...next, poll_at } } : { $set: next, $unset: { poll_at: '' } },
  )
  return matchedCount > 0
}

/** Looks at given-up work of one provider that is due, at most so much of it. */
export async function lookAtGivenUp(services: Services, queue: string, most: number): Promise<void> {
  const due = await services.store.jobs
    .find({ queue, poll_at: { $lte: new Date() } }, { projection: { request: 0 } })
    .sort({ poll_at: 1 })
    .limit(most)
    .toArray()
  await Promise.all(due.map((job) => lookOnce(services, job)))
}

async function lookOnce(services: Services, job: JobRecord): Promise<void> {
  const { operation, ref } = job
  if (!isGeneratorOperation(operation) || ref === null) return
  if (!(await lookLater(services, job, (job.late_looks ?? 0) + 1))) return
  const progress = await look(services, job, operation, ref)
  if (progress?.status === 'done') return noteLateSuccess(services, job, progress.usage as unknown as Json)
  if (progress?.status === 'failed') await services.store.jobs.updateOne({ _id: job._id }, { $unset: { poll_at: '' } })
}

/** Undefined where nothing is known; the next look may tell more. */
async function look<Kind extends GeneratorOperation>(
  services: Services,
  job: JobRecord,
  operation: Kind,
  ref: Json,
): Promise<Progress<unknown> | undefined> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), LOOK_MS_MAX)
  const work: Work = { job, offers: offersOf(services, job), abort, decided: true }
  try {
    await pollTurn(services, work)
    return await pollProvider(services, work, operation, ref)
  } catch (error) {
    if (error instanceof ProviderError) slowDownFor(services, job, error)
    services.log.debug({ job: job._id, error }, 'Work that was given up could not be looked at.')
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

/** The job stays as it was decided, and nothing is charged. */
export async function noteLateSuccess(
  { store, metrics, log }: Services,
  job: JobRecord,
  usage: Usage | Json,
): Promise<void> {
  const late_success = { at: new Date(), usage: usage as Json }
  await store.jobs.updateOne({ _id: job._id }, { $set: { late_success }, $unset: { poll_at: '' } })
  metrics.lateSuccess(providerOf(job))
  log.warn(
    { job: job._id, provider: providerOf(job) },
    'The provider finished work that had been given up: the job stays as it was decided, and nothing is charged.',
  )
}
