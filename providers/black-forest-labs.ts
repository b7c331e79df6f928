// Black Forest Labs: FLUX over its own API, submitted and polled. https://docs.bfl.ai/api-reference (2026-11-21)
import { z } from 'zod'
import {
  type Call,
  defineProvider,
  done,
  failed,
  type ImageGenerator,
  type ImageOutput,
  type ImageRequest,
  type JsonObject,
  type Progress,
  pending,
  type Usage,
} from '../src/contract.ts'
import { base64Of } from '../src/protocols/address.ts'
import { refuse, unreadable } from '../src/protocols/faults.ts'
import { ask, refused, type TaskServer } from '../src/protocols/media-tasks/client.ts'
import { fitRatio, pictureEdge, refuseLook } from '../src/protocols/media-tasks/fit.ts'
import { type Pixels, pixelsOf, sizeOf } from '../src/protocols/shape.ts'

/** What the adapter must know of one model; the defaults are those of FLUX.2 (docs.bfl.ai/flux_2, 2026-11-21). */
const Options = z.strictObject({
  /** How a picture's shape is told: in pixels, as a ratio, or not at all, because it is that of the picture to be changed. */
  shape: z.enum(['pixels', 'ratio', 'source']).default('pixels'),
  /** How many pictures may be sent along. */
  references: z.int().min(0).max(8).default(8),
  edge_min: z.int().default(64),
  edge_max: z.int().default(4096),
  edge_step: z.int().default(16),
  pixels_max: z.int().default(2048 * 2048),
})
type Options = z.infer<typeof Options>

const RATIOS = ['1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3', '21:9', '9:21'] as const
const MEGAPIXEL = 1024 * 1024
/** A picture sent along counts as no more than the largest that is made. */
const REFERENCE_MEGAPIXELS = 4
const POLL_AFTER_MS = 1000

const Submitted = z.looseObject({
  id: z.string().min(1),
  polling_url: z.string().nullish(),
  input_mp: z.number().nonnegative().nullish(),
})
const Result = z.looseObject({
  status: z.string(),
  progress: z.number().min(0).max(1).nullish(),
  result: z.looseObject({ sample: z.string().nullish() }).nullish(),
  details: z.unknown().optional(),
})
/** Kept on the job. */
const Ref = z.object({ url: z.string(), megapixels: z.number() })

function image(server: TaskServer): ImageGenerator {
  const { provider } = server

  async function start(request: ImageRequest, call: Call): Promise<Progress<ImageOutput>> {
    const options = Options.parse(call.options)
    const body = bodyOf(request, options)
    const { id, polling_url, input_mp } = await ask(
      server,
      call,
      { method: 'POST', path: `/v1/${call.upstream}`, body },
      Submitted,
    )
    const made = outputMegapixels(request, options)
    const url = ownAddress(server.base_url, polling_url) ?? `/v1/get_result?id=${encodeURIComponent(id)}`
    return pending({ url, megapixels: made + Math.ceil(input_mp ?? 0) }, undefined, POLL_AFTER_MS)
  }

  async function poll(ref: unknown, call: Call): Promise<Progress<ImageOutput>> {
    const { url, megapixels } = Ref.parse(ref)
    const { status, progress, result, details } = await ask(server, call, { method: 'GET', path: url }, Result)
    switch (status) {
      case 'Ready':
        if (!result?.sample) throw unreadable(provider)
        return done(
          { images: [{ image: { type: 'url', url: result.sample } }] },
          { meters: { images: 1, megapixels }, source: 'counted' },
        )
      case 'Request Moderated':
      case 'Content Moderated':
        return failed(refused({ kind: 'content_policy', message: moderation(status, details) }, provider))
      // Gone, or never there: no later look can find it.
      case 'Task not found':
      case 'Error':
      case 'Failed':
        return failed(refused({ kind: 'unavailable', message: status }, provider))
      default:
        return pending(Ref.parse(ref), progress ? progress * 100 : undefined, POLL_AFTER_MS)
    }
  }

  return {
    takes: ['aspect_ratio', 'resolution', 'seed'],
    most_at_once: () => 1,
    mask: 'white',
    start,
    poll,
    estimate: (request, _upstream, options) => estimate(request, Options.parse(options)),
  }
}

const moderation = (status: string, details: unknown): string => {
  const reasons = z.looseObject({ 'Moderation Reasons': z.array(z.string()) }).safeParse(details)
  const because = reasons.success ? ` (${reasons.data['Moderation Reasons'].join(', ')})` : ''
  return `The provider's moderation refused ${status === 'Request Moderated' ? 'the request' : 'the picture'}${because}.`
}

/** What the job is billed for at most: a picture made like one sent along is as large as any. */
function estimate(request: ImageRequest, options: Options): Usage {
  bodyOf(request, options)
  const sent = REFERENCE_MEGAPIXELS * (request.images?.length ?? 0)
  const megapixels = request.n * (outputMegapixels(request, options) + sent)
  return { meters: { images: request.n, megapixels }, source: 'estimated' }
}

