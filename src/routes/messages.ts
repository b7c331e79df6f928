// POST /v1/messages and /v1/messages/count_tokens: Anthropic's format, for its SDKs and Claude Code.
import type { JsonObject } from '../contract.ts'
import { countInputTokens } from '../flow/chat/count_tokens.ts'
import type { Services } from '../flow/services.ts'
import { clientSignal } from '../http/abort.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter, Context } from '../http/context.ts'
import { countInput } from '../protocols/anthropic-messages/estimate.ts'
import { anthropicMessagesFront } from '../protocols/anthropic-messages/front.ts'
import { PASSED_HEADERS } from '../protocols/anthropic-messages/provider.ts'
import { readMessagesRequest } from '../protocols/anthropic-messages/request.ts'
import { type Extensions, takeExtensions } from './extensions.ts'
import { serveChat } from './serve_chat.ts'

export function messageRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/messages', async (context) => {
    const { extensions, ...asked } = await readMessages(services, context)
    await serveChat(services, context, { ...asked, extensions, endpoint: 'messages' })
  })
  router.post('/v1/messages/count_tokens', async (context) => {
    const { extensions: _, ...asked } = await readMessages(services, context)
    const { caller, request } = context.state
    const { tokens, source } = await countInputTokens(services, caller, {
      ...asked,
      id: request.id,
      gone: clientSignal(context),
      countHere: countInput,
    })
    context.set('x-token-count', source)
    context.body = { input_tokens: tokens }
  })
  // Clients look whether the address is right before they send anything.
  router.head('/v1/messages', async (context) => {
    context.status = 200
  })
}

interface Asked {
  front: typeof anthropicMessagesFront
  model: string
  body: JsonObject
  headers: Record<string, string>
  extensions: Extensions
}

async function readMessages(services: Services, context: Context): Promise<Asked> {
  const { value } = await readJson(context.req, services.config.body_bytes_max)
  const { body: extended, extensions } = takeExtensions(value)
  const body = readMessagesRequest(extended)
  return {
    front: anthropicMessagesFront,
    model: withoutDate(String(body.model)),
    body,
    headers: passedHeaders(context),
    extensions,
  }
}

/** Anthropic's tools send dated names (claude-haiku-4-5-20251001); models are priced under those without. */
export const withoutDate = (model: string): string => model.replace(/(claude-[a-z0-9-]+)-20\d{6}$/, '$1')

function passedHeaders(context: Context): Record<string, string> {
  const sent = PASSED_HEADERS.map((name) => [name, context.get(name)] as const)
  return Object.fromEntries(sent.filter(([, value]) => value !== ''))
}
