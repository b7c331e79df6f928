// Runway: films and pictures over its API, submitted, polled and canceled. Shapes from @runwayml/sdk 4.20.1 (2026-09-23) and
// https://docs.dev.runwayml.com (2026-11-21). Its SDK is not used: it waits and retries by itself, and adds nothing else.
import { z } from 'zod'
import {
  type Asset,
  type Call,
  defineProvider,
  done,
  type ErrorKind,
  failed,
  type Generator,
  type ImageGenerator,
  type ImageOutput,
  type ImageRequest,
  type Json,
  type JsonObject,
  type Progress,
  pending,
  type Usage,
  type VideoOutput,
  type VideoRequest,
} from '../src/contract.ts'
import { addressOf } from '../src/protocols/address.ts'
import { ask, type Refusal, refused, type TaskServer, unreadable } from '../src/protocols/media-tasks/client.ts'
import { fitRatio, fitSize, refuse, refuseLook } from '../src/protocols/media-tasks/fit.ts'

const VERSION = '2024-11-06'
/** Consumers should not look more often than every five seconds (SDK, `tasks.retrieve`). */
const POLL_AFTER_MS = 5000
/** A data URI may have 5 MB of media (SDK 4.17.1), a third more than that in base64. */
const FRAME_BYTES_MAX = 5_000_000

const sizes = z.array(z.string().regex(/^\d+:\d+$/, 'must be like "1280:720"'))
/** What the adapter must know of one model; sizes as Runway writes them: `1280:720`. */
const Options = z.strictObject({
  /** What it makes of words, of a first frame, and as a picture. Empty: not at all. */
  text: sizes.default([]),
  frame: sizes.default([]),
  picture: sizes.default([]),
  /** Pictures that it looks at: none, some, or at least one. */
  references: z.enum(['none', 'any', 'required']).default('none'),
  /** Fields of a film that it has beside the usual ones. */
  has: z.array(z.enum(['last_frame', 'audio', 'negative_prompt', 'seed'])).default([]),
})
type Options = z.infer<typeof Options>

const Task = z.looseObject({
  id: z.string().min(1),
  /** Absent in the answer to a submission. */
  status: z.string().default('PENDING'),
  progress: z.number().min(0).max(1).nullish(),
  output: z.array(z.string()).nullish(),
  failure: z.string().nullish(),
  failureCode: z.string().nullish(),
})
const Ref = z.looseObject({ id: z.string() })

/** SAFETY.INPUT.TEXT, INPUT_PREPROCESSING.SAFETY.TEXT, ASSET.INVALID, INTERNAL.BAD_OUTPUT.CODE01, … (errors/task-failures) */
function kindOf(code: string | null | undefined): ErrorKind {
  if (/SAFETY|MODERATION/.test(code ?? '')) return 'content_policy'
  return /^(?:ASSET|INPUT_PREPROCESSING\.(?!INTERNAL))/.test(code ?? '') ? 'invalid_request' : 'unavailable'
}

/** Out of credits is a 400 like any other: `You do not have enough credits to run this task.` */
const refusal = ({ error }: Record<string, unknown>): Refusal | undefined =>
  typeof error === 'string' && /not have enough credits/i.test(error) ? { kind: 'quota', message: error } : undefined

function tasks<Output>(server: TaskServer, finish: (urls: string[]) => Output) {
  async function look(call: Call, method: 'GET' | 'POST', path: string, kept: JsonObject, body?: JsonObject) {
    const task = await ask(server, call, { method, path, ...(body && { body }) }, Task)
    const ref = { ...kept, id: task.id }
    switch (task.status) {
      case 'SUCCEEDED': {
        if (!task.output?.length) throw unreadable(server.provider)
        return done(finish(task.output), { ...(kept.usage as unknown as Usage), source: 'counted' })
      }
      case 'FAILED':
        return failed(refused({ kind: kindOf(task.failureCode), message: task.failure ?? undefined }, server.provider))
      case 'CANCELLED':
        return failed(refused({ kind: 'unavailable' }, server.provider))
      default:
        return pending(ref, task.progress ? task.progress * 100 : undefined, POLL_AFTER_MS)
    }
  }
  const pathOf = (ref: Json) => `/v1/tasks/${encodeURIComponent(Ref.parse(ref).id)}`
  return {
    submit: (
      path: string,
      body: JsonObject,
      { meters, attributes = {} }: Usage,
      call: Call,
    ): Promise<Progress<Output>> => look(call, 'POST', path, { usage: { meters, attributes } }, body),
    poll: (ref: Json, call: Call): Promise<Progress<Output>> =>
      look(call, 'GET', pathOf(ref), Ref.parse(ref) as JsonObject),
    async cancel(ref: Json, call: Call): Promise<void> {
      await ask(server, call, { method: 'DELETE', path: pathOf(ref) }, z.unknown())
    },
  }
}

/* ---- films ------------------------------------------------------------------------------------------------------- */

function video(server: TaskServer): Generator<VideoRequest, VideoOutput> {
  const { submit, poll, cancel } = tasks<VideoOutput>(server, ([url = '']) => ({ video: { type: 'url', url } }))
  return {
    takes: ['aspect_ratio', 'resolution', 'first_frame', 'last_frame', 'audio', 'negative_prompt', 'seed'],
    start(request, call) {
      const { path, body, usage } = film(request, call.upstream, Options.parse(call.options))
      return submit(path, body, usage, call)
    },
    poll,
    cancel,
    estimate: (request, upstream, options) => film(request, upstream, Options.parse(options)).usage,
  }
}

