// Pictures of Kling, from words or from one other picture.
import {
  done,
  type ImageGenerator,
  type ImageOutput,
  type ImageRequest,
  type JsonObject,
  type Usage,
} from '../../src/contract.ts'
import { refuse, unreadable } from '../../src/protocols/faults.ts'
import type { TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { fitRatio, refuseLook } from '../../src/protocols/media-tasks/fit.ts'
import { keepUsage, keptUsage } from '../../src/protocols/media-tasks/kept.ts'
import { pictureResolution } from '../../src/protocols/shape.ts'
import { dataOf, tasks } from './tasks.ts'

const PICTURE_RATIOS = ['1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3', '21:9'] as const
const PICTURES_AT_ONCE = 9
const PICTURE_PATH = '/v1/images/generations'

export function klingImage(server: TaskServer): ImageGenerator {
  const { submit, poll } = tasks<ImageOutput>(server, [PICTURE_PATH], ({ images }, { usage }) => {
    if (!images?.length) throw unreadable(server.provider)
    const { meters, attributes } = keptUsage(usage)
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
      return submit(PICTURE_PATH, body, keepUsage(usage), call)
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
