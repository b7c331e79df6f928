// POST /v1/images/generations and /v1/images/edits: pictures from words, and from other pictures.
import type { Services } from '../flow/services.ts'
import { clientSignal } from '../http/abort.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter, Context } from '../http/context.ts'
import { readImageRequest } from '../protocols/openai-media/image_request.ts'
import { WireError } from '../protocols/wire_error.ts'
import { takeExtensions } from './extensions.ts'
import { answerImages, readImageBody, withPictures } from './serve_images.ts'

export function imageRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/images/generations', (context) => generate(services, context))
  router.post('/v1/images/edits', (context) => edit(services, context))
}

async function generate(services: Services, context: Context): Promise<void> {
  const { value } = await readJson(context.req, services.config.body_bytes_max)
  const { body, extensions } = takeExtensions(value)
  const plan = { endpoint: 'images.generations', extensions, gone: clientSignal(context) } as const
  await answerImages(services, context, readImageRequest(body), plan)
}

async function edit(services: Services, context: Context): Promise<void> {
  const { fields, extensions, ...pictures } = await readImageBody(context, services)
  const call = readImageRequest(fields)
  if (pictures.images.length === 0) throw new WireError("'image' is required.", 'image', 'missing_required_parameter')
  const gone = clientSignal(context)
  const plan = { endpoint: 'images.edits', extensions, gone } as const
  await answerImages(services, context, await withPictures(call, pictures, gone), plan)
}
