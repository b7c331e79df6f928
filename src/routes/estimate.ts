// POST /v1/estimate: what any request would hold at most, from its body and its `operation`. No job is opened, nothing is
// held, no file is downloaded.
import { z } from 'zod'
import { type JsonObject, OPERATIONS, type Operation } from '../contract.ts'
import type { Admitted } from '../flow/admit.ts'
import { admitChat } from '../flow/chat.ts'
import { estimateView } from '../flow/estimate.ts'
import { admitGeneration } from '../flow/generate.ts'
import { defaultSeconds } from '../flow/generators.ts'
import type { Caller, Services } from '../flow/services.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter } from '../http/context.ts'
import { openaiChatFront } from '../protocols/openai-chat/front.ts'
import { readChatRequest } from '../protocols/openai-chat/request.ts'
import { readImageRequest, takeImages } from '../protocols/openai-media/image_request.ts'
import { readSpeechRequest } from '../protocols/openai-media/speech_request.ts'
import { readEmbeddingRequest, readModerationRequest } from '../protocols/openai-media/text_request.ts'
import { readTranscriptionRequest } from '../protocols/openai-media/transcription_request.ts'
import { readVideoRequest } from '../protocols/openai-media/video_request.ts'
import { takeExtensions } from './extensions.ts'

const head = z.object({ operation: z.enum(OPERATIONS) })
/** A recording has a length; here it is told and not measured. */
const recording = z.object({ seconds: z.number().positive() })

export function estimateRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/estimate', async (context) => {
    const { value } = await readJson(context.req, services.config.body_bytes_max)
    const { operation } = head.parse(value)
    const { operation: _, ...rest } = value
    const { body, extensions } = takeExtensions(rest)
    const admitted = admitAny(services, context.state.caller, operation, body, extensions.max_cost_usd)
    context.body = estimateView(admitted, operation)
  })
}

/** A file that is only counted. */
const unseen = () => ({ type: 'bytes' as const, data: new Uint8Array(), media_type: 'application/octet-stream' })

function admitAny(
  services: Services,
  caller: Caller,
  operation: Operation,
  body: JsonObject,
  max_cost_usd: string | undefined,
): Admitted {
  switch (operation) {
    case 'chat':
      return admitChat(services, caller, {
        front: openaiChatFront,
        body: readChatRequest(body),
        model: String(body.model),
        ...(max_cost_usd !== undefined && { max_cost_usd }),
      })
    case 'image': {
      const { rest, images, mask } = takeImages(body)
      const { request } = readImageRequest(rest)
      const sent = {
        ...request,
        ...(images.length > 0 && { images: images.map(unseen) }),
        ...(mask && { mask: unseen() }),
      }
      return admitGeneration(services, caller, 'image', sent, max_cost_usd)
    }
    case 'video': {
      const { request } = readVideoRequest(body)
      const seconds = request.seconds ?? defaultSeconds(services, request.model)
      return admitGeneration(services, caller, 'video', { ...request, seconds }, max_cost_usd)
    }
    case 'speech':
      return admitGeneration(services, caller, 'speech', readSpeechRequest(body).request, max_cost_usd)
    case 'transcription': {
      const { seconds, ...fields } = body
      const { request } = readTranscriptionRequest(fields, 'transcribe')
      const sent = { ...request, audio: unseen(), seconds: recording.parse({ seconds }).seconds }
      return admitGeneration(services, caller, 'transcription', sent, max_cost_usd)
    }
    case 'embedding':
      return admitGeneration(services, caller, 'embedding', readEmbeddingRequest(body), max_cost_usd)
    case 'moderation':
      return admitGeneration(services, caller, 'moderation', readModerationRequest(body), max_cost_usd)
  }
}
