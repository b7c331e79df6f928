// Luma: Ray films and Uni pictures over the Agents API, submitted and polled. https://docs.agents.lumalabs.ai (2026-11-21)
// The older Dream Machine API (Ray 2, Photon) has other keys, takes pictures by public address alone, and is not served.
import { z } from 'zod'
import {
  type Asset,
  type Call,
  defineProvider,
  done,
  type ErrorKind,
  failed,
  type Generator,
  type ImageGenerator,
  type ImageOutput,
  type ImageRequest,
  type Json,
  type JsonObject,
  type Progress,
  pending,
  type Usage,
  type VideoOutput,
  type VideoRequest,
} from '../src/contract.ts'
import { base64Of } from '../src/protocols/address.ts'
import { refuse, unreadable } from '../src/protocols/faults.ts'
import { ask, refused, type TaskServer } from '../src/protocols/media-tasks/client.ts'
import { fitRatio, refuseLook } from '../src/protocols/media-tasks/fit.ts'
import { keepUsage, keptUsage } from '../src/protocols/media-tasks/kept.ts'
import { filmResolution } from '../src/protocols/shape.ts'

const PICTURE_RATIOS = ['1:1', '3:1', '2:1', '16:9', '3:2', '2:3', '9:16', '1:2', '1:3'] as const
const FILM_RATIOS = ['16:9', '9:16', '4:3', '3:4', '1:1', '21:9'] as const
const FILM_RESOLUTIONS = ['720p', '1080p', '540p', '360p'] as const
const REFERENCES_MAX = 9
const POLL_AFTER_MS = 3000

const Generation = z.looseObject({
  id: z.string().min(1),
  state: z.string(),
  failure_code: z.string().nullish(),
  failure_reason: z.string().nullish(),
  output: z.array(z.looseObject({ url: z.string() })).nullish(),
})
type Generation = z.infer<typeof Generation>

/** Kept on the job, and on the film for those that follow from it. */
const Ref = z.looseObject({ id: z.string() })

/** Its codes of failed work (guides/error-handling, 2026-11-21); what is not listed is the provider's fault. */
const FAILURES: Record<string, ErrorKind> = {
  content_moderated: 'content_policy',
  budget_exhausted: 'quota',
  rate_limited: 'rate_limit',
  image_too_large: 'invalid_request',
  unsupported_format: 'invalid_request',
  corrupt_input: 'invalid_request',
  invalid_request: 'invalid_request',
}

/** Submits and looks; what is done with a finished file is the operation's. */
function tasks<Output>(server: TaskServer, finish: (url: string, ref: JsonObject) => Progress<Output>) {
  const read = ({ id, state, failure_code, failure_reason, output }: Generation, kept: JsonObject) => {
    const ref = { ...kept, id }
    if (state === 'completed') {
      const url = output?.[0]?.url
      if (!url) throw unreadable(server.provider)
      return finish(url, ref)
    }
    if (state !== 'failed') return pending(ref, undefined, POLL_AFTER_MS)
    const kind = FAILURES[failure_code ?? ''] ?? 'unavailable'
    return failed(refused({ kind, message: failure_reason ?? undefined }, server.provider))
  }
  return {
    submit: async (body: JsonObject, kept: JsonObject, call: Call): Promise<Progress<Output>> =>
      read(await ask(server, call, { method: 'POST', path: '/generations', body }, Generation), kept),
    poll: async (ref: Json, call: Call): Promise<Progress<Output>> => {
      const kept = Ref.parse(ref)
      const path = `/generations/${encodeURIComponent(kept.id)}`
      return read(await ask(server, call, { method: 'GET', path }, Generation), kept as JsonObject)
    },
  }
}

const mediaOf = (asset: Asset): JsonObject =>
  asset.type === 'url' ? { url: asset.url } : { data: base64Of(asset.data), media_type: asset.media_type }

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

function image(server: TaskServer): ImageGenerator {
  const { submit, poll } = tasks<ImageOutput>(server, (url, { references }) =>
    done(
      { images: [{ image: { type: 'url', url } }] },
      { meters: { images: 1, input_images: Number(references) }, source: 'counted' },
    ),
  )
  return {
    takes: ['aspect_ratio', 'resolution'],
    most_at_once: () => 1,
    start: (request, call) =>
      submit(pictureBody(request, call.upstream), { references: request.images?.length ?? 0 }, call),
    poll,
    estimate(request, upstream) {
      pictureBody(request, upstream)
      const { n, images = [] } = request
      return { meters: { images: n, input_images: n * images.length }, source: 'estimated' }
    },
  }
}

