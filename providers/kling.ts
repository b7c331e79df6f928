// Kling: films and pictures over its API, submitted and polled under a token signed for each call.
// https://kling.ai/document-api (2026-11-21). Continuing a film (video-extend) is left out: it knows only models that ended on
// 2026-09-15, and has no published price.
import { createHmac } from 'node:crypto'
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
  ProviderError,
  pending,
  type Usage,
  type VideoOutput,
  type VideoRequest,
} from '../src/contract.ts'
import { base64Of } from '../src/protocols/address.ts'
import { ask, type Refusal, refused, type TaskServer, unreadable } from '../src/protocols/media-tasks/client.ts'
import { fitRatio, refuse, refuseLook } from '../src/protocols/media-tasks/fit.ts'
import { filmResolution, pictureResolution } from '../src/protocols/shape.ts'

/** What the adapter must know of one model. */
const Options = z.strictObject({
  /** Whether its films may have sound: never, at 1080p alone, or at every resolution. */
  sound: z.enum(['none', '1080p', 'all']).default('none'),
})
type Options = z.infer<typeof Options>

const FILM_RATIOS = ['16:9', '9:16', '1:1'] as const
const PICTURE_RATIOS = ['1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3', '21:9'] as const
const RESOLUTIONS = ['720p', '1080p'] as const
const MODES = { '720p': 'std', '1080p': 'pro' } as const
const PICTURES_AT_ONCE = 9
const POLL_AFTER_MS = 5000

const Answer = z.looseObject({
  data: z.looseObject({
    task_id: z.string().min(1),
    task_status: z.string(),
    task_status_msg: z.string().nullish(),
    task_result: z
      .looseObject({
        videos: z
          .array(z.looseObject({ url: z.string(), duration: z.union([z.string(), z.number()]).nullish() }))
          .nullish(),
        images: z.array(z.looseObject({ url: z.string() })).nullish(),
      })
      .nullish(),
  }),
})
type Task = z.infer<typeof Answer>['data']

const Ref = z.looseObject({ id: z.string(), path: z.string() })

/** Its own codes, which come with HTTP's (apiReference/commonInfo, 2026-11-21). */
const CODES: Record<number, ErrorKind> = {
  1000: 'authentication',
  1001: 'authentication',
  1002: 'authentication',
  1003: 'authentication',
  1004: 'authentication',
  1100: 'permission',
  1101: 'quota',
  1102: 'quota',
  1103: 'permission',
  1200: 'invalid_request',
  1201: 'invalid_request',
  1202: 'invalid_request',
  1203: 'not_found',
  1300: 'content_policy',
  1301: 'content_policy',
  1302: 'rate_limit',
  1303: 'rate_limit',
  1304: 'permission',
  5000: 'unavailable',
  5001: 'overloaded',
  5002: 'timeout',
}

function refusal({ code, message }: Record<string, unknown>): Refusal | undefined {
  if (typeof code !== 'number' || code === 0) return undefined
  const words = typeof message === 'string' ? message : undefined
  return { kind: CODES[code] ?? 'unavailable', message: words }
}

/** Failed work has no code, only words. */
const kindOf = (words: string | null | undefined): ErrorKind =>
  /risk|sensitive|polic|moderat|violat|prohibit/i.test(words ?? '') ? 'content_policy' : 'unavailable'

type Result = NonNullable<Task['task_result']>

