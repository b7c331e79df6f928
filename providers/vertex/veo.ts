// Veo: films by a long-running operation, which knows no progress and cannot be canceled.
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/veo-video-generation
import { z } from 'zod'
import {
  type Asset,
  type Call,
  done,
  type ErrorKind,
  failed,
  type Generator,
  type Json,
  type JsonObject,
  type Progress,
  ProviderError,
  pending,
  type VideoOutput,
  type VideoRequest,
} from '../../src/contract.ts'
import { base64Of } from '../../src/protocols/address.ts'
import { present } from '../../src/protocols/check_body.ts'
import { refuse, unreadable } from '../../src/protocols/faults.ts'
import { lookUnlessGone, refused } from '../../src/protocols/media-tasks/client.ts'
import { fitRatio } from '../../src/protocols/media-tasks/fit.ts'
import { filmResolutionName } from '../../src/protocols/shape.ts'
import { scrub } from '../../src/protocols/status.ts'
import { askModel, POLICY, type VertexServer } from './server.ts'

const Started = z.looseObject({ name: z.string().min(1) })
const Operation = z.looseObject({
  done: z.boolean().nullish(),
  error: z.looseObject({ code: z.number().nullish(), message: z.string().nullish() }).nullish(),
  response: z
    .looseObject({
      videos: z
        .array(
          z.looseObject({
            bytesBase64Encoded: z.string().nullish(),
            gcsUri: z.string().nullish(),
            mimeType: z.string().nullish(),
          }),
        )
        .nullish(),
      raiMediaFilteredCount: z.number().nullish(),
      raiMediaFilteredReasons: z.array(z.string()).nullish(),
    })
    .nullish(),
})
type Operation = z.infer<typeof Operation>
/** Kept on the job. */
const Ref = z.object({ operation: z.string(), seconds: z.number(), resolution: z.string(), audio: z.boolean() })
type Ref = z.infer<typeof Ref>

const RATIOS = ['16:9', '9:16'] as const
const POLL_AFTER_MS = 5000

export function veo(server: VertexServer): Generator<VideoRequest, VideoOutput> {
  const { provider } = server

  async function start(request: VideoRequest, call: Call): Promise<Progress<VideoOutput>> {
    const { name } = await askModel(server, call, 'predictLongRunning', bodyOf(request), Started)
    const ref: Ref = { operation: name, seconds: request.seconds, ...factsOf(request) }
    return pending(ref, undefined, POLL_AFTER_MS)
  }

  function poll(ref: Json, call: Call): Promise<Progress<VideoOutput>> {
    const known = Ref.parse(ref)
    const asked = { operationName: known.operation }
    return lookUnlessGone(provider, async () =>
      read(await askModel(server, call, 'fetchPredictOperation', asked, Operation), known, provider),
    )
  }

  return {
    takes: [
      'first_frame',
      'last_frame',
      'references',
      'aspect_ratio',
      'resolution',
      'audio',
      'negative_prompt',
      'seed',
    ],
    start,
    poll,
    estimate(request) {
      bodyOf(request)
      const { resolution, audio } = factsOf(request)
      return {
        meters: { video_seconds: request.seconds, videos: 1 },
        attributes: { resolution, audio: String(audio) },
        source: 'estimated',
      }
    },
  }
}

function read({ done: ended, error, response }: Operation, ref: Ref, provider: string): Progress<VideoOutput> {
  if (error) return failed(failureOf(error, provider))
  if (!ended) return pending(ref, undefined, POLL_AFTER_MS)
  const [made] = response?.videos ?? []
  if (!made) return failed(filtered(response ?? {}, provider))
  // We name no bucket, so that the film itself comes; one in a bucket is behind a credential that we do not hand out.
  if (!made.bytesBase64Encoded) throw unreadable(provider)
  const media_type = made.mimeType ?? 'video/mp4'
  const video: Asset = { type: 'bytes', data: Buffer.from(made.bytesBase64Encoded, 'base64'), media_type }
  const { seconds, resolution, audio } = ref
  return done(
    { video },
    {
      meters: { video_seconds: seconds, videos: 1 },
      attributes: { resolution, audio: String(audio) },
      source: 'counted',
    },
  )
}

/** What the price depends on; with sound where nobody says otherwise, as the vendor does it since Veo 3. */
const factsOf = ({ audio = true, ...shape }: VideoRequest) => ({ resolution: filmResolutionName(shape), audio })

function bodyOf(request: VideoRequest): JsonObject {
  const { prompt, seconds, first_frame, last_frame, references = [], negative_prompt, seed, model } = request
  if (last_frame && !first_frame) throw refuse('last_frame', `${model} takes a last picture only with a first one.`)
  if (references.length > 0 && first_frame)
    throw refuse('references', `${model} takes a first picture or references, not both.`)
  const { resolution, audio } = factsOf(request)
  return {
    instances: [
      present<JsonObject>({
        prompt,
        image: first_frame && picture(first_frame, 'input_reference'),
        lastFrame: last_frame && picture(last_frame, 'last_frame'),
        referenceImages:
          references.length > 0
            ? references.map((each) => ({ image: picture(each, 'references'), referenceType: 'asset' }))
            : undefined,
      }),
    ],
    parameters: present<JsonObject>({
      sampleCount: 1,
      durationSeconds: seconds,
      aspectRatio: fitRatio(request, RATIOS, model),
      resolution,
      generateAudio: audio,
      negativePrompt: negative_prompt,
      seed,
    }),
  }
}

function picture(asset: Asset, param: string): JsonObject {
  if (asset.type === 'url') throw refuse(param, `'${param}' must be uploaded as a file.`)
  return { bytesBase64Encoded: base64Of(asset.data), mimeType: asset.media_type }
}

function filtered(
  { raiMediaFilteredCount, raiMediaFilteredReasons }: NonNullable<Operation['response']>,
  provider: string,
): ProviderError {
  const reason = raiMediaFilteredReasons?.find(Boolean)
  if (!raiMediaFilteredCount && !reason)
    return new ProviderError('bad_response', `${provider} finished without a film.`)
  const because = reason ? ` It said: ${scrub(reason)}` : ''
  return new ProviderError('content_policy', `${provider} made a film and its filter held it back.${because}`)
}

/** By the numbers of google.rpc.Code. */
const KINDS: Record<number, ErrorKind> = {
  3: 'invalid_request',
  4: 'timeout',
  7: 'permission',
  8: 'overloaded',
  9: 'invalid_request',
  14: 'overloaded',
  16: 'authentication',
}

function failureOf({ code, message }: NonNullable<Operation['error']>, provider: string): ProviderError {
  const kind = POLICY.test(message ?? '') ? 'content_policy' : (KINDS[code ?? 13] ?? 'unavailable')
  return refused({ kind, message: message ?? undefined }, provider)
}
