// /v1/responses: OpenAI's Responses API for every chat model.
import type { Services } from '../flow/services.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter } from '../http/context.ts'
import { openaiResponsesFront } from '../protocols/openai-responses/front.ts'
import { readResponsesRequest } from '../protocols/openai-responses/request.ts'
import { takeExtensions } from './extensions.ts'
import { serveChat } from './serve_chat.ts'

export function responseRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/responses', async (context) => {
    const { value } = await readJson(context.req, services.config.body_bytes_max)
    const { body: extended, extensions } = takeExtensions(value)
    const body = readResponsesRequest(extended)
    const asked = { front: openaiResponsesFront, model: String(body.model), endpoint: 'responses' }
    await serveChat(services, context, { ...asked, body, extensions })
  })
}
