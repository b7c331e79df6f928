// Video over OpenAI's /videos: submitted, polled, downloaded. (OpenAI's own service ended on 2026-09-24; resellers and
// local servers speak on in its shape.)
import type { VideoCreateParams, VideoExtendParams } from 'openai/resources/videos'
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
  type VideoOutput,
  type VideoRequest,
} from '../../contract.ts'
import { readAnswer } from '../faults.ts'
import { httpError } from '../status.ts'
import { callOptions, fieldsOf, type MediaServer, mediaClient, upload, viaSdk } from './client.ts'
import { filesOf } from './video_files.ts'

const Video = z.looseObject({
  id: z.string(),
  status: z.string(),
  progress: z.number().nullish(),
  seconds: z.union([z.string(), z.number()]).nullish(),
  size: z.string().nullish(),
  error: z.looseObject({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
})
type Video = z.infer<typeof Video>
/** What the job keeps; the request's length stands in where the server does not repeat it. */
const Ref = z.object({ id: z.string(), seconds: z.number() })

const POLL_AFTER_MS = 5000
const DEFAULT_SIZE = '720x1280'

export function openaiVideo(server: MediaServer): Generator<VideoRequest, VideoOutput> {
  const sdk = mediaClient(server)
  const { provider } = server

  async function start(request: VideoRequest, call: Call): Promise<Progress<VideoOutput>> {
    const { prompt, seconds, size, first_frame, change, extra } = request
    if (change) return startChange(request, change, call)
    const input_reference = first_frame && (await upload(first_frame, 'first-frame', 'input_reference'))
    const fields = fieldsOf({ model: call.upstream, prompt, seconds: String(seconds), size }, extra)
    const params = { ...fields, ...(input_reference ? { input_reference } : {}) } as unknown as VideoCreateParams
    return look(call, seconds, () => sdk.videos.create(params, callOptions(call)).withResponse())
  }

  /** A film that the server keeps, named by its id there. */
  async function startChange(
    { prompt, seconds }: VideoRequest,
    { mode, ref }: NonNullable<VideoRequest['change']>,
    call: Call,
  ): Promise<Progress<VideoOutput>> {
    const { id } = Ref.parse(ref)
    const extension = { prompt, seconds: String(seconds), video: { id } } as VideoExtendParams
    return look(call, seconds, () =>
      mode === 'remix'
        ? sdk.videos.remix(id, { prompt }, callOptions(call)).withResponse()
        : sdk.videos.extend(extension, callOptions(call)).withResponse(),
    )
  }

  async function poll(ref: Json, call: Call): Promise<Progress<VideoOutput>> {
    const { id, seconds } = Ref.parse(ref)
    return look(call, seconds, () => sdk.videos.retrieve(id, callOptions(call)).withResponse())
  }

  async function look(
    call: Call,
    seconds: number,
    ask: () => Promise<{ data: unknown; response: Response }>,
  ): Promise<Progress<VideoOutput>> {
    const { data, response } = await viaSdk(provider, call, ask)
    const video = readAnswer(Video, data, provider)
    if (video.status === 'completed') return finish(video, seconds, call)
    if (video.status === 'failed') return failed(failure(video, provider))
    const wait_ms = Number(response.headers.get('openai-poll-after-ms'))
    return pending({ id: video.id, seconds }, video.progress ?? undefined, wait_ms > 0 ? wait_ms : POLL_AFTER_MS)
  }

  async function finish(video: Video, seconds: number, call: Call): Promise<Progress<VideoOutput>> {
    const files = await filesOf({ provider, sdk }, video.id, call)
    const length = Number(video.seconds)
    return done(
      { ...files, answer: video as JsonObject },
      {
        meters: { video_seconds: length > 0 ? length : seconds, videos: 1 },
        ...(video.size ? { attributes: { size: video.size } } : {}),
        source: length > 0 ? 'reported' : 'counted',
      },
    )
  }

  return {
    takes_extra: true,
    takes: ['first_frame', 'change'],
    // "The image must match the size of the video" (OpenAI's guide of 2025-10).
    frame_size: ({ size = DEFAULT_SIZE }) => size,
    start,
    poll,
    /** There is no cancel in this format; deleting is what ends the work where a server allows it. */
    async cancel(ref, call) {
      await viaSdk(provider, call, () => sdk.videos.delete(Ref.parse(ref).id, callOptions(call)))
    },
    estimate: ({ seconds, size = DEFAULT_SIZE }) => ({
      meters: { video_seconds: seconds, videos: 1 },
      attributes: { size },
      source: 'estimated',
    }),
  }
}

/** The work was accepted, so that a fault without a code is the provider's. */
function failure({ error }: Video, provider: string): ProviderError {
  const kind = httpError(500, {}, JSON.stringify({ error }), provider).kind
  if (kind === 'content_policy') return httpError(400, {}, JSON.stringify({ error }), provider)
  return new ProviderError('unavailable', `${provider} could not make the video.`, {
    cause: error?.message ?? error?.code ?? undefined,
  })
}