function outputMegapixels(request: ImageRequest, options: Options): number {
  const pixels = pixelsFor(request, options)
  return Math.ceil((pixels ? pixels.width * pixels.height : options.pixels_max) / MEGAPIXEL)
}

function bodyOf(request: ImageRequest, options: Options): JsonObject {
  const { prompt, images = [], mask, seed, output_format } = request
  refuseLook(request, request.model)
  if (images.length > options.references) {
    const most = options.references === 0 ? 'no pictures along' : `at most ${options.references} pictures`
    throw refuse('image', `${request.model} takes ${most}; these are ${images.length}.`)
  }
  if (mask && options.shape !== 'source') throw refuse('mask', `${request.model} takes no mask.`)
  if (options.shape === 'source' && images.length === 0)
    throw refuse('image', `${request.model} changes a picture: send one to POST /v1/images/edits.`)
  const data = images.map((asset) => (asset.type === 'url' ? asset.url : base64Of(asset.data)))
  const named = data.map((each, index) => [index === 0 ? 'input_image' : `input_image_${index + 1}`, each])
  return {
    prompt,
    ...(options.shape === 'source' ? { image: data[0] ?? '' } : Object.fromEntries(named)),
    ...(mask?.type === 'bytes' && { mask: base64Of(mask.data) }),
    ...shapeOf(request, options),
    ...(seed !== undefined && { seed }),
    // It makes these two; every other is made of PNG here.
    output_format: output_format === 'jpeg' ? 'jpeg' : 'png',
  }
}

function shapeOf(request: ImageRequest, options: Options): JsonObject {
  const { size, aspect_ratio, resolution, model } = request
  if (options.shape === 'pixels') {
    const pixels = pixelsFor(request, options)
    return pixels ? { ...pixels } : {}
  }
  if (options.shape === 'source') {
    const param = size !== undefined && size !== 'auto' ? 'size' : aspect_ratio ? 'aspect_ratio' : 'resolution'
    if (param !== 'resolution' || resolution !== undefined)
      throw refuse(param, `${model} keeps the size of the picture. Leave '${param}' out.`)
    return {}
  }
  if (resolution !== undefined) throw refuse('resolution', `${model} makes pictures of one resolution.`)
  const ratio = fitRatio({ size, aspect_ratio }, RATIOS, model)
  return ratio === undefined ? {} : { aspect_ratio: ratio }
}

/** Undefined where it follows the picture that was sent. */
function pixelsFor(request: ImageRequest, options: Options): Pixels | undefined {
  if (options.shape !== 'pixels') return undefined
  const { size, aspect_ratio, resolution, images, model } = request
  const { edge_min, edge_max, edge_step, pixels_max } = options
  const asked = pixelsOf(size)
  if (!asked && aspect_ratio === undefined && resolution === undefined && images?.length) return undefined
  pictureEdge(resolution, model)
  const pixels = asked ?? pixelsOf(sizeOf({ aspect_ratio, resolution })) ?? { width: 1024, height: 1024 }
  const stepped = asked ? pixels : inSteps(pixels, options)
  const edges = [stepped.width, stepped.height]
  const fits = edges.every((edge) => edge >= edge_min && edge <= edge_max && edge % edge_step === 0)
  if (fits && stepped.width * stepped.height <= pixels_max) return stepped
  const param = asked ? 'size' : resolution !== undefined && resolution !== '1K' ? 'resolution' : 'aspect_ratio'
  const rule = `edges of ${edge_min} to ${edge_max} in steps of ${edge_step}, ${pixels_max} pixels at most`
  throw refuse(param, `${model} makes pictures with ${rule}; this would be ${stepped.width}x${stepped.height}.`)
}

/** The nearest in the model's steps, or the one below where that is one pixel too many. */
function inSteps({ width, height }: Pixels, { edge_step, pixels_max }: Options): Pixels {
  const cut = (round: (steps: number) => number): Pixels => ({
    width: round(width / edge_step) * edge_step,
    height: round(height / edge_step) * edge_step,
  })
  const nearest = cut(Math.round)
  return nearest.width * nearest.height <= pixels_max ? nearest : cut(Math.floor)
}

/** The address to poll, if it is the provider's own: our key goes there. */
function ownAddress(base_url: string, polling_url: string | null | undefined): string | undefined {
  const [base, url] = [URL.parse(base_url), URL.parse(polling_url ?? '')]
  if (!base || !url) return undefined
  if (url.origin === base.origin) return url.href
  const both = [base, url].every(({ protocol, host }) => protocol === 'https:' && /(?:^|\.)bfl\.(?:ai|ml)$/.test(host))
  return both ? url.href : undefined
}

export default defineProvider({
  contract: 1,
  name: 'Black Forest Labs',
  docs: 'https://bfl.ai/pricing',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://api.bfl.ai') }),
  environment: { api_key: 'BFL_API_KEY', base_url: 'BFL_BASE_URL' },
  options: Options,
  connect: ({ api_key, base_url }, { fetch }) => ({
    image: image({ provider: 'Black Forest Labs', base_url, fetch, headers: () => ({ 'x-key': api_key }) }),
  }),
})
