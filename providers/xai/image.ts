// Pictures of Grok Imagine: like OpenAI's images API, but shapes are ratios, edits are JSON, and there is no mask.
// https://docs.x.ai/developers/model-capabilities/images/generation (2026-11-21)
import { z } from 'zod'
import {
  type Asset,
  type Call,
  done,
  type ImageGenerator,
  type ImageRequest,
  type JsonObject,
  ProviderError,
} from '../../src/contract.ts'
import { addressOf } from '../../src/protocols/address.ts'
import { present } from '../../src/protocols/check_body.ts'
import { refuse, unreadable } from '../../src/protocols/faults.ts'
import { ask, type TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { fitRatio, fitResolution, refuseLook } from '../../src/protocols/media-tasks/fit.ts'

const Options = z.looseObject({
  /** Whether pictures sent along have a price. */
  input_images: z.boolean().default(false),
  qualities: z.array(z.string()).default([]),
  resolutions: z.array(z.string()).default([]),
})
type Options = z.infer<typeof Options>

const Answer = z.looseObject({
  data: z.array(
    z.looseObject({
      b64_json: z.string().nullish(),
      url: z.string().nullish(),
      mime_type: z.string().nullish(),
      revised_prompt: z.string().nullish(),
      respect_moderation: z.boolean().nullish(),
    }),
  ),
  usage: z.looseObject({}).nullish(),
})

const RATIOS = [
  '1:1',
  '3:4',
  '4:3',
  '9:16',
  '16:9',
  '2:3',
  '3:2',
  '9:19.5',
  '19.5:9',
  '9:20',
  '20:9',
  '1:2',
  '2:1',
] as const
const RESOLUTIONS = ['1K', '2K']
const INPUTS_MAX = 3
const AT_ONCE = 10

export function xaiImage(server: TaskServer): ImageGenerator {
  const { provider } = server
  return {
    takes: ['aspect_ratio', 'resolution'],
    most_at_once: () => AT_ONCE,
    async start(request: ImageRequest, call: Call) {
      const { path, body, resolution } = bodyOf(request, Options.parse(call.options))
      const sent = { model: call.upstream, ...body }
      const { data, usage } = await ask(server, call, { method: 'POST', path, body: sent }, Answer)
      const images = data.flatMap(({ b64_json, url, mime_type, revised_prompt, respect_moderation }) => {
        if (respect_moderation === false) return []
        const image = assetOf(b64_json, url, mime_type)
        return image ? [{ image, ...(revised_prompt ? { revised_prompt } : {}) }] : []
      })
      if (images.length === 0) throw noPicture(data, provider)
      const inputs = request.images?.length ?? 0
      return done(
        { images },
        {
          meters: { images: images.length, ...(inputs > 0 ? { input_images: inputs } : {}) },
          attributes: { resolution },
          source: 'counted' as const,
          // What it billed us, in its own unit, for audits.
          ...(usage ? { raw: usage as JsonObject } : {}),
        },
      )
    },
    estimate(request, _upstream, options) {
      const { resolution } = bodyOf(request, Options.parse(options))
      const inputs = request.images?.length ?? 0
      return {
        meters: { images: request.n, ...(inputs > 0 ? { input_images: inputs } : {}) },
        attributes: { resolution },
        source: 'estimated',
      }
    },
  }
}

function assetOf(
  b64_json: string | null | undefined,
  url: string | null | undefined,
  mime_type: string | null | undefined,
): Asset | undefined {
  if (b64_json) return { type: 'bytes', data: Buffer.from(b64_json, 'base64'), media_type: mime_type ?? 'image/jpeg' }
  return url ? { type: 'url', url } : undefined
}

/** Pictures that its moderation held back come without themselves; anything else without one is no answer. */
function noPicture(data: z.infer<typeof Answer>['data'], provider: string): ProviderError {
  if (data.some(({ respect_moderation }) => respect_moderation === false))
    return new ProviderError('content_policy', `The moderation of ${provider} held the picture back.`)
  return unreadable(provider)
}

function bodyOf(request: ImageRequest, options: Options): { path: string; body: JsonObject; resolution: string } {
  const { prompt, n, images = [], mask, quality, background, model } = request
  // Its models of one quality pass over the field in silence.
  refuseLook({ ...request, ...(quality && options.qualities.includes(quality) ? { quality: 'auto' } : {}) }, model)
  if (background === 'transparent') throw refuse('background', `${model} makes no transparent pictures.`)
  if (mask) throw refuse('mask', `${model} takes no mask: say in the prompt what is to be changed.`)
  if (images.length > INPUTS_MAX)
    throw refuse('image', `${model} takes at most ${INPUTS_MAX} pictures; these are ${images.length}.`)
  if (images.length > 0 && !options.input_images)
    throw refuse('image', `${model} has no price for pictures sent along, so it changes none here.`)
  const [usual = '1K', ...others] = options.resolutions.length > 0 ? options.resolutions : RESOLUTIONS
  const resolution = fitResolution(request, [usual, ...others], model)
  const inputs = images.map((image) => ({ type: 'image_url', url: addressOf(image) }))
  const [only] = inputs
  const fields = present<JsonObject>({
    prompt,
    n,
    aspect_ratio: fitRatio(request, RATIOS, model),
    resolution: resolution.toLowerCase(),
    quality: quality === 'auto' ? undefined : quality,
    response_format: 'b64_json',
    image: inputs.length === 1 ? only : undefined,
    images: inputs.length > 1 ? inputs : undefined,
  })
  return { path: images.length > 0 ? '/images/edits' : '/images/generations', body: fields, resolution }
}
