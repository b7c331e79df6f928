// POST /v1/estimate: what any request would hold at most, from its body, JSON or a form, and its `operation`. No job is
// opened, nothing is held, no file is downloaded; an uploaded recording is measured.
import { z } from 'zod'
import { type ImageRequest, type JsonObject, OPERATIONS, type Operation } from '../contract.ts'
import type { Admitted } from '../flow/admit.ts'
import { admitChat } from '../flow/chat/chat.ts'
import { estimateView } from '../flow/estimate.ts'
import { admitGeneration } from '../flow/media/generate.ts'
import type { GeneratorOperation, RequestOf } from '../flow/media/generators.ts'
import { findThread, turnBody } from '../flow/media/threads.ts'
import type { Caller, Services } from '../flow/services.ts'
import { clientSignal } from '../http/abort.ts'
import type { ApiRouter, Context } from '../http/context.ts'
import type { UploadedFile } from '../http/multipart.ts'
import { IMAGE_FORM, readImageRequest } from '../protocols/openai-media/image_request.ts'
import { readSpeechRequest } from '../protocols/openai-media/speech_request.ts'
import { readEmbeddingRequest, readModerationRequest } from '../protocols/openai-media/text_request.ts'
import { TRANSCRIPTION_FORM } from '../protocols/openai-media/transcription_request.ts'
import { VIDEO_FORM } from '../protocols/openai-media/video_request.ts'
import { chatToEstimate } from './estimate_chat.ts'
import { filmRequest, recordingRequest, unseen } from './estimate_media.ts'
import type { Extensions } from './extensions.ts'
import { filesByField, readMediaBody } from './media_body.ts'
import { pickImages } from './serve_images.ts'

/** The fields of all forms that are no text in JSON. */
const ESTIMATE_FORM = {
  numbers: [...IMAGE_FORM.numbers, ...VIDEO_FORM.numbers, ...TRANSCRIPTION_FORM.numbers],
  booleans: [...IMAGE_FORM.booleans, ...VIDEO_FORM.booleans, ...TRANSCRIPTION_FORM.booleans],
}

const head = z.object({ operation: z.enum(OPERATIONS) })

export function estimateRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/estimate', async (context) => {
    const { fields, files, extensions } = await readMediaBody(context, services, ESTIMATE_FORM)
    const { operation } = head.parse(fields)
    const { operation: _, ...body } = fields
    const admitted = await admitAny(services, context, operation, { body, files, ...extensions })
    context.body = estimateView(admitted, operation)
  })
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

interface Asked extends Extensions {
  body: JsonObject
  files: UploadedFile[]
}

async function admitAny(
  services: Services,
  context: Context,
  operation: Operation,
  { body, files, max_cost_usd }: Asked,
): Promise<Admitted> {
  const { caller } = context.state
  const admitted = <Kind extends GeneratorOperation>(kind: Kind, request: RequestOf<Kind>) =>
    admitGeneration(services, caller, kind, request, max_cost_usd)
  if (operation === 'image') return admitted('image', await imageRequest(services, caller, body, files))
  if (operation === 'video') return admitted('video', await filmRequest(services, caller, body, files))
  if (operation === 'transcription') {
    return admitted('transcription', await recordingRequest(services, body, files, clientSignal(context)))
  }
  filesByField(files, {})
  switch (operation) {
    case 'chat':
      return admitChat(services, caller, {
        ...(await chatToEstimate(services, caller, body)),
        ...(max_cost_usd !== undefined && { max_cost_usd }),
      })
    case 'speech':
      return admitted('speech', readSpeechRequest(body).request)
    case 'embedding':
      return admitted('embedding', readEmbeddingRequest(body))
    case 'moderation':
      return admitted('moderation', readModerationRequest(body))
  }
}
