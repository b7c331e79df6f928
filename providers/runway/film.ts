// Films of Runway, from words or from a first picture.
import type { Generator, JsonObject, Usage, VideoOutput, VideoRequest } from '../../src/contract.ts'
import { refuse } from '../../src/protocols/faults.ts'
import type { TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { fitSize } from '../../src/protocols/media-tasks/fit.ts'
import { frameOf, Options, shorterEdge, sizeIn } from './model.ts'
import { tasks } from './tasks.ts'

/** A film's resolution: the wide and the square ones of 720p have shorter or longer edges than 720. */
const resolutionOf = (ratio: string): string => (shorterEdge(ratio) >= 1080 ? '1080p' : '720p')

export function runwayVideo(server: TaskServer): Generator<VideoRequest, VideoOutput> {
  const { submit, poll, cancel } = tasks<VideoOutput>(server, ([url = '']) => ({ video: { type: 'url', url } }))
  return {
    takes: ['aspect_ratio', 'resolution', 'first_frame', 'last_frame', 'audio', 'negative_prompt', 'seed'],
    start(request, call) {
      const { path, body, usage } = film(request, call.upstream, Options.parse(call.options))
      return submit(path, body, usage, call)
    },
    poll,
    cancel,
    estimate: (request, upstream, options) => film(request, upstream, Options.parse(options)).usage,
  }
}

function film(request: VideoRequest, upstream: string, options: Options) {
  const { model, prompt, seconds, first_frame, last_frame, audio, negative_prompt, seed } = request
  for (const name of ['last_frame', 'audio', 'negative_prompt', 'seed'] as const)
    if (request[name] !== undefined && !options.has.includes(name))
      throw refuse(name, `${model} does not take '${name}'.`)
  const [usual, ...others] = first_frame ? options.frame : options.text
  if (usual === undefined && options.text.length + options.frame.length > 0)
    throw refuse(
      'input_reference',
      first_frame ? `${model} begins with words, not with a picture.` : `${model} needs a first picture.`,
    )
  if (last_frame && !first_frame) throw refuse('last_frame', "'last_frame' needs a first one: 'input_reference'.")
  const ratio = usual === undefined ? sizeIn(request) : (fitFilm(request, [usual, ...others], model) ?? usual)
  const frame = first_frame && frameOf(first_frame, 'input_reference')
  const body: JsonObject = {
    model: upstream,
    promptText: prompt,
    ratio,
    duration: seconds,
    ...(frame && {
      promptImage: last_frame
        ? [
            { uri: frame, position: 'first' },
            { uri: frameOf(last_frame, 'last_frame'), position: 'last' },
          ]
        : frame,
    }),
    ...(options.has.includes('audio') && { audio: audio ?? true }),
    ...(negative_prompt !== undefined && { negativePrompt: negative_prompt }),
    ...(seed !== undefined && { seed }),
  }
  const attributes = {
    resolution: resolutionOf(ratio),
    ...(options.has.includes('audio') && { audio: String(audio ?? true) }),
  }
  const usage: Usage = { meters: { video_seconds: seconds, videos: 1 }, attributes, source: 'estimated' }
  return { path: first_frame ? '/v1/image_to_video' : '/v1/text_to_video', body, usage }
}

/** Sizes of a film by its size, or by its ratio among those of the asked resolution. */
function fitFilm(request: VideoRequest, all: [string, ...string[]], model: string): string | undefined {
  const { size, aspect_ratio, resolution } = request
  if (size !== undefined) return fitSize({ size }, all, model)
  const [first, ...rest] = all.filter((each) => resolution === undefined || resolutionOf(each) === resolution)
  if (first === undefined)
    throw refuse('resolution', `${model} makes ${all.join(', ')}, none of which is ${resolution}.`)
  if (aspect_ratio === undefined) return first
  return fitSize({ aspect_ratio }, [first, ...rest], model)
}
