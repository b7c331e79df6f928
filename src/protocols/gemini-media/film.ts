// Films of Gemini Omni over Google's Interactions API: made in the background, looked at, canceled, carried on, changed.
// What Google keeps behind our key is fetched here and handed over as bytes; the key goes to Google's own hosts alone.
import { z } from 'zod'
import {
  type Asset,
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
  type Usage,
  type VideoOutput,
  type VideoRequest,
} from '../../contract.ts'
import { base64Of } from '../address.ts'
import { present } from '../check_body.ts'
import { refuse, unreadable } from '../faults.ts'
import type { GeminiServer } from '../gemini/server.ts'
import { ask, lookUnlessGone, type TaskServer } from '../media-tasks/client.ts'
import { fitRatio } from '../media-tasks/fit.ts'
import { filmResolutionName } from '../shape.ts'
import { httpError } from '../status.ts'
import { readBody } from '../transport.ts'
import { bytesOf } from './answer.ts'
import { type Content, failureOf, filmOf, Interaction, isEnded, usageOf } from './interaction.ts'

/** `options` of a model's entry in the price file. */
export const filmOptions = {
  /** At most how many tokens a second of film is in each resolution, for models that are billed so. */
  video_tokens_per_second: z.record(z.string(), z.int().positive()).exactOptional(),
}

const Options = z.object(filmOptions)
/** Kept on the job; `id` is also what a film to be changed is called. */
const Ref = z.object({ id: z.string(), seconds: z.number(), resolution: z.string() })
type Ref = z.infer<typeof Ref>

const RATIOS = ['16:9', '9:16'] as const
const FILM_BYTES_MAX = 512 * 2 ** 20
/** Where a price file says nothing: three times what a second of 720p has, a little over (TanStack/ai#871, 2026-07-01). */
const VIDEO_TOKENS_UNKNOWN = 18_000
const TEXT_TOKENS = 8_192
const INPUT_TOKENS_LEAST = 256
const INPUT_IMAGE_TOKENS = 16_512
/** An earlier film is read whole: some 300 tokens for each of its seconds, of which there are at most a minute. */
const INPUT_FILM_TOKENS = 60 * 300

export function geminiFilm(server: GeminiServer): Generator<VideoRequest, VideoOutput> {
  const { provider, api_key } = server
  const tasks: TaskServer = { ...server, headers: () => ({ 'x-goog-api-key': api_key }) }
  const path = (id: string) => `/v1beta/interactions/${encodeURIComponent(id)}`

  async function start(request: VideoRequest, call: Call): Promise<Progress<VideoOutput>> {
    const body = { model: call.upstream, ...bodyOf(request) }
    const interaction = await ask(tasks, call, { method: 'POST', path: '/v1beta/interactions', body }, Interaction)
    if (isEnded(interaction) && !filmOf(interaction)) return failed(failureOf(interaction, provider))
    // Even one that is done at once is looked at again: only what was pending is known by its name when it is to go on.
    const ref: Ref = { id: interaction.id, seconds: request.seconds, resolution: filmResolutionName(request) }
    return pending(ref, undefined, isEnded(interaction) ? 0 : undefined)
  }

  function poll(ref: Json, call: Call): Promise<Progress<VideoOutput>> {
    const known = Ref.parse(ref)
    return lookUnlessGone(provider, async () =>
      look(await ask(tasks, call, { method: 'GET', path: path(known.id) }, Interaction), known, call),
    )
  }

  async function look(interaction: Interaction, ref: Ref, call: Call): Promise<Progress<VideoOutput>> {
    if (!isEnded(interaction)) return pending(ref)
    const content = interaction.status === 'completed' ? filmOf(interaction) : undefined
    if (!content) return failed(failureOf(interaction, provider))
    const video = content.data ? readInline(content, content.data) : await fetchFilm(server, content.uri ?? '', call)
    if (video) return done({ video }, usageFor(interaction, ref))
    return failed(new ProviderError('unavailable', `${provider} no longer has the film.`))
  }

  return {
    takes: ['first_frame', 'references', 'aspect_ratio', 'resolution', 'audio', 'change'],
    start,
    poll,
    async cancel(ref, call) {
      await ask(tasks, call, { method: 'POST', path: `${path(Ref.parse(ref).id)}/cancel`, body: {} }, z.unknown())
    },
    estimate: (request, _upstream, options) => estimate(request, Options.parse(options)),
  }
}

/** Its price may depend on the resolution, and on how long it was asked to be: Google makes it exactly so long. */
function usageFor(interaction: Interaction, { seconds, resolution }: Ref): Usage {
  const told = usageOf(interaction)
  return {
    meters: { video_seconds: seconds, videos: 1, ...told?.meters },
    attributes: { resolution, audio: 'true' },
    source: told ? 'reported' : 'counted',
    ...(told?.raw === undefined ? {} : { raw: told.raw }),
  }
}

