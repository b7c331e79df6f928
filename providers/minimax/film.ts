// Films of MiniMax: Hailuo over the first version of its API, H3 over the second. Submitted and polled; it knows no cancel.
import { z } from 'zod'
import {
  type Call,
  done,
  failed,
  type Generator,
  type Json,
  type JsonObject,
  type Progress,
  ProviderError,
  pending,
  type Usage,
  type VideoOutput,
  type VideoRequest,
} from '../../src/contract.ts'
import { addressOf } from '../../src/protocols/address.ts'
import { refuse, unreadable } from '../../src/protocols/faults.ts'
import { ask, refused, type TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { fitRatio } from '../../src/protocols/media-tasks/fit.ts'
import { keepUsage, keptUsage } from '../../src/protocols/media-tasks/kept.ts'
import { filmResolution } from '../../src/protocols/shape.ts'
import { kindOf } from './server.ts'

/** What the adapter must know of one model of films. */
export const FilmOptions = z.strictObject({
  /** The version of the API that serves it. */
  version: z.enum(['v1', 'v2']).default('v1'),
  /** First the usual one. Hailuo's are in capitals: 768P. */
  resolutions: z.array(z.string()).min(1).default(['768P']),
  /** Frames that it begins and ends with: it takes none, a first one, both; or needs the first. */
  frames: z.enum(['none', 'first', 'both', 'first_required']).default('first'),
})
export type FilmOptions = z.infer<typeof FilmOptions>

const RATIOS = ['16:9', '9:16', '1:1', '4:3', '3:4', '21:9'] as const
const REFERENCES_MAX = 9
/** So many pictures to look at are free (pricing-paygo, as transcribed on 2026-09-14). */
const REFERENCES_FREE = 5
const POLL_AFTER_MS = 10_000

const Submitted = z.looseObject({ task_id: z.union([z.string(), z.number()]).transform(String) })
const Queried = z.looseObject({
  status: z.string(),
  file_id: z.union([z.string(), z.number()]).transform(String).nullish(),
  error_message: z.string().nullish(),
})
const File = z.looseObject({ file: z.looseObject({ download_url: z.string().min(1) }) })
const Task = z.looseObject({
  task: z.looseObject({
    status: z.string(),
    content: z.looseObject({ url: z.string().nullish() }).nullish(),
    error: z
      .looseObject({ code: z.union([z.string(), z.number()]).nullish(), message: z.string().nullish() })
      .nullish(),
  }),
})
const Ref = z.looseObject({ id: z.string(), version: z.enum(['v1', 'v2']) })

export function minimaxVideo(server: TaskServer): Generator<VideoRequest, VideoOutput> {
  const finish = (url: string, { usage }: JsonObject): Progress<VideoOutput> =>
    done({ video: { type: 'url', url } }, keptUsage(usage))
  /** Not every failure has a code; then its words tell whose fault it is. */
  function failedFor(code: string | number | null | undefined, words: string | null | undefined) {
    const known = Number(code ?? Number.NaN)
    const policy = /sensitive|policy|moderat/i.test(words ?? '') ? 'content_policy' : 'unavailable'
    const kind = Number.isInteger(known) ? kindOf(known) : policy
    return failed(refused({ kind, message: words ?? undefined }, server.provider))
  }

  async function pollFirst(id: string, kept: JsonObject, call: Call): Promise<Progress<VideoOutput>> {
    const query = `/v1/query/video_generation?task_id=${encodeURIComponent(id)}`
    const queried = await asked(ask(server, call, { method: 'GET', path: query }, Queried))
    if (queried instanceof ProviderError) return failed(queried)
    const { status, file_id, error_message } = queried
    if (status === 'Fail') return failedFor(undefined, error_message)
    if (status !== 'Success') return pending(kept, undefined, POLL_AFTER_MS)
    if (!file_id) throw unreadable(server.provider)
    const path = `/v1/files/retrieve?file_id=${encodeURIComponent(file_id)}`
    const { file } = await ask(server, call, { method: 'GET', path }, File)
    return finish(file.download_url, kept)
  }

  async function pollSecond(id: string, kept: JsonObject, call: Call): Promise<Progress<VideoOutput>> {
    const path = `/v2/query/video_generation/${encodeURIComponent(id)}`
    const { task } = await ask(server, call, { method: 'GET', path }, Task)
    const { status, content, error } = task
    if (status === 'succeeded') {
      if (!content?.url) throw unreadable(server.provider)
      return finish(content.url, kept)
    }
    if (status !== 'failed' && status !== 'cancelled') return pending(kept, undefined, POLL_AFTER_MS)
    return failedFor(error?.code, error?.message)
  }

  return {
    takes: ['aspect_ratio', 'resolution', 'first_frame', 'last_frame', 'references'],
    async start(request, call) {
      const options = FilmOptions.parse(call.options.film ?? {})
      const { body, usage } = film(request, call.upstream, options)
      const path = `/${options.version}/video_generation`
      const { task_id } = await ask(server, call, { method: 'POST', path, body }, Submitted)
      return pending({ id: task_id, version: options.version, usage: keepUsage(usage) }, undefined, POLL_AFTER_MS)
    },
    poll(ref: Json, call) {
      const { id, version } = Ref.parse(ref)
      return (version === 'v2' ? pollSecond : pollFirst)(id, ref as JsonObject, call)
    },
    estimate: (request, upstream, options) => film(request, upstream, FilmOptions.parse(options.film ?? {})).usage,
  }
}

/** A task that was refused for its content says so where others tell their status: that is its end, not a poll that failed. */
const asked = <Result>(look: Promise<Result>): Promise<Result | ProviderError> =>
  look.catch((error: unknown) => {
    if (error instanceof ProviderError && error.kind === 'content_policy') return error
    throw error
  })

function film(request: VideoRequest, upstream: string, options: FilmOptions): { body: JsonObject; usage: Usage } {
  const { seconds, references = [] } = request
  const [usual = '768P', ...others] = options.resolutions
  const resolution = filmResolution(request, [usual, ...others])
  checkFrames(request, options)
  const body = options.version === 'v2' ? second(request, upstream, resolution) : first(request, upstream, resolution)
  const usage: Usage = {
    meters: {
      video_seconds: seconds,
      videos: 1,
      ...(references.length > 0 && { input_images: Math.max(0, references.length - REFERENCES_FREE) }),
    },
    attributes: { resolution },
    source: 'estimated',
  }
  return { body, usage }
}

function checkFrames({ model, first_frame, last_frame, references = [] }: VideoRequest, options: FilmOptions): void {
  if (first_frame && options.frames === 'none') throw refuse('input_reference', `${model} takes no first picture.`)
  if (!first_frame && options.frames === 'first_required')
    throw refuse('input_reference', `${model} needs a first picture.`)
  if (last_frame && options.frames !== 'both') throw refuse('last_frame', `${model} takes no last picture.`)
  if (references.length === 0) return
  if (options.version === 'v1') throw refuse('references', `${model} takes no pictures to look at.`)
  if (references.length > REFERENCES_MAX)
    throw refuse('references', `${model} looks at ${REFERENCES_MAX} pictures at most.`)
  if (first_frame || last_frame) throw refuse('references', `${model} takes frames or pictures to look at, not both.`)
}

/** Hailuo makes the ratio of its first picture, and 16:9 of words alone. */
function first(request: VideoRequest, upstream: string, resolution: string): JsonObject {
  const { model, prompt, seconds, first_frame, last_frame, aspect_ratio } = request
  if (!first_frame) fitRatio(request, ['16:9'], model)
  else if (aspect_ratio !== undefined)
    throw refuse('aspect_ratio', `${model} takes the ratio from the first picture. Leave 'aspect_ratio' out.`)
  return {
    model: upstream,
    prompt,
    duration: seconds,
    resolution,
    ...(first_frame && { first_frame_image: addressOf(first_frame) }),
    ...(last_frame && { last_frame_image: addressOf(last_frame) }),
  }
}

function second(request: VideoRequest, upstream: string, resolution: string): JsonObject {
  const { model, prompt, seconds, first_frame, last_frame, references = [] } = request
  const frames = [
    ...(first_frame ? [{ asset: first_frame, role: 'first_frame' }] : []),
    ...(last_frame ? [{ asset: last_frame, role: 'last_frame' }] : []),
    ...references.map((asset) => ({ asset, role: 'reference_image' })),
  ]
  const pictures = frames.map(({ asset, role }) => ({ type: 'image_url', image_url: { url: addressOf(asset) }, role }))
  return {
    model: upstream,
    content: [{ type: 'text', text: prompt }, ...pictures],
    resolution,
    duration: seconds,
    ratio: fitRatio(request, RATIOS, model) ?? (frames.length > 0 ? 'adaptive' : '16:9'),
  }
}