function film(request: VideoRequest, upstream: string, options: Options) {
  const { model, prompt, seconds, first_frame, last_frame, audio, negative_prompt, seed } = request
  for (const name of ['last_frame', 'audio', 'negative_prompt', 'seed'] as const)
    if (request[name] !== undefined && !options.has.includes(name))
      throw refuse(name, `${model} does not take '${name}'.`)
  const [usual, ...others] = first_frame ? options.frame : options.text
  if (usual === undefined && options.text.length + options.frame.length > 0)
    throw refuse(
      'input_reference',
      first_frame ? `${model} begins with words, not with a picture.` : `${model} needs a first picture.`,
    )
  if (last_frame && !first_frame) throw refuse('last_frame', "'last_frame' needs a first one: 'input_reference'.")
  const ratio = usual === undefined ? sizeIn(request) : (fitFilm(request, [usual, ...others], model) ?? usual)
  const frame = first_frame && frameOf(first_frame, 'input_reference')
  const body: JsonObject = {
    model: upstream,
    promptText: prompt,
    ratio,
    duration: seconds,
    ...(frame && {
      promptImage: last_frame
        ? [
            { uri: frame, position: 'first' },
            { uri: frameOf(last_frame, 'last_frame'), position: 'last' },
          ]
        : frame,
    }),
    ...(options.has.includes('audio') && { audio: audio ?? true }),
    ...(negative_prompt !== undefined && { negativePrompt: negative_prompt }),
    ...(seed !== undefined && { seed }),
  }
  const attributes = {
    resolution: resolutionOf(ratio),
    ...(options.has.includes('audio') && { audio: String(audio ?? true) }),
  }
  const usage: Usage = { meters: { video_seconds: seconds, videos: 1 }, attributes, source: 'estimated' }
  return { path: first_frame ? '/v1/image_to_video' : '/v1/text_to_video', body, usage }
}

/** Sizes of a film by its size, or by its ratio among those of the asked resolution. */
function fitFilm(request: VideoRequest, all: [string, ...string[]], model: string): string | undefined {
  const { size, aspect_ratio, resolution } = request
  if (size !== undefined) return fitSize({ size }, all, model)
  const [first, ...rest] = all.filter((each) => resolution === undefined || resolutionOf(each) === resolution)
  if (first === undefined)
    throw refuse('resolution', `${model} makes ${all.join(', ')}, none of which is ${resolution}.`)
  if (aspect_ratio === undefined) return first
  return fitRatio({ aspect_ratio }, [first, ...rest], model)
}

const shorterEdge = (ratio: string): number => Math.min(...ratio.split(':').map(Number))

/** A film's resolution: the wide and the square ones of 720p have shorter or longer edges than 720. */
const resolutionOf = (ratio: string): string => (shorterEdge(ratio) >= 1080 ? '1080p' : '720p')
/** A picture's: whatever is not exactly 720 is sold at the price of 1080p. */
const pictureResolution = (ratio: string): string => (shorterEdge(ratio) === 720 ? '720p' : '1080p')

const sizeIn = ({ size }: { size?: string }): string => size?.replace('x', ':') ?? '1280:720'

/** Its address, or the picture itself. */
function frameOf(asset: Asset, param: string): string {
  if (asset.type === 'bytes' && asset.data.byteLength > FRAME_BYTES_MAX)
    throw refuse(param, `'${param}' may have ${FRAME_BYTES_MAX / 1e6} MB at most.`)
  return addressOf(asset)
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

function image(server: TaskServer): ImageGenerator {
  const { submit, poll, cancel } = tasks<ImageOutput>(server, (urls) => ({
    images: urls.map((url) => ({ image: { type: 'url', url } })),
  }))
  return {
    takes: ['aspect_ratio', 'resolution', 'seed'],
    most_at_once: () => 1,
    start(request, call) {
      const { body, usage } = picture(request, call.upstream, Options.parse(call.options))
      return submit('/v1/text_to_image', body, { ...usage, meters: { images: 1 } }, call)
    },
    poll,
    cancel,
    estimate: (request, upstream, options) => picture(request, upstream, Options.parse(options)).usage,
  }
}

function picture(request: ImageRequest, upstream: string, options: Options) {
  const { model, prompt, n, size, images = [], mask, seed } = request
  refuseLook(request, model)
  if (mask) throw refuse('mask', `${model} takes no mask: say in words what is to change.`)
  if (images.length > 0 && options.references === 'none') throw refuse('image', `${model} takes no pictures along.`)
  if (images.length === 0 && options.references === 'required')
    throw refuse('image', `${model} needs a picture to look at: send it to POST /v1/images/edits.`)
  const [usual, ...others] = options.picture
  const shape = { ...request, size: size === 'auto' ? undefined : size }
  const ratio = usual === undefined ? sizeIn(request) : (fitSize(shape, [usual, ...others], model) ?? usual)
  const body: JsonObject = {
    model: upstream,
    promptText: prompt,
    ratio,
    ...(images.length > 0 && { referenceImages: images.map((each) => ({ uri: frameOf(each, 'image') })) }),
    ...(seed !== undefined && { seed }),
  }
  const usage: Usage = {
    meters: { images: n },
    attributes: { resolution: pictureResolution(ratio) },
    source: 'estimated',
  }
  return { body, usage }
}

export default defineProvider({
  contract: 1,
  name: 'Runway',
  docs: 'https://docs.dev.runwayml.com/guides/pricing/',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://api.dev.runwayml.com') }),
  environment: { api_key: 'RUNWAYML_API_SECRET', base_url: 'RUNWAYML_BASE_URL' },
  options: Options,
  connect: ({ api_key, base_url }, { fetch }) => {
    const headers = () => ({ authorization: `Bearer ${api_key}`, 'x-runway-version': VERSION })
    const server: TaskServer = { provider: 'Runway', base_url, fetch, headers, refusal }
    return { image: image(server), video: video(server) }
  },
})
