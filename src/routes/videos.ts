// /v1/videos in OpenAI's shape: a video is a job, and its id the job's. Always asynchronous.
import { z } from 'zod'
import type { Asset, VideoRequest } from '../contract.ts'
import { Failure } from '../flow/failure.ts'
import { deleteJob, listJobs } from '../flow/jobs.ts'
import { filmOf, findVideo, keptOutput, planChange } from '../flow/media/film_change.ts'
import { defaultSeconds } from '../flow/media/generators.ts'
import { takeUpload } from '../flow/media/uploads.ts'
import { videoPollMs, videoView } from '../flow/media/video_view.ts'
import type { Services } from '../flow/services.ts'
import { type Submission, submitGeneration } from '../flow/worker/submit.ts'
import { clientSignal } from '../http/abort.ts'
import type { ApiRouter, Context, RouteContext } from '../http/context.ts'
import { sendFile } from '../http/download.ts'
import {
  REFERENCES_MAX,
  readChange,
  readExtend,
  readRemix,
  readVideoRequest,
  VIDEO_FORM,
  type VideoChange,
  type VideoPictures,
} from '../protocols/openai-media/video_request.ts'
import { accepted, nameJob, prefersAsync } from './answer.ts'
import type { Extensions } from './extensions.ts'
import { listOf, pageQuery, readQuery } from './list.ts'
import { filesByField, readMediaBody } from './media_body.ts'

const PICTURE_BYTES_MAX = 50 * 2 ** 20

const listQuery = z.strictObject(pageQuery)
const contentQuery = z.strictObject({ variant: z.enum(['video', 'thumbnail', 'spritesheet']).default('video') })

export function videoRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/videos', (context) => create(services, context))
  router.post('/v1/videos/edits', (context) => changeNamed(services, context, 'remix'))
  router.post('/v1/videos/extensions', (context) => changeNamed(services, context, 'extend'))
  router.post('/v1/videos/characters', noCharacters)
  router.get('/v1/videos/characters/:id', noCharacters)
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
  router.post('/v1/videos/:id/remix', async (context) => {
    const { fields, files, extensions } = await readMediaBody(context, services, {})
    filesByField(files, {})
    await submitChange(services, context, idOf(context), readRemix(fields), extensions)
  })
  router.post('/v1/videos/:id/extend', async (context) => {
    const { fields, files, extensions } = await readMediaBody(context, services, {})
    filesByField(files, {})
    await submitChange(services, context, idOf(context), readExtend(fields), extensions)
  })
}

type Job = Awaited<ReturnType<typeof findVideo>>

const idOf = (context: RouteContext): string => String(context.params.id)

const ownVideo = (services: Services, context: RouteContext) =>
  findVideo(services, context.state.caller.account_id, idOf(context))

async function create(services: Services, context: Context): Promise<void> {
  const { fields, files, extensions } = await readMediaBody(context, services, VIDEO_FORM)
  const uploaded = filesByField(files, { input_reference: 1, last_frame: 1, references: REFERENCES_MAX })
  const { request: told, pictures } = readVideoRequest(fields)
  const taken = await takePictures(joined(pictures, uploaded), clientSignal(context))
  const { seconds = defaultSeconds(services, told.model) } = told
  await submit(services, context, { ...told, ...taken, seconds }, extensions)
}

/** Named and uploaded ones together; of what there may be one, not both. */
function joined(named: VideoPictures, uploaded: Record<keyof VideoPictures, Asset[]>): VideoPictures {
  const one = (param: 'input_reference' | 'last_frame') => {
    const [file] = uploaded[param]
    if (file && named[param]) throw new Failure(400, 'invalid_value', `'${param}' comes twice.`, { param })
    return file ?? named[param]
  }
  const [input_reference, last_frame] = [one('input_reference'), one('last_frame')]
  const references = [...(named.references ?? []), ...uploaded.references]
  return {
    ...(input_reference && { input_reference }),
    ...(last_frame && { last_frame }),
    ...(references.length > 0 && { references }),
  }
}

