// Pictures of Gemini's models: made and edited by generateContent, one a call.
import { z } from 'zod'
import {
  type Call,
  done,
  type ImageGenerator,
  type ImageRequest,
  type JsonObject,
  type Meters,
} from '../../contract.ts'
import { present } from '../check_body.ts'
import { refuse } from '../faults.ts'
import type { GeminiServer } from '../gemini/server.ts'
import { fitRatio, fitResolution, refuseLook } from '../media-tasks/fit.ts'
import { inlinePart, makeContent, onlyWords } from './answer.ts'

/** `options` of a model's entry in the price file. */
export const imageOptions = {
  /** The resolutions that the model makes, and at most how many tokens a picture of each is. */
  image_tokens: z.partialRecord(z.enum(['512', '1K', '2K', '4K']), z.int().positive()).exactOptional(),
  /** Where the model makes other ratios than most. */
  aspect_ratios: z.array(z.string()).nonempty().exactOptional(),
}

const Options = z.object(imageOptions)

const RATIOS = ['1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9'] as const
/** Where a price file says nothing: twice the 2,000 that a picture of 4K has at Google's dearest model (2026-09). */
const IMAGE_TOKENS_UNKNOWN = 4_000
/** Words and thoughts beside the picture; recordings of 2026 have 300 at most. The request says so to Google too. */
const TEXT_TOKENS = 8_192
const INPUT_IMAGE_TOKENS = 16_512
const INPUT_TOKENS_LEAST = 64

interface Shaped {
  aspect_ratio?: string
  /** Absent for models of one resolution, which do not know the field. */
  image_size?: string
  image_tokens: number
  /** What the price may depend on. */
  resolution: string
}

export function geminiImage(server: GeminiServer): ImageGenerator {
  const { provider } = server
  return {
    takes: ['aspect_ratio', 'resolution'],
    most_at_once: () => 1,
    async start(request: ImageRequest, call: Call) {
      const shape = shapeOf(request, call.options)
      const { files, text, usage } = await makeContent(server, bodyOf(request, shape), call)
      const images = files.filter(({ media_type }) => media_type.startsWith('image/'))
      if (images.length === 0) throw onlyWords(provider, 'no picture', text)
      const meters: Meters = { images: images.length, ...(usage?.meters ?? counted(request, shape, images.length)) }
      const { raw } = usage ?? {}
      return done(
        { images: images.map((image) => ({ image })) },
        {
          meters,
          attributes: { resolution: shape.resolution },
          source: usage ? ('reported' as const) : ('counted' as const),
          ...(raw === undefined ? {} : { raw }),
        },
      )
    },
    estimate(request, _upstream, options) {
      const { n, prompt, images = [], mask, model } = request
      refuseLook(request, model)
      if (mask) throw refuse('mask', `${model} takes no mask: say in the prompt what is to be changed.`)
      const { image_tokens, resolution } = shapeOf(request, options)
      const meters: Meters = {
        images: n,
        input_tokens: n * (Buffer.byteLength(prompt) + INPUT_TOKENS_LEAST),
        ...(images.length > 0 ? { input_image_tokens: n * images.length * INPUT_IMAGE_TOKENS } : {}),
        output_image_tokens: n * image_tokens,
        output_tokens: n * TEXT_TOKENS,
      }
      return { meters, attributes: { resolution }, source: 'estimated' }
    },
  }
}

function bodyOf({ prompt, images = [] }: ImageRequest, { aspect_ratio, image_size, image_tokens }: Shaped): JsonObject {
  const imageConfig = present<JsonObject>({ aspectRatio: aspect_ratio, imageSize: image_size })
  return {
    contents: [{ role: 'user', parts: [...images.map((image) => inlinePart(image, 'image')), { text: prompt }] }],
    generationConfig: {
      responseModalities: ['IMAGE'],
      maxOutputTokens: image_tokens + TEXT_TOKENS,
      ...(Object.keys(imageConfig).length > 0 ? { imageConfig } : {}),
    },
  }
}

function shapeOf(request: ImageRequest, options: JsonObject): Shaped {
  const { image_tokens = { '1K': IMAGE_TOKENS_UNKNOWN }, aspect_ratios } = Options.parse(options)
  const names = Object.keys(image_tokens)
  const ratios = (aspect_ratios ?? RATIOS) as [string, ...string[]]
  const aspect_ratio = fitRatio(request, ratios, request.model)
  const usual = names.includes('1K') ? '1K' : (names[0] ?? '1K')
  const resolution = fitResolution(request, [usual, ...names], request.model)
  return {
    ...(aspect_ratio === undefined ? {} : { aspect_ratio }),
    ...(names.length > 1 ? { image_size: resolution } : {}),
    image_tokens: image_tokens[resolution as '1K'] ?? IMAGE_TOKENS_UNKNOWN,
    resolution,
  }
}

/** For an answer without its usage, which Google always sends: what the vendor's table says. */
const counted = ({ prompt, images = [] }: ImageRequest, { image_tokens }: Shaped, made: number): Meters => ({
  input_tokens: Math.ceil(Buffer.byteLength(prompt) / 4),
  ...(images.length > 0 ? { input_image_tokens: images.length * 1_120 } : {}),
  output_image_tokens: made * Math.min(image_tokens, IMAGE_TOKENS_UNKNOWN),
})
