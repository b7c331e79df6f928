// Films of Kling, from words or from a first picture, with sound where the model has it.
import { z } from 'zod'
import {
  done,
  type Generator,
  type JsonObject,
  type Usage,
  type VideoOutput,
  type VideoRequest,
} from '../../src/contract.ts'
import { refuse, unreadable } from '../../src/protocols/faults.ts'
import type { TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { fitRatio } from '../../src/protocols/media-tasks/fit.ts'
import { keepUsage, keptUsage } from '../../src/protocols/media-tasks/kept.ts'
import { filmResolution } from '../../src/protocols/shape.ts'
import { dataOf, tasks } from './tasks.ts'

/** What the adapter must know of one model. */
export const Options = z.strictObject({
  /** Whether its films may have sound: never, at 1080p alone, or at every resolution. */
  sound: z.enum(['none', '1080p', 'all']).default('none'),
})
type Options = z.infer<typeof Options>

const FILM_RATIOS = ['16:9', '9:16', '1:1'] as const
const RESOLUTIONS = ['720p', '1080p'] as const
const MODES = { '720p': 'std', '1080p': 'pro' } as const
const FILM_PATHS = ['/v1/videos/text2video', '/v1/videos/image2video'] as const

export function klingVideo(server: TaskServer): Generator<VideoRequest, VideoOutput> {
  const { submit, poll, find } = tasks<VideoOutput>(server, FILM_PATHS, ({ videos }, { usage }) => {
    const [film] = videos ?? []
    const { meters, attributes } = keptUsage(usage)
    const seconds = Number(film?.duration)
    const reported = seconds > 0 ? { ...meters, video_seconds: Math.round(seconds) } : meters
    if (!film || reported.video_seconds === undefined) throw unreadable(server.provider)
    return done(
      { video: { type: 'url', url: film.url } },
      { meters: reported, ...(attributes && { attributes }), source: seconds > 0 ? 'reported' : 'counted' },
    )
  })
  return {
    takes: ['aspect_ratio', 'resolution', 'first_frame', 'last_frame', 'audio', 'negative_prompt'],
    start(request, call) {
      const { path, body, usage } = film(request, call.upstream, Options.parse(call.options))
      return submit(path, body, keepUsage(usage), call)
    },
    poll,
    // The film says itself how long it is, and the job what else chooses its rate.
    find: (call) => find({ meters: { videos: 1 } }, call),
    estimate: (request, upstream, options) => film(request, upstream, Options.parse(options)).usage,
  }
}

function film(request: VideoRequest, upstream: string, options: Options) {
  const { model, prompt, seconds, first_frame, last_frame, audio, negative_prompt } = request
  const resolution = filmResolution(request, RESOLUTIONS)
  if (audio && (options.sound === 'none' || (options.sound === '1080p' && resolution !== '1080p')))
    throw refuse('audio', `${model} makes ${options.sound === 'none' ? 'silent films alone' : 'sound at 1080p alone'}.`)
  if (last_frame && !first_frame) throw refuse('last_frame', "'last_frame' needs a first one: 'input_reference'.")
  // A film that begins with a picture has the picture's ratio.
  const ratio = fitRatio(request, FILM_RATIOS, model)
  if (first_frame && request.aspect_ratio !== undefined)
    throw refuse('aspect_ratio', `${model} takes the ratio from the first picture. Leave 'aspect_ratio' out.`)
  const body: JsonObject = {
    model_name: upstream,
    prompt,
    mode: MODES[resolution],
    duration: String(seconds),
    ...(negative_prompt !== undefined && { negative_prompt }),
    ...(options.sound !== 'none' && { sound: audio ? 'on' : 'off' }),
    ...(first_frame ? { image: dataOf(first_frame) } : { aspect_ratio: ratio ?? '16:9' }),
    ...(last_frame && { image_tail: dataOf(last_frame) }),
  }
  const usage: Usage = {
    meters: { video_seconds: seconds, videos: 1 },
    attributes: { resolution, audio: String(audio ?? false) },
    source: 'estimated',
  }
  return { path: FILM_PATHS[first_frame ? 1 : 0], body, usage }
}
