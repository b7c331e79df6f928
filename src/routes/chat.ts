// POST /v1/chat/completions: OpenAI's chat; and /v1/completions, its predecessor.
import type { Services } from '../flow/services.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter } from '../http/context.ts'
import { openaiChatFront } from '../protocols/openai-chat/front.ts'
import { readChatRequest } from '../protocols/openai-chat/request.ts'
import { openaiCompletionsFront, readCompletionRequest } from '../protocols/openai-completions/front.ts'
import { takeExtensions } from './extensions.ts'
import { serveChat } from './serve_chat.ts'

export function chatRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/chat/completions', async (context) => {
    const { value } = await readJson(context.req, services.config.body_bytes_max)
    const { body: extended, extensions } = takeExtensions(value)
    const body = readChatRequest(extended)
    const asked = { front: openaiChatFront, model: String(body.model), endpoint: 'chat.completions' }
    await serveChat(services, context, { ...asked, body, extensions })
  })
  router.post('/v1/completions', async (context) => {
    const { value } = await readJson(context.req, services.config.body_bytes_max)
    const { body: extended, extensions } = takeExtensions(value)
    const body = readCompletionRequest(extended)
    const asked = { front: openaiCompletionsFront, model: String(body.model), endpoint: 'completions' }
    await serveChat(services, context, { ...asked, body, extensions })
  })
}
