// Making a film of another one: the earlier film must be the account's own, done and still kept, and goes to the provider
// that made it, which alone knows it. Nothing is held before all of that is certain.
import { type Asset, ProviderError, type VideoRequest } from '../../contract.ts'
import type { VideoChange } from '../../protocols/openai-media/video_request.ts'
import type { JobOutput, JobRecord } from '../../store/jobs.ts'
import { Failure } from '../failure.ts'
import { findJob } from '../jobs.ts'
import type { Caller, Services } from '../services.ts'
import { admitGeneration } from './generate.ts'
import { defaultSeconds } from './generators.ts'

/** It travels with the queued request, so that deleting the earlier film takes nothing from the new one. */
const FILM_BYTES_MAX = 128 * 2 ** 20

/** A video of the account. Throws Failure 404. */
export async function findVideo(services: Services, account_id: string, id: string): Promise<JobRecord> {
  const job = await findJob(services, account_id, id)
  if (job.operation === 'video') return job
  throw new Failure(404, 'video_not_found', `'${id}' is a job of another kind. GET /v1/jobs/${id} shows it.`, {
    param: 'id',
  })
}

/** The film itself, which its retention may have ended. Throws Failure 409, 404, 410. */
export function filmOf(job: JobRecord): JobOutput & { key: string } {
  const [film] = job.outputs
  if (!job.decision) {
    const message = 'The video is not finished yet. Wait until its status is completed.'
    throw new Failure(409, 'job_not_finished', message, { param: 'id' })
  }
  if (!film) {
    const message = 'This video was not made: GET /v1/videos/{id} says why.'
    throw new Failure(404, 'output_not_found', message, { param: 'id' })
  }
  return keptOutput(job, film)
}

/** Gone is gone from the told moment on, whenever the file itself is removed. */
export function keptOutput(job: JobRecord, output: JobOutput): JobOutput & { key: string } {
  const { key } = output
  if (key !== null && !(job.expires_at && job.expires_at.getTime() <= Date.now())) return { ...output, key }
  throw new Failure(410, 'output_expired', 'This video was removed when its time was over.', { param: 'id' })
}

export interface PlannedChange {
  request: VideoRequest
  /** The film's bytes; not read for an estimate. */
  load(): Promise<VideoRequest>
}

/** The request for the new film, pinned to the earlier one's provider. Throws Failure and ProviderError. */
export async function planChange(
  services: Services,
  caller: Caller,
  id: string,
  change: VideoChange,
  max_cost_usd?: string,
): Promise<PlannedChange> {
  const job = await findVideo(services, caller.account_id, id)
  if (job.decision && job.decision.status !== 'completed') {
    const message = `The video '${id}' is ${job.decision.status}: only a completed one can be changed.`
    throw new Failure(409, 'video_not_completed', message, { param: 'id' })
  }
  const film = filmOf(job)
  const request = requestFor(services, job, film, change)
  admitGeneration(services, caller, 'video', request, max_cost_usd)
  const load = async (): Promise<VideoRequest> => {
    const video = await readFilm(services, film)
    return { ...request, change: { mode: change.mode, ref: job.ref, video } }
  }
  return { request, load }
}

function requestFor(services: Services, job: JobRecord, film: JobOutput, change: VideoChange): VideoRequest {
  const { mode, prompt = String(job.echo.prompt ?? '') } = change
  const provider = job.offers[job.offer]?.provider
  const { size, aspect_ratio, resolution, audio } = job.echo
  // An extended film is longer than what was last asked for.
  const whole = Math.max(Number(job.echo.seconds ?? 0), Math.round(film.seconds ?? 0))
  const unseen: Asset = { type: 'bytes', data: new Uint8Array(), media_type: film.media_type }
  return {
    model: provider === undefined ? job.model : `${provider}:${job.model}`,
    prompt,
    seconds: mode === 'remix' ? whole : (change.seconds ?? defaultSeconds(services, job.model)),
    ...(typeof size === 'string' && { size }),
    ...(typeof aspect_ratio === 'string' && { aspect_ratio }),
    ...(typeof resolution === 'string' && { resolution }),
    ...(typeof audio === 'boolean' && { audio }),
    change: { mode, ref: job.ref, video: unseen },
  }
}

async function readFilm({ storage }: Services, film: JobOutput & { key: string }) {
  if (film.bytes > FILM_BYTES_MAX) {
    const message = `The video has ${film.bytes} bytes; one that is to be changed has at most ${FILM_BYTES_MAX}.`
    throw new Failure(413, 'request_too_large', message, { param: 'id' })
  }
  const file = await storage.open(film.key)
  if (!file) throw new ProviderError('internal', `The file ${film.key} is not in storage.`)
  const chunks: Buffer[] = []
  for await (const chunk of file.body) chunks.push(chunk as Buffer)
  return { type: 'bytes' as const, data: Buffer.concat(chunks), media_type: film.media_type }
}
