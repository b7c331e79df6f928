// POST /v1/estimate: what any request would hold at most, from its body, JSON or a form, and its `operation`. No job is
// opened, nothing is held, no file is downloaded.
import { z } from 'zod'
import { type ImageRequest, type JsonObject, OPERATIONS, type Operation } from '../contract.ts'
import type { Admitted } from '../flow/admit.ts'
import { admitChat } from '../flow/chat.ts'
import { estimateView } from '../flow/estimate.ts'
import { admitGeneration } from '../flow/generate.ts'
import { defaultSeconds } from '../flow/generators.ts'
import type { Caller, Services } from '../flow/services.ts'
import { findThread, turnBody } from '../flow/threads.ts'
import type { ApiRouter } from '../http/context.ts'
import type { UploadedFile } from '../http/multipart.ts'
import { openaiChatFront } from '../protocols/openai-chat/front.ts'
import { readChatRequest } from '../protocols/openai-chat/request.ts'
import { IMAGE_FORM, readImageRequest } from '../protocols/openai-media/image_request.ts'
import { readSpeechRequest } from '../protocols/openai-media/speech_request.ts'
import { readEmbeddingRequest, readModerationRequest } from '../protocols/openai-media/text_request.ts'
import { readTranscriptionRequest } from '../protocols/openai-media/transcription_request.ts'
import { readVideoRequest } from '../protocols/openai-media/video_request.ts'
import { filesByField, readMediaBody } from './media_body.ts'
import { pickImages } from './serve_images.ts'

const ESTIMATE_FORM = { numbers: [...IMAGE_FORM.numbers, 'seconds'], booleans: IMAGE_FORM.booleans }

const head = z.object({ operation: z.enum(OPERATIONS) })
/** A recording has a length; here it is told and not measured. */
const recording = z.object({ seconds: z.number().positive() })

export function estimateRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/estimate', async (context) => {
    const { fields, files, extensions } = await readMediaBody(context, services, ESTIMATE_FORM)
    const { operation } = head.parse(fields)
    const { operation: _, ...body } = fields
    const { caller } = context.state
    const { max_cost_usd } = extensions
    const admitted =
      operation === 'image'
        ? admitGeneration(services, caller, 'image', await imageRequest(services, caller, body, files), max_cost_usd)
        : admitAny(services, caller, operation, withoutFiles(operation, body, files), max_cost_usd)
    context.body = estimateView(admitted, operation)
  })
}

/** A file that is only counted. */
const unseen = () => ({ type: 'bytes' as const, data: new Uint8Array(), media_type: 'application/octet-stream' })

/** The files that forms may have, which say nothing about the cost: for lengths there is 'seconds'. */
const FILES: Partial<Record<Operation, Record<string, number>>> = {
  video: { input_reference: 1 },
  transcription: { file: 1 },
}

function withoutFiles(operation: Operation, body: JsonObject, files: UploadedFile[]): JsonObject {
  filesByField(files, FILES[operation] ?? {})
  return body
}

/** Of a picture, an edit, or with `thread_id` the next turn of a thread. */
async function imageRequest(
  services: Services,
  { account_id }: Caller,
  { thread_id, ...body }: JsonObject,
  files: UploadedFile[],
): Promise<ImageRequest> {
  const thread = thread_id === undefined ? undefined : await findThread(services, account_id, String(thread_id))
  const { fields, images, mask } = pickImages(thread ? turnBody(thread, body) : body, files)
  const { request } = readImageRequest(fields)
  const count = images.length + (thread && thread.turns.length > 0 ? 1 : 0)
  const sent = Array.from({ length: count }, unseen)
  return { ...request, ...(count > 0 && { images: sent }), ...(mask && { mask: unseen() }) }
}

function admitAny(
  services: Services,
  caller: Caller,
  operation: Exclude<Operation, 'image'>,
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