function tasks<Output>(
  server: TaskServer,
  paths: readonly string[],
  finish: (result: Result, kept: JsonObject) => Progress<Output>,
) {
  function read({ task_id, task_status, task_status_msg, task_result }: Task, kept: JsonObject): Progress<Output> {
    if (task_status === 'succeed') return finish(task_result ?? {}, kept)
    if (task_status !== 'failed') return pending({ ...kept, id: task_id }, undefined, POLL_AFTER_MS)
    return failed(refused({ kind: kindOf(task_status_msg), message: task_status_msg ?? undefined }, server.provider))
  }
  const look = async (path: string, id: string, kept: JsonObject, call: Call) => {
    const { data } = await ask(server, call, { method: 'GET', path: `${path}/${encodeURIComponent(id)}` }, Answer)
    return read(data, kept)
  }
  return {
    async submit(path: string, body: JsonObject, usage: JsonObject, call: Call): Promise<Progress<Output>> {
      const named = { ...body, external_task_id: call.job }
      const { data } = await ask(server, call, { method: 'POST', path, body: named }, Answer)
      return read(data, { path, usage })
    },
    poll(ref: Json, call: Call): Promise<Progress<Output>> {
      const { id, path, ...kept } = Ref.parse(ref)
      return look(path, id, { ...kept, path } as JsonObject, call)
    },
    /** A task is found by our own id as well as by Kling's; which of its paths took it, nobody remembers. */
    async find(usage: JsonObject, call: Call): Promise<Progress<Output> | undefined> {
      for (const path of paths) {
        try {
          return await look(path, call.job, { path, usage }, call)
        } catch (error) {
          if (!(error instanceof ProviderError) || error.kind !== 'not_found') throw error
        }
      }
      return undefined
    },
  }
}

const dataOf = (asset: Asset): string => (asset.type === 'url' ? asset.url : base64Of(asset.data))
const kept = ({ meters, attributes = {} }: Usage): JsonObject => ({ meters, attributes })

/* ---- films ------------------------------------------------------------------------------------------------------- */

const FILM_PATHS = ['/v1/videos/text2video', '/v1/videos/image2video'] as const

function video(server: TaskServer): Generator<VideoRequest, VideoOutput> {
  const { submit, poll, find } = tasks<VideoOutput>(server, FILM_PATHS, ({ videos }, { usage }) => {
    const [film] = videos ?? []
    const { meters, attributes } = usage as unknown as Usage
    const seconds = Number(film?.duration)
    const reported = seconds > 0 ? { ...meters, video_seconds: Math.round(seconds) } : meters
    if (!film || reported.video_seconds === undefined) throw unreadable(server.provider)
    return done(
      { video: { type: 'url', url: film.url } },
      { meters: reported, ...(attributes && { attributes }), source: seconds > 0 ? 'reported' : 'counted' },
    )
  })
  return {
    takes: ['aspect_ratio', 'resolution', 'first_frame', 'last_frame', 'audio', 'negative_prompt'],
    start(request, call) {
      const { path, body, usage } = film(request, call.upstream, Options.parse(call.options))
      return submit(path, body, kept(usage), call)
    },
    poll,
    // The film says itself how long it is, and the job what else chooses its rate.
    find: (call) => find({ meters: { videos: 1 } }, call),
    estimate: (request, upstream, options) => film(request, upstream, Options.parse(options)).usage,
  }
}

