// Bringing the files of finished work here. What the provider made is not lost by one answer of a file server: it is
// asked for again and again for a quarter of an hour, at a fresh address where the provider gives one, and only then given up.
import type { Json, Progress, VideoOutput } from '../../contract.ts'
import { StorageError } from '../../media/storage_error.ts'
import { Failure } from '../failure.ts'
import type { Services } from '../services.ts'
import { release } from '../settle.ts'
import type { Work } from '../work.ts'
import { FETCH_MS, handBack, providerOf } from '../worker/hand_back.ts'
import { noteLateSuccess } from '../worker/late.ts'
import { finishGeneration } from './generate.ts'
import type { GeneratorOperation, OutputOf } from './generators.ts'
import { FileNotFetched, filesOf } from './outputs.ts'

const PAUSE_MS = { least: 5000, most: 120_000 }
/** A download that begins in time may end a little later. */
const LAST_DOWNLOAD_MS = 60_000

export type Done<Kind extends GeneratorOperation> = Extract<Progress<OutputOf<Kind>>, { status: 'done' }>

const isPassing = (error: unknown): boolean => error instanceof FileNotFetched || error instanceof StorageError

/** From the provider's word that it is done to the charge; or the job waits for another try. */
export async function bring<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
  progress: Done<Kind>,
): Promise<void> {
  const { job } = work
  job.made ??= { at: new Date(), usage: progress.usage as unknown as Json, output: null }
  work.grace_until = new Date(job.made.at.getTime() + FETCH_MS + LAST_DOWNLOAD_MS)
  try {
    await finishGeneration(services, work, operation, progress, () => true)
  } catch (error) {
    // Ended in between by its owner or by another router: the success came too late.
    if (work.decided) return noteIfGivenUp(services, work)
    if (work.abort.signal.aborted || !isPassing(error)) throw error
    job.made.output ??= job.ref === null ? addressesOf(operation, progress) : null
    if (job.ref === null && job.made.output === null) throw error
    services.log.warn(
      { job: job._id, provider: providerOf(job), error },
      'A finished file could not be brought here yet.',
    )
    await bringLater(services, work)
  }
}

/** For work that is made, and whose file did not come, or whose provider does not answer any more. */
export async function bringLater(services: Services, work: Work): Promise<void> {
  const { job } = work
  const waited_ms = Date.now() - (job.made?.at.getTime() ?? 0)
  if (waited_ms >= FETCH_MS) {
    services.metrics.lostFile(providerOf(job))
    return void (await release(services, work, neverCame(), 'failed'))
  }
  const after_ms = Math.min(PAUSE_MS.most, Math.max(PAUSE_MS.least, waited_ms / 2))
  await handBack(services, work, job.ref === null ? 'work' : 'poll', after_ms * (0.8 + Math.random() * 0.4))
}

const neverCame = () =>
  new Failure(
    502,
    'provider_error',
    `The provider finished the work, but its file could not be downloaded within ${FETCH_MS / 60_000} minutes. Nothing was charged; send the request again.`,
  )

/** What is kept where no `ref` leads to the files again: their addresses. Bytes that could not be stored are lost. */
function addressesOf<Kind extends GeneratorOperation>(operation: Kind, { output }: Done<Kind>): Json | null {
  const files = filesOf(operation, output)
  if (files.length === 0 || files.some(({ type }) => type !== 'url')) return null
  const { thumbnail: _, spritesheet: __, ...rest } = output as Partial<VideoOutput>
  return rest as unknown as Json
}

async function noteIfGivenUp(services: Services, { job }: Work): Promise<void> {
  const { decision } = (await services.store.jobs.findOne({ _id: job._id }, { projection: { decision: 1 } })) ?? {}
  if (decision && decision.status !== 'completed') await noteLateSuccess(services, job, job.made?.usage ?? null)
}
