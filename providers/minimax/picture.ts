// Pictures of MiniMax: made within one request, as base64.
import { z } from 'zod'
import { done, type ImageGenerator, type ImageRequest, type JsonObject, type Usage } from '../../src/contract.ts'
import { refuse } from '../../src/protocols/faults.ts'
import { ask, refused, type TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { fitRatio, refuseLook } from '../../src/protocols/media-tasks/fit.ts'
import { pixelsOf } from '../../src/protocols/shape.ts'

const RATIOS = ['1:1', '16:9', '4:3', '3:2', '2:3', '3:4', '9:16', '21:9'] as const
const AT_ONCE = 9
const EDGE_MIN = 512
const EDGE_MAX = 2048
const EDGE_STEP = 8

const Answer = z.looseObject({
  data: z.looseObject({ image_base64: z.array(z.string().min(1)).nullish() }).nullish(),
})

export function minimaxImage(server: TaskServer): ImageGenerator {
  return {
    takes: ['aspect_ratio', 'seed'],
    most_at_once: () => AT_ONCE,
    async start(request, call) {
      const body = bodyOf(request, call.upstream)
      const { data } = await ask(server, call, { method: 'POST', path: '/v1/image_generation', body }, Answer)
      // Pictures that its moderation took out are not there, and not billed (metadata.failed_count).
      const pictures = data?.image_base64 ?? []
      if (pictures.length === 0)
        throw refused(
          { kind: 'content_policy', message: 'The provider’s moderation left no picture.' },
          server.provider,
        )
      const images = pictures.map((base64) => ({
        image: { type: 'bytes' as const, data: Buffer.from(base64, 'base64'), media_type: 'image/jpeg' },
      }))
      return done({ images }, { meters: { images: images.length }, source: 'counted' })
    },
    estimate(request, upstream): Usage {
      bodyOf(request, upstream)
      return { meters: { images: request.n }, source: 'estimated' }
    },
  }
}

function bodyOf(request: ImageRequest, upstream: string): JsonObject {
  const { model, prompt, n, images = [], seed } = request
  refuseLook(request, model)
  if (images.length > 0) throw refuse('image', `${model} changes no pictures.`)
  return {
    model: upstream,
    prompt,
    n,
    response_format: 'base64',
    ...shapeOf(request),
    ...(seed !== undefined && { seed }),
  }
}

function shapeOf(request: ImageRequest): JsonObject {
  const { size, model } = request
  const pixels = pixelsOf(size)
  if (!pixels) return { aspect_ratio: fitRatio(request, RATIOS, model) ?? '1:1' }
  const fits = [pixels.width, pixels.height].every(
    (edge) => edge >= EDGE_MIN && edge <= EDGE_MAX && edge % EDGE_STEP === 0,
  )
  if (fits) return { ...pixels }
  const rule = `${EDGE_MIN} to ${EDGE_MAX} in steps of ${EDGE_STEP}`
  throw refuse('size', `${model} makes pictures with edges of ${rule}; this is ${size}.`)
}