function film(request: VideoRequest, upstream: string, options: Options) {
  const { model, prompt, seconds, first_frame, last_frame, audio, negative_prompt } = request
  const resolution = filmResolution(request, RESOLUTIONS)
  if (audio && (options.sound === 'none' || (options.sound === '1080p' && resolution !== '1080p')))
    throw refuse('audio', `${model} makes ${options.sound === 'none' ? 'silent films alone' : 'sound at 1080p alone'}.`)
  if (last_frame && !first_frame) throw refuse('last_frame', "'last_frame' needs a first one: 'input_reference'.")
  // A film that begins with a picture has the picture's ratio.
  const ratio = fitRatio(request, FILM_RATIOS, model)
  if (first_frame && request.aspect_ratio !== undefined)
    throw refuse('aspect_ratio', `${model} takes the ratio from the first picture. Leave 'aspect_ratio' out.`)
  const body: JsonObject = {
    model_name: upstream,
    prompt,
    mode: MODES[resolution],
    duration: String(seconds),
    ...(negative_prompt !== undefined && { negative_prompt }),
    ...(options.sound !== 'none' && { sound: audio ? 'on' : 'off' }),
    ...(first_frame ? { image: dataOf(first_frame) } : { aspect_ratio: ratio ?? '16:9' }),
    ...(last_frame && { image_tail: dataOf(last_frame) }),
  }
  const usage: Usage = {
    meters: { video_seconds: seconds, videos: 1 },
    attributes: { resolution, audio: String(audio ?? false) },
    source: 'estimated',
  }
  return { path: FILM_PATHS[first_frame ? 1 : 0], body, usage }
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

const PICTURE_PATH = '/v1/images/generations'

function image(server: TaskServer): ImageGenerator {
  const { submit, poll } = tasks<ImageOutput>(server, [PICTURE_PATH], ({ images }, { usage }) => {
    if (!images?.length) throw unreadable(server.provider)
    const { meters, attributes } = usage as unknown as Usage
    const sent = meters.input_images ? { input_images: images.length } : {}
    return done(
      { images: images.map(({ url }) => ({ image: { type: 'url', url } })) },
      { meters: { images: images.length, ...sent }, ...(attributes && { attributes }), source: 'counted' },
    )
  })
  return {
    takes: ['aspect_ratio', 'resolution', 'negative_prompt'],
    most_at_once: () => PICTURES_AT_ONCE,
    start(request, call) {
      const { body, usage } = picture(request, call.upstream)
      return submit(PICTURE_PATH, body, kept(usage), call)
    },
    poll,
    estimate: (request, upstream) => picture(request, upstream).usage,
  }
}

function picture(request: ImageRequest, upstream: string) {
  const { model, prompt, n, images = [], mask, negative_prompt } = request
  refuseLook(request, model)
  if (mask) throw refuse('mask', `${model} takes no mask: say in words what is to change.`)
  if (images.length > 1) throw refuse('image', `${model} takes one picture along; these are ${images.length}.`)
  const [source] = images
  if (source && negative_prompt !== undefined)
    throw refuse('negative_prompt', `${model} takes no 'negative_prompt' beside a picture.`)
  const resolution = pictureResolution(request)
  if (resolution === '4K') throw refuse(request.size ? 'size' : 'resolution', `${model} makes pictures of 1K and 2K.`)
  const body: JsonObject = {
    model_name: upstream,
    prompt,
    n,
    resolution: resolution.toLowerCase(),
    aspect_ratio: fitRatio(request, PICTURE_RATIOS, model) ?? '1:1',
    ...(negative_prompt !== undefined && { negative_prompt }),
    ...(source && { image: dataOf(source) }),
  }
  const usage: Usage = {
    meters: { images: n, ...(source && { input_images: n }) },
    attributes: { resolution },
    source: 'estimated',
  }
  return { body, usage }
}

/* ---- the credential ---------------------------------------------------------------------------------------------- */

const TOKEN_S = 1800
/** Clocks differ a little: the token holds from five seconds ago. */
const EARLY_S = 5

/** A token of half an hour, made of the two keys (JWT, HS256). */
function tokenOf(access_key: string, secret_key: string, now_s = Math.floor(Date.now() / 1000)): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: access_key, exp: now_s + TOKEN_S, nbf: now_s - EARLY_S }
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${createHmac('sha256', secret_key).update(signed).digest('base64url')}`
}

export default defineProvider({
  contract: 1,
  name: 'Kling',
  docs: 'https://kling.ai/document-api/pricing/base/video',
  settings: z.object({
    access_key: z.string().min(1),
    secret_key: z.string().min(1),
    base_url: z.url().default('https://api-singapore.klingai.com'),
  }),
  options: Options,
  connect: ({ access_key, secret_key, base_url }, { fetch }) => {
    const headers = () => ({ authorization: `Bearer ${tokenOf(access_key, secret_key)}` })
    const server: TaskServer = { provider: 'Kling', base_url, fetch, headers, refusal }
    return { image: image(server), video: video(server) }
  },
})
