// /v1/videos in OpenAI's shape: a video is a job, and its id the job's. Always asynchronous.
import { z } from 'zod'
import { Failure } from '../flow/failure.ts'
import { defaultSeconds } from '../flow/generators.ts'
import { deleteJob, findJob, listJobs } from '../flow/jobs.ts'
import type { Services } from '../flow/services.ts'
import { submitGeneration } from '../flow/submit.ts'
import { takeUpload } from '../flow/uploads.ts'
import { videoPollMs, videoView } from '../flow/video_view.ts'
import { clientSignal } from '../http/abort.ts'
import type { ApiRouter, Context, RouteContext } from '../http/context.ts'
import { sendFile } from '../http/download.ts'
import { readVideoRequest } from '../protocols/openai-media/video_request.ts'
import { accepted, nameJob, prefersAsync } from './answer.ts'
import { readBody } from './body.ts'
import { listOf, pageQuery, readQuery } from './list.ts'
import { filesByField, readMediaBody } from './media_body.ts'

const REFERENCE_BYTES_MAX = 50 * 2 ** 20

const listQuery = z.strictObject(pageQuery)
const contentQuery = z.strictObject({ variant: z.enum(['video', 'thumbnail', 'spritesheet']).default('video') })
const remixBody = z.strictObject({ prompt: z.string().min(1).max(32_000) })

export function videoRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/videos', (context) => create(services, context))
  router.get('/v1/videos', async (context) => {
    const { account_id } = context.state.caller
    const filter = { account_id, operation: 'video' as const, ...readQuery(context, listQuery) }
    const { jobs, has_more } = await listJobs(services, filter)
    context.body = listOf(jobs.map(videoView), has_more)
  })
  router.get('/v1/videos/:id', async (context) => show(context, await ownVideo(services, context)))
  router.delete('/v1/videos/:id', async (context) => {
    const { _id: id } = await ownVideo(services, context)
    await deleteJob(services, context.state.caller.account_id, id)
    context.body = { id, object: 'video.deleted', deleted: true }
  })
  router.get('/v1/videos/:id/content', (context) => content(services, context))
  router.post('/v1/videos/:id/remix', (context) => remix(services, context))
}

type Job = Awaited<ReturnType<typeof findJob>>

async function create(services: Services, context: Context): Promise<void> {
  const { fields, files, extensions } = await readMediaBody(context, services, {})
  const { input_reference: uploaded } = filesByField(files, { input_reference: 1 })
  const call = readVideoRequest(fields)
  const reference = uploaded[0] ?? call.reference
  const upload = { param: 'input_reference', kinds: ['image' as const], max_bytes: REFERENCE_BYTES_MAX }
  const first_frame = reference && (await takeUpload(reference, { ...upload, signal: clientSignal(context) }))
  const { seconds = defaultSeconds(services, call.request.model) } = call.request
  const request = { ...call.request, seconds, ...(first_frame && { first_frame }) }
  const { prompt, size } = request
  const {
    caller,
    request: { id: request_id },
  } = context.state
  const job = await submitGeneration(services, caller, 'video', request, {
    ...extensions,
    endpoint: 'videos',
    request_id,
    echo: { prompt, seconds, ...(size !== undefined && { size }) },
  })
  if (prefersAsync(context)) return accepted(context, job)
  show(context, job)
}

function show(context: Context, job: Job): void {
  nameJob(context, job)
  if (!job.decision) context.set('openai-poll-after-ms', String(videoPollMs(job)))
  context.body = videoView(job)
}

async function ownVideo(services: Services, context: RouteContext): Promise<Job> {
  const id = String(context.params.id)
  const job = await findJob(services, context.state.caller.account_id, id)
  if (job.operation === 'video') return job
  throw new Failure(404, 'video_not_found', `'${id}' is a job of another kind. GET /v1/jobs/${id} shows it.`, {
    param: 'id',
  })
}

async function content(services: Services, context: RouteContext): Promise<void> {
  const { variant } = readQuery(context, contentQuery)
  const job = await ownVideo(services, context)
  if (variant !== 'video') {
    const message = `There is no ${variant} of a video here, only the video itself. Leave 'variant' out.`
    throw new Failure(400, 'unsupported_parameter', message, { param: 'variant' })
  }
  const [file] = job.outputs
  if (!file) throw noContent(job)
  if (file.key === null)
    throw new Failure(404, 'output_expired', 'This video was removed when its time was over.', { param: 'id' })
  const { key, media_type, bytes, sha256 } = file
  await sendFile(context, services.storage, key, { media_type, bytes, sha256, filename: `${job._id}.mp4` })
}

function noContent(job: Job): Failure {
  if (!job.decision) {
    const message = 'The video is not finished yet. Wait until its status is completed.'
    return new Failure(409, 'job_not_finished', message, { param: 'id' })
  }
  return new Failure(404, 'output_not_found', 'This video was not made: GET /v1/videos/{id} says why.', { param: 'id' })
}

/** A new film with the same length and size would be no remix: only a provider that knows the old one could change it. */
async function remix(services: Services, context: RouteContext): Promise<void> {
  await readBody(context, remixBody)
  const { model } = await ownVideo(services, context)
  const message = `The provider of ${model} cannot change a video that is done. Send a new POST /v1/videos with the whole prompt.`
  throw new Failure(400, 'unsupported_operation', message, { param: 'id' })
}
