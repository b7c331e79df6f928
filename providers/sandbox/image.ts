// The sandbox's images: says what may be asked for, what it will consume, and hands the drawing to picture.ts.
import { done, type ImageGenerator, type ImageRequest, type Usage } from '../../src/contract.ts'
import { createGate } from './gate.ts'
import { type FirstTime, type Orders, obey, readOrders } from './orders.ts'
import { throwIfCanceled } from './pause.ts'
import { encoded, type PictureFormat, type PicturePlan, paint, unfinished } from './picture.ts'
import { refusal, requireBytes, requireOneOf, requireWhole } from './refusal.ts'

const DEFAULT_SIZE = '1024x1024'
const SMALLEST_SIDE = 64
const LARGEST_SIDE = 4096
const MOST_IMAGES = 10
const MOST_INPUTS = 16
const MOST_PARTIALS = 3
const FORMATS: PictureFormat[] = ['png', 'webp', 'jpeg']
const QUALITIES = ['auto', 'low', 'medium', 'high', 'standard', 'hd']
const BACKGROUNDS = ['auto', 'opaque', 'transparent']

// A 4096x4096 picture is 67 MB of pixels: more than two at once would crowd out the router.
const drawing = createGate(2)

export function sandboxImage(firstTime: FirstTime): ImageGenerator {
  return {
    estimate: (request) => {
      planFor(request)
      return usageOf(request, 'estimated')
    },
    async start(request, call) {
      const { plan, orders } = planFor(request)
      await obey(orders, call, firstTime)
      const images = []
      for (let index = 0; index < request.n; index++) {
        throwIfCanceled(call.signal)
        images.push(
          await drawing(async () => {
            const raster = await paint(plan, index)
            // As with OpenAI, the caller watches the first picture grow.
            const partials = index === 0 && call.partial !== undefined ? (request.partial_images ?? 0) : 0
            for (let step = 0; step < partials; step++) {
              call.partial?.(await encoded(await unfinished(raster, step), plan), step)
            }
            return { image: await encoded(raster, plan) }
          }),
        )
      }
      return done({ images }, usageOf(request, 'reported'))
    },
  }
}

const usageOf = (request: ImageRequest, source: Usage['source']): Usage => ({
  meters: { images: request.n },
  attributes: { size: sizeOf(request), quality: request.quality ?? 'auto' },
  source,
})

const sizeOf = ({ size = 'auto' }: ImageRequest): string => (size === 'auto' ? DEFAULT_SIZE : size)

/** Throws invalid_request, naming the field, for what the sandbox does not draw. */
function planFor(request: ImageRequest): { plan: PicturePlan; orders: Orders } {
  const orders = readOrders(request.prompt, { param: 'prompt' })
  const format = requireOneOf('output_format', request.output_format ?? 'png', FORMATS)
  const background = requireOneOf('background', request.background ?? 'auto', BACKGROUNDS)
  requireOneOf('quality', request.quality ?? 'auto', QUALITIES)
  requireWhole('n', request.n, 1, MOST_IMAGES)
  requireWhole('partial_images', request.partial_images ?? 0, 0, MOST_PARTIALS)
  requireWhole('output_compression', request.output_compression ?? 100, 0, 100)
  if (format === 'png' && (request.output_compression ?? 100) !== 100) {
    throw refusal('output_compression', 'PNG is never lossy: leave output_compression out, or ask for webp or jpeg')
  }
  if (format === 'jpeg' && background === 'transparent') {
    throw refusal('background', 'JPEG cannot be transparent: ask for png or webp')
  }
  if ((request.images?.length ?? 0) > MOST_INPUTS) throw refusal('image', `send at most ${MOST_INPUTS} pictures`)
  if (request.mask !== undefined && (request.images ?? []).length === 0) throw refusal('mask', 'a mask needs an image')
  const plan: PicturePlan = {
    ...pixelsOf(sizeOf(request)),
    words: orders.text,
    transparent: background === 'transparent',
    format,
    compression: request.output_compression ?? 90,
    images: (request.images ?? []).map((image) => requireBytes('image', image)),
    ...(request.mask === undefined ? {} : { mask: requireBytes('mask', request.mask) }),
  }
  return { plan, orders }
}

function pixelsOf(size: string): { width: number; height: number } {
  const [, width, height] = (/^(\d{2,4})x(\d{2,4})$/.exec(size) ?? []).map(Number)
  const fits = (side: number | undefined) => side !== undefined && side >= SMALLEST_SIDE && side <= LARGEST_SIDE
  if (width === undefined || height === undefined || !fits(width) || !fits(height)) {
    throw refusal(
      'size',
      `"${size.slice(0, 20)}" is not auto or WIDTHxHEIGHT with sides from ${SMALLEST_SIDE} to ${LARGEST_SIDE}`,
    )
  }
  if (Math.max(width, height) > 3 * Math.min(width, height)) {
    throw refusal('size', `${size} is too long: one side may be at most three times the other`)
  }
  return { width, height }
}
