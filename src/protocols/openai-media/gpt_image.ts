// What OpenAI's own picture models make: sizes, qualities, fidelity by model. Refused by the field's name before anything is
// held; ratios and resolutions become sizes by the model's own rules. It knows no other server's models.
// Rules: comments of openai 7.55.0 (2026-11-10) and developers.openai.com/api/docs/models (2026-11-21).
import type { ImageGenerator, ImageRequest, JsonObject } from '../../contract.ts'
import { refuse } from '../faults.ts'
import { fitSize } from '../media-tasks/fit.ts'
import { type Pixels, pixelsOf, ratioOf, sizeOf } from '../shape.ts'

/** gpt-image-2 and later take any size within these. */
const EDGE_STEP = 16
const EDGE_MAX = 3840
const PIXELS_MAX = 3840 * 2160
const RATIO_MAX = 3

const QUALITIES = ['auto', 'low', 'medium', 'high']
const COMPLEXITIES = ['low', 'medium', 'high']

/** A dated snapshot has the rules of its model. */
const isFree = (upstream: string) => /^gpt-image-[2-9]/.test(upstream)
const hasMore = (upstream: string) => /^gpt-image-(?:2\.[5-9]|[3-9])/.test(upstream)
const isOwn = (upstream: string) => /^(?:gpt-image-|chatgpt-image-)/.test(upstream)

/** The same generator, knowing OpenAI's own models; every other upstream passes through it unchanged. */
export function gptImage(generator: ImageGenerator): ImageGenerator {
  const { start, forward, estimate, takes = [] } = generator
  return {
    ...generator,
    takes: [...takes, 'aspect_ratio', 'resolution'],
    start: (request, call) => start(ownTerms(request, call.upstream, call.options), call),
    ...(forward && {
      forward: (request, call) => forward(ownTerms(request, call.upstream, call.options), call),
    }),
    ...(estimate && {
      estimate: (request, upstream, options) => {
        const own = ownTerms(request, upstream, options)
        const usage = estimate(own, upstream, options)
        return { ...usage, attributes: { ...(own.size !== undefined && { size: own.size }), ...usage.attributes } }
      },
    }),
  }
}

/** Throws ProviderError naming the field that the model cannot honour. */
function ownTerms(request: ImageRequest, upstream: string, options: JsonObject): ImageRequest {
  const { aspect_ratio, resolution, ...rest } = request
  const sized: ImageRequest =
    aspect_ratio === undefined && resolution === undefined
      ? rest
      : { ...rest, size: sizeFor({ aspect_ratio, resolution }, request.model, upstream, options) }
  if (!isOwn(upstream)) return sized
  if (isFree(upstream)) checkFreeSize(sized)
  checkLook(sized, upstream)
  return withFidelity(sized, upstream)
}

interface Wanted {
  aspect_ratio: string | undefined
  resolution: string | undefined
}

function sizeFor(wanted: Wanted, model: string, upstream: string, { sizes }: JsonObject): string {
  const [first, ...others] = Array.isArray(sizes) ? sizes.map(String).filter((size) => pixelsOf(size)) : []
  if (first !== undefined) return fitSize(wanted, [first, ...others], model) ?? first
  return isFree(upstream) && wanted.resolution?.toUpperCase() === '4K' ? largest(wanted) : sizeOf(wanted)
}

/** 4K is the most that the model makes of this ratio: 3840x2160, 2880x2880. */
function largest({ aspect_ratio }: Wanted): string {
  const ratio = ratioOf(aspect_ratio) ?? 1
  const stepped = (edge: number) => Math.floor(Math.min(edge, EDGE_MAX) / EDGE_STEP) * EDGE_STEP
  const width = stepped(Math.min(Math.sqrt(PIXELS_MAX * ratio), EDGE_MAX * Math.min(1, ratio)))
  return `${width}x${stepped(width / ratio)}`
}

function checkFreeSize({ size, model }: ImageRequest): void {
  if (size === undefined || size === 'auto') return
  const pixels = pixelsOf(size)
  if (!pixels) throw refuse('size', `'size' is a width and a height, like "1536x864", or "auto".`)
  const wrong = wrongWith(pixels)
  if (wrong) throw refuse('size', `${model} makes pictures with edges that are ${wrong}; this is ${size}.`)
}

function wrongWith({ width, height }: Pixels): string | undefined {
  const long = Math.max(width, height)
  if (width % EDGE_STEP || height % EDGE_STEP) return `multiples of ${EDGE_STEP}`
  if (long > RATIO_MAX * Math.min(width, height)) return `at most ${RATIO_MAX} times as long as wide`
  if (long > EDGE_MAX || width * height > PIXELS_MAX) return `at most ${EDGE_MAX} long, ${PIXELS_MAX} pixels in all`
  return undefined
}

function checkLook(request: ImageRequest, upstream: string): void {
  const { model, quality, background, output_format, output_compression, extra = {}, mask, images } = request
  const qualities = hasMore(upstream) ? [...QUALITIES, 'xhigh', 'max'] : QUALITIES
  if (quality !== undefined && !qualities.includes(quality))
    throw refuse('quality', `${model} takes 'quality' ${qualities.join(', ')}, not ${quality.slice(0, 50)}.`)
  const { complexity } = extra
  if (complexity !== undefined && !COMPLEXITIES.includes(String(complexity)))
    throw refuse('complexity', `'complexity' is ${COMPLEXITIES.join(', ')}: how much the model plans before it draws.`)
  if (background === 'transparent' && output_format === 'jpeg')
    throw refuse('background', "JPEG knows no transparency: set 'output_format' to png or webp.")
  if (output_compression !== undefined && output_compression < 100 && (output_format ?? 'png') === 'png')
    throw refuse('output_compression', "PNG loses nothing: set 'output_format' to jpeg or webp to compress.")
  if (mask && !images?.length)
    throw refuse('mask', "'mask' says which part of a picture is to change: send 'image' too.")
  if (extra.markup !== undefined && mask) throw refuse('markup', "'markup' and 'mask' exclude each other.")
}

/** gpt-image-2 and later always look closely and refuse to be told so; 1-mini never does. */
function withFidelity(request: ImageRequest, upstream: string): ImageRequest {
  const { input_fidelity, ...extra } = request.extra ?? {}
  if (input_fidelity === undefined) return request
  if (isFree(upstream) && input_fidelity === 'high') return { ...request, extra }
  if (isFree(upstream))
    throw refuse('input_fidelity', `${request.model} always keeps to the pictures closely. Leave 'input_fidelity' out.`)
  if (upstream.startsWith('gpt-image-1-mini') && input_fidelity !== 'low')
    throw refuse('input_fidelity', `${request.model} takes 'input_fidelity' low alone.`)
  return request
}
