// Pictures of Runway, from words or with others to look at.
import type { ImageGenerator, ImageOutput, ImageRequest, JsonObject, Usage } from '../../src/contract.ts'
import { refuse } from '../../src/protocols/faults.ts'
import type { TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { fitSize, refuseLook } from '../../src/protocols/media-tasks/fit.ts'
import { frameOf, Options, shorterEdge, sizeIn } from './model.ts'
import { tasks } from './tasks.ts'

/** A picture's: whatever is not exactly 720 is sold at the price of 1080p. */
const pictureResolution = (ratio: string): string => (shorterEdge(ratio) === 720 ? '720p' : '1080p')

export function runwayImage(server: TaskServer): ImageGenerator {
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