function estimate(request: VideoRequest, options: z.infer<typeof Options>): Usage {
  const { seconds, prompt, first_frame, references = [], change } = request
  bodyOf(request)
  const resolution = filmResolutionName(request)
  const video_tokens = options.video_tokens_per_second?.[resolution] ?? VIDEO_TOKENS_UNKNOWN
  const pictures = references.length + (first_frame ? 1 : 0)
  const meters: Meters = {
    video_seconds: seconds,
    videos: 1,
    input_tokens: Buffer.byteLength(prompt) + INPUT_TOKENS_LEAST + (change ? INPUT_FILM_TOKENS : 0),
    ...(pictures > 0 ? { input_image_tokens: pictures * INPUT_IMAGE_TOKENS } : {}),
    output_tokens: TEXT_TOKENS,
    output_video_tokens: Math.ceil(seconds * video_tokens),
  }
  return { meters, attributes: { resolution, audio: 'true' }, source: 'estimated' }
}

function bodyOf(request: VideoRequest): JsonObject {
  const { prompt, seconds, first_frame, references = [], audio, change, model } = request
  if (audio === false) throw refuse('audio', `${model} makes films with sound alone. Leave 'audio' out.`)
  if (first_frame && references.length > 0)
    throw refuse('references', `${model} takes a first picture or references, not both.`)
  const aspect_ratio = fitRatio(request, RATIOS, model)
  const pictures = [
    ...(first_frame ? [picture(first_frame, 'input_reference')] : []),
    ...references.map((each) => picture(each, 'references')),
  ]
  return {
    input: [...pictures, { type: 'text', text: prompt }],
    background: true,
    store: true,
    ...(change ? { previous_interaction_id: earlier(change.ref, model) } : {}),
    generation_config: { video_config: { task: taskOf(request) } },
    response_format: present<JsonObject>({
      type: 'video',
      aspect_ratio,
      duration: `${seconds}s`,
      resolution: filmResolutionName(request),
      delivery: 'uri',
    }),
  }
}

/** What Google calls the film that is to go on. */
function earlier(ref: Json, model: string): string {
  const known = Ref.pick({ id: true }).safeParse(ref)
  if (known.success) return known.data.id
  throw refuse('id', `${model} knows no film by this id to go on from.`)
}

function taskOf({ change, first_frame, references = [] }: VideoRequest): string {
  if (change) return change.mode === 'extend' ? 'extend' : 'edit'
  if (first_frame) return 'image_to_video'
  return references.length > 0 ? 'reference_to_video' : 'text_to_video'
}

const picture = (asset: Asset, param: string): JsonObject => {
  const { data, media_type } = bytesOf(asset, param)
  return { type: 'image', data: base64Of(data), mime_type: media_type }
}

const readInline = ({ mime_type }: Content, data: string): Asset => ({
  type: 'bytes',
  data: Buffer.from(data, 'base64'),
  media_type: mime_type ?? 'video/mp4',
})

/**
 * A film by its address. Google's own need the key and lead on, once, to an address that needs none: that one, and any
 * that is not Google's, is left to the router, which asks it without a key. Undefined: it is no longer there.
 */
async function fetchFilm(server: GeminiServer, uri: string, call: Call): Promise<Asset | undefined> {
  const { provider, base_url, api_key, fetch } = server
  const url = URL.parse(uri)
  if (!url) throw unreadable(provider)
  if (!isGoogles(url, base_url)) return { type: 'url', url: url.href, media_type: 'video/mp4' }
  // A file's own address tells about the file; its content is under another (`files.download` of the SDK 3.1.0).
  if (/^\/v\w+\/files\/[^/:]+$/.test(url.pathname)) url.pathname += ':download'
  if (url.pathname.endsWith(':download')) url.searchParams.set('alt', 'media')
  const headers = { 'x-goog-api-key': api_key }
  const answer = await fetch.send({ method: 'GET', url: url.href, headers, signal: call.signal })
  const { status } = answer
  const next = status >= 300 && status < 400 ? URL.parse(answer.headers.location ?? '', url.href) : null
  const body = await readBody(answer, FILM_BYTES_MAX)
  if (next) return { type: 'url', url: next.href, media_type: 'video/mp4' }
  if (status === 404 || status === 410 || status === 403) return undefined
  if (status < 200 || status >= 300) throw httpError(status, answer.headers, body.toString(), provider)
  const media_type = answer.headers['content-type']?.split(';')[0] ?? ''
  if (body.length === 0 || /json|html/.test(media_type)) throw unreadable(provider)
  return { type: 'bytes', data: body, media_type: media_type.startsWith('video/') ? media_type : 'video/mp4' }
}

function isGoogles(url: URL, base_url: string): boolean {
  if (url.origin === new URL(base_url).origin) return true
  return url.protocol === 'https:' && /(?:^|\.)googleapis\.com$/.test(url.hostname) && url.port === ''
}
