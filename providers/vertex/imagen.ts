// Imagen: up to four pictures from words, at once. https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api
import { z } from 'zod'
import {
  type Call,
  done,
  type ImageGenerator,
  type ImageRequest,
  type JsonObject,
  ProviderError,
} from '../../src/contract.ts'
import { present } from '../../src/protocols/check_body.ts'
import { refuse } from '../../src/protocols/faults.ts'
import { fitRatio, fitResolution, refuseLook } from '../../src/protocols/media-tasks/fit.ts'
import { scrub } from '../../src/protocols/status.ts'
import { askModel, POLICY, type VertexServer } from './server.ts'

const RESOLUTION = z.enum(['1K', '2K'])

/** `options` of a model's entry in the price file. */
export const imagenOptions = {
  /** The resolutions that the model makes; 1K alone if absent. */
  resolutions: z.tuple([RESOLUTION], RESOLUTION).exactOptional(),
}
const Options = z.object(imagenOptions)

const Prediction = z.looseObject({
  bytesBase64Encoded: z.string().nullish(),
  mimeType: z.string().nullish(),
  prompt: z.string().nullish(),
  raiFilteredReason: z.string().nullish(),
})
const Answer = z.looseObject({ predictions: z.array(Prediction).nullish() })

const RATIOS = ['1:1', '3:4', '4:3', '9:16', '16:9'] as const
const AT_ONCE = 4

export function imagen(server: VertexServer): ImageGenerator {
  const { provider } = server
  return {
    takes: ['aspect_ratio', 'resolution', 'seed'],
    most_at_once: () => AT_ONCE,
    async start(request: ImageRequest, call: Call) {
      const { body, resolution } = bodyOf(request, call.options)
      const { predictions } = await askModel(server, call, 'predict', body, Answer)
      const images = (predictions ?? []).flatMap(({ bytesBase64Encoded: data, mimeType, prompt }) => {
        if (!data) return []
        const media_type = mimeType ?? 'image/png'
        const image = { type: 'bytes' as const, data: Buffer.from(data, 'base64'), media_type }
        return [{ image, ...(prompt ? { revised_prompt: prompt } : {}) }]
      })
      // What was filtered is not billed, so that fewer pictures cost less.
      if (images.length === 0) throw filtered(predictions ?? [], provider)
      return done({ images }, { meters: { images: images.length }, attributes: { resolution }, source: 'counted' })
    },
    estimate(request, _upstream, options) {
      const { resolution } = bodyOf(request, options)
      return { meters: { images: request.n }, attributes: { resolution }, source: 'estimated' }
    },
  }
}

/** An answer without pictures is that of the filter, with its reasons or without. */
function filtered(predictions: z.infer<typeof Prediction>[], provider: string): ProviderError {
  const reason = predictions.map(({ raiFilteredReason }) => raiFilteredReason).find(Boolean)
  if (reason && !POLICY.test(reason))
    return new ProviderError('unavailable', `${provider} made no picture.`, { cause: new Error(scrub(reason)) })
  const because = reason ? ` It said: ${scrub(reason)}` : ''
  return new ProviderError('content_policy', `${provider} made no picture, for its filter held it back.${because}`)
}

function bodyOf(request: ImageRequest, options: JsonObject): { body: JsonObject; resolution: string } {
  const { prompt, n, images, mask, seed, output_format, output_compression, model } = request
  refuseLook(request, model)
  if (images?.length || mask) throw refuse('image', `${model} makes pictures of words alone; it changes none.`)
  const resolution = fitResolution(request, Options.parse(options).resolutions ?? ['1K'], model)
  const jpeg = output_format === 'jpeg'
  const parameters = present<JsonObject>({
    sampleCount: n,
    aspectRatio: fitRatio(request, RATIOS, model),
    sampleImageSize: resolution,
    seed,
    // With a watermark there is no seed (the reference's `addWatermark`).
    addWatermark: seed === undefined ? undefined : false,
    includeRaiReason: true,
    outputOptions: present<JsonObject>({
      mimeType: jpeg ? 'image/jpeg' : 'image/png',
      compressionQuality: jpeg ? output_compression : undefined,
    }),
  })
  return { body: { instances: [{ prompt }], parameters }, resolution }
}
