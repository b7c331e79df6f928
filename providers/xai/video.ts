// Films of Grok Imagine: asked for, looked at, and then at an address for a while. It knows no cancel.
// https://docs.x.ai/developers/rest-api-reference/inference/videos (2026-11-21)
import { z } from 'zod'
import {
  type Call,
  done,
  failed,
  type Generator,
  type Json,
  type JsonObject,
  type Meters,
  type Progress,
  ProviderError,
  pending,
  type VideoOutput,
  type VideoRequest,
} from '../../src/contract.ts'
import { addressOf } from '../../src/protocols/address.ts'
import { present } from '../../src/protocols/check_body.ts'
import { refuse, unreadable } from '../../src/protocols/faults.ts'
import { ask, lookUnlessGone, refused, type TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { fitRatio } from '../../src/protocols/media-tasks/fit.ts'
import { filmResolutionName } from '../../src/protocols/shape.ts'
import { MODERATED } from './refusal.ts'

const Options = z.looseObject({
  /** Whether pictures sent along have a price. */
  input_images: z.boolean().default(false),
  /** The first is what is made where nobody names one. */
  resolutions: z.array(z.string()).default([]),
})
type Options = z.infer<typeof Options>

const Started = z.looseObject({ request_id: z.string().min(1) })
const Task = z.looseObject({
  status: z.string().nullish(),
  progress: z.number().nullish(),
  video: z
    .looseObject({
      url: z.string().nullish(),
      duration: z.number().positive().nullish(),
      respect_moderation: z.boolean().nullish(),
    })
    .nullish(),
  usage: z.looseObject({}).nullish(),
  error: z.looseObject({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
})
type Task = z.infer<typeof Task>
/** Kept on the job. */
const Ref = z.object({ id: z.string(), seconds: z.number(), resolution: z.string(), inputs: z.number() })
type Ref = z.infer<typeof Ref>

const RATIOS = ['16:9', '9:16', '1:1', '4:3', '3:4', '3:2', '2:3'] as const
const RESOLUTIONS = ['480p', '720p']
const REFERENCES_MAX = 7
const POLL_AFTER_MS = 5000

export function xaiVideo(server: TaskServer): Generator<VideoRequest, VideoOutput> {
  const { provider } = server

  async function start(request: VideoRequest, call: Call): Promise<Progress<VideoOutput>> {
    const options = Options.parse(call.options)
    const body = { model: call.upstream, ...bodyOf(request, options) }
    const { request_id } = await ask(server, call, { method: 'POST', path: '/videos/generations', body }, Started)
    const { seconds } = request
    const ref: Ref = { id: request_id, seconds, resolution: resolutionOf(request, options), inputs: inputsOf(request) }
    return pending(ref, undefined, POLL_AFTER_MS)
  }

  function poll(ref: Json, call: Call): Promise<Progress<VideoOutput>> {
    const known = Ref.parse(ref)
    const path = `/videos/${encodeURIComponent(known.id)}`
    return lookUnlessGone(provider, async () =>
      read(await ask(server, call, { method: 'GET', path }, Task), known, provider),
    )
  }

  return {
    takes: ['first_frame', 'references', 'aspect_ratio', 'resolution', 'audio'],
    start,
    poll,
    estimate(request, _upstream, given) {
      const options = Options.parse(given)
      bodyOf(request, options)
      return {
        meters: metersOf(request.seconds, inputsOf(request)),
        attributes: { resolution: resolutionOf(request, options), audio: 'true' },
        source: 'estimated',
      }
    },
  }
}

function read({ status, progress, video, usage, error }: Task, ref: Ref, provider: string): Progress<VideoOutput> {
  if (video?.respect_moderation === false)
    return failed(new ProviderError('content_policy', `The moderation of ${provider} held the film back.`))
  if (status === 'failed') return failed(failureOf(error, provider))
  if (status === 'expired') return failed(refused({ kind: 'unavailable' }, provider))
  if (status !== 'done' && !video?.url) return pending(ref, progress ?? undefined, POLL_AFTER_MS)
  if (!video?.url) throw unreadable(provider)
  const { seconds, resolution, inputs } = ref
  return done(
    { video: { type: 'url', url: video.url, media_type: 'video/mp4' } },
    {
      meters: metersOf(Math.min(seconds, video.duration ?? seconds), inputs),
      attributes: { resolution, audio: 'true' },
      source: video.duration ? 'reported' : 'counted',
      ...(usage ? { raw: usage as JsonObject } : {}),
    },
  )
}

const metersOf = (video_seconds: number, inputs: number): Meters => ({
  video_seconds,
  videos: 1,
  ...(inputs > 0 ? { input_images: inputs } : {}),
})

const inputsOf = ({ first_frame, references = [] }: VideoRequest) => (first_frame ? 1 : 0) + references.length

const resolutionOf = (request: VideoRequest, { resolutions }: Options): string =>
  filmResolutionName(request, resolutions[0] ?? '480p')

function bodyOf(request: VideoRequest, options: Options): JsonObject {
  const { prompt, seconds, first_frame, references = [], audio, model } = request
  if (audio === false) throw refuse('audio', `${model} makes films with sound alone. Leave 'audio' out.`)
  if (first_frame && references.length > 0)
    throw refuse('references', `${model} takes a first picture or references, not both.`)
  if (references.length > REFERENCES_MAX)
    throw refuse('references', `${model} takes at most ${REFERENCES_MAX} references; these are ${references.length}.`)
  if (inputsOf(request) > 0 && !options.input_images)
    throw refuse('input_reference', `${model} has no price for pictures sent along, so it takes none here.`)
  const resolution = resolutionOf(request, options)
  const makes = options.resolutions.length > 0 ? options.resolutions : RESOLUTIONS
  if (!makes.includes(resolution)) {
    const param = request.resolution === undefined ? 'size' : 'resolution'
    throw refuse(param, `${model} makes films of ${makes.join(', ')}, not ${resolution.slice(0, 20)}.`)
  }
  return present<JsonObject>({
    prompt,
    duration: seconds,
    aspect_ratio: fitRatio(request, RATIOS, model),
    resolution,
    image: first_frame && { url: addressOf(first_frame) },
    reference_images: references.length > 0 ? references.map((each) => ({ url: addressOf(each) })) : undefined,
  })
}

function failureOf(error: Task['error'], provider: string): ProviderError {
  const message = error?.message ?? undefined
  const said = `${error?.code ?? ''} ${message ?? ''}`
  if (MODERATED.test(said)) return refused({ kind: 'content_policy', message }, provider)
  const kind = /invalid[_ ]argument/i.test(said) ? 'invalid_request' : 'unavailable'
  return refused({ kind, message }, provider)
}