type FilmPictures = Pick<VideoRequest, 'first_frame' | 'last_frame' | 'references'>

async function takePictures(pictures: VideoPictures, signal: AbortSignal): Promise<FilmPictures> {
  const take = (asset: Asset, param: string) =>
    takeUpload(asset, { param, kinds: ['image'], max_bytes: PICTURE_BYTES_MAX, signal })
  const { input_reference, last_frame, references } = pictures
  return {
    ...(input_reference && { first_frame: await take(input_reference, 'input_reference') }),
    ...(last_frame && { last_frame: await take(last_frame, 'last_frame') }),
    ...(references && { references: await Promise.all(references.map((each) => take(each, 'references'))) }),
  }
}

async function submit(
  services: Services,
  context: Context,
  request: VideoRequest,
  extensions: Extensions,
  more: { endpoint?: string; remixed_from?: string } = {},
): Promise<void> {
  const { endpoint = 'videos', remixed_from } = more
  const { prompt, seconds, size, aspect_ratio, resolution, audio } = request
  const submission: Submission = {
    ...extensions,
    endpoint,
    request_id: context.state.request.id,
    echo: {
      prompt,
      seconds,
      ...(size !== undefined && { size }),
      ...(aspect_ratio !== undefined && { aspect_ratio }),
      ...(resolution !== undefined && { resolution }),
      ...(audio !== undefined && { audio }),
      ...(remixed_from !== undefined && { remixed_from }),
    },
  }
  const job = await submitGeneration(services, context.state.caller, 'video', request, submission)
  if (prefersAsync(context)) return accepted(context, job)
  show(context, job)
}

function show(context: Context, job: Job): void {
  nameJob(context, job)
  if (!job.decision) context.set('openai-poll-after-ms', String(videoPollMs(job)))
  context.body = videoView(job)
}

async function content(services: Services, context: RouteContext): Promise<void> {
  const { variant } = readQuery(context, contentQuery)
  const job = await ownVideo(services, context)
  const film = filmOf(job)
  const file = variant === 'video' ? film : stillOf(job, variant)
  const { key, media_type, bytes, sha256 } = file
  const name = variant === 'video' ? job._id : `${job._id}-${variant}`
  const filename = `${name}.${/^\w+\/(\w+)/.exec(media_type)?.[1] ?? 'bin'}`
  await sendFile(context, services.storage, key, { media_type, bytes, sha256, filename })
}

function stillOf(job: Job, variant: 'thumbnail' | 'spritesheet') {
  const still = job.outputs.find(({ role }) => role === variant)
  if (still) return keptOutput(job, still)
  const message = `There is no ${variant} of this video: its provider made none, and films are not decoded here.`
  throw new Failure(404, 'output_not_found', message, { param: 'variant' })
}

/** The SDK's own roads, which name the film in the body. */
async function changeNamed(services: Services, context: Context, mode: VideoChange['mode']): Promise<void> {
  const { fields, files, extensions } = await readMediaBody(context, services, {})
  if (files.some(({ field }) => field === 'video')) {
    const message =
      'Only a video that was made here can be changed: give its id, \'video\': {"id": "job_…"}, not a file.'
    throw new Failure(400, 'unsupported_parameter', message, { param: 'video' })
  }
  filesByField(files, {})
  const { id, change } = readChange(mode, fields)
  await submitChange(services, context, id, change, extensions)
}

async function submitChange(
  services: Services,
  context: Context,
  id: string,
  change: VideoChange,
  extensions: Extensions,
): Promise<void> {
  const { load } = await planChange(services, context.state.caller, id, change, extensions.max_cost_usd)
  const endpoint = change.mode === 'remix' ? 'videos.remix' : 'videos.extend'
  await submit(services, context, await load(), extensions, { endpoint, remixed_from: id })
}

function noCharacters(): never {
  const message = "There are no characters here. Send their pictures as 'references' of POST /v1/videos instead."
  throw new Failure(400, 'unsupported_operation', message)
}