/** The first picture of an edit is the one to be changed, the others are looked at. */
function pictureBody(request: ImageRequest, upstream: string): JsonObject {
  const { model, prompt, images = [], mask, resolution, output_format } = request
  refuseLook(request, model)
  if (mask) throw refuse('mask', `${model} takes no mask: say in words what is to change.`)
  if (images.length > REFERENCES_MAX)
    throw refuse('image', `${model} takes at most ${REFERENCES_MAX} pictures; these are ${images.length}.`)
  if (resolution !== undefined && resolution.toUpperCase() !== '2K')
    throw refuse('resolution', `${model} makes pictures of 2K alone.`)
  const ratio = fitRatio(request, PICTURE_RATIOS, model)
  const [source, ...references] = images.map(mediaOf)
  return {
    model: upstream,
    type: source ? 'image_edit' : 'image',
    prompt,
    ...(ratio !== undefined && { aspect_ratio: ratio }),
    output_format: output_format === 'jpeg' ? 'jpeg' : 'png',
    ...(source && { source }),
    ...(references.length > 0 && { image_ref: references }),
  }
}

/* ---- films ------------------------------------------------------------------------------------------------------- */

function video(server: TaskServer): Generator<VideoRequest, VideoOutput> {
  const { submit, poll } = tasks<VideoOutput>(server, (url, { usage }) =>
    done({ video: { type: 'url', url } }, keptUsage(usage)),
  )
  return {
    takes: ['aspect_ratio', 'resolution', 'first_frame', 'last_frame', 'change'],
    start: (request, call) => submit(filmBody(request, call.upstream), { usage: keepUsage(usageOf(request)) }, call),
    poll,
    estimate(request, upstream) {
      filmBody(request, upstream)
      return usageOf(request)
    },
  }
}

/** Billed by the film, its price chosen by resolution and length: 10 seconds cost three times what 5 do. */
function usageOf(request: VideoRequest): Usage {
  const { seconds, change } = request
  const attributes = {
    resolution: filmResolution(request, FILM_RESOLUTIONS),
    length: `${seconds}s`,
    ...(change && { change: change.mode }),
  }
  return { meters: { videos: 1, video_seconds: seconds }, attributes, source: 'estimated' }
}

function filmBody(request: VideoRequest, upstream: string): JsonObject {
  const { model, prompt, seconds, first_frame, last_frame, change } = request
  if (change?.mode === 'extend' && seconds !== 5) throw refuse('seconds', `${model} continues a film by 5 seconds.`)
  if (change && (first_frame || last_frame))
    throw refuse('input_reference', 'A film that is changed has its own frames.')
  const ratio = fitRatio(request, FILM_RATIOS, model)
  const earlier = change && { generation_id: idOf(change.ref) }
  const start_frame = change?.mode === 'extend' ? earlier : first_frame && mediaOf(first_frame)
  return {
    model: upstream,
    type: change?.mode === 'remix' ? 'video_edit' : 'video',
    prompt,
    ...(ratio !== undefined && { aspect_ratio: ratio }),
    ...(change?.mode === 'remix' && { source: earlier as JsonObject }),
    video: {
      resolution: filmResolution(request, FILM_RESOLUTIONS),
      duration: `${seconds}s`,
      ...(start_frame && { start_frame }),
      ...(last_frame && { end_frame: mediaOf(last_frame) }),
    },
  }
}

function idOf(ref: Json): string {
  const known = Ref.safeParse(ref)
  if (known.success) return known.data.id
  throw refuse('id', 'Luma no longer knows this film.')
}

export default defineProvider({
  contract: 1,
  name: 'Luma',
  docs: 'https://docs.agents.lumalabs.ai/guides/pricing/',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://agents.lumalabs.ai/v1') }),
  environment: { api_key: 'LUMA_AGENTS_API_KEY' },
  connect: ({ api_key, base_url }, { fetch }) => {
    const headers = () => ({ authorization: `Bearer ${api_key}` })
    const server: TaskServer = { provider: 'Luma', base_url, fetch, headers }
    return { image: image(server), video: video(server) }
  },
})
