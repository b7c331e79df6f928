// A chat whose cost is asked for, in whichever format: that which `format` names, else that to which its fields belong.
import { z } from 'zod'
import type { JsonObject } from '../contract.ts'
import { withEarlier } from '../flow/chat/response_store.ts'
import type { Caller, Services } from '../flow/services.ts'
import { anthropicMessagesFront } from '../protocols/anthropic-messages/front.ts'
import { readMessagesRequest } from '../protocols/anthropic-messages/request.ts'
import type { ChatFront } from '../protocols/front.ts'
import { geminiFront } from '../protocols/gemini/front.ts'
import { readGeminiRequest } from '../protocols/gemini/request.ts'
import { isRecord } from '../protocols/lenient.ts'
import { openaiChatFront } from '../protocols/openai-chat/front.ts'
import { readChatRequest } from '../protocols/openai-chat/request.ts'
import { openaiCompletionsFront, readCompletionRequest } from '../protocols/openai-completions/front.ts'
import { openaiResponsesFront } from '../protocols/openai-responses/front.ts'
import { readResponsesRequest } from '../protocols/openai-responses/request.ts'
import { withoutDate } from './messages.ts'

const FORMATS = ['openai-chat', 'openai-completions', 'openai-responses', 'anthropic-messages', 'gemini'] as const
type Format = (typeof FORMATS)[number]

const named = z.object({ format: z.enum(FORMATS).optional() })

const READERS: Record<Format, { front: ChatFront; read(body: JsonObject): JsonObject }> = {
  'openai-chat': { front: openaiChatFront, read: readChatRequest },
  'openai-completions': { front: openaiCompletionsFront, read: readCompletionRequest },
  'openai-responses': { front: openaiResponsesFront, read: readResponsesRequest },
  'anthropic-messages': { front: anthropicMessagesFront, read: readMessagesRequest },
  gemini: { front: geminiFront, read: readGeminiRequest },
}

/** Checked as its own route checks it, with the items of an earlier response. Throws ZodError, WireError, Failure. */
export async function chatToEstimate(
  services: Services,
  { account_id }: Caller,
  whole: JsonObject,
): Promise<{ front: ChatFront; body: JsonObject; model: string }> {
  const { format: asked, ...rest } = whole
  const format = named.parse({ format: asked }).format ?? formatOf(rest)
  const { front, read } = READERS[format]
  const checked = read(rest)
  const body = format === 'openai-responses' ? await withEarlier(services, account_id, checked) : checked
  const model = String(body.model)
  return { front, body, model: format === 'anthropic-messages' ? withoutDate(model) : model }
}

function formatOf(body: JsonObject): Format {
  if ('contents' in body) return 'gemini'
  if ('input' in body || 'previous_response_id' in body || isRecord(body.prompt)) return 'openai-responses'
  if ('prompt' in body && !('messages' in body)) return 'openai-completions'
  return isAnthropic(body) ? 'anthropic-messages' : 'openai-chat'
}

const ANTHROPIC_FIELDS = ['system', 'thinking', 'stop_sequences', 'output_config', 'mcp_servers', 'context_management']
const ANTHROPIC_BLOCKS = new Set(['tool_use', 'tool_result', 'thinking', 'redacted_thinking', 'image', 'document'])

/** Both have `messages`; a plain conversation costs the same read either way. */
function isAnthropic({ messages, tools, ...fields }: JsonObject): boolean {
  if (ANTHROPIC_FIELDS.some((name) => name in fields)) return true
  const described = Array.isArray(tools) ? (tools as unknown[]).filter(isRecord) : []
  if (described.some((tool) => 'input_schema' in tool)) return true
  const turns = Array.isArray(messages) ? (messages as unknown[]).filter(isRecord) : []
  const blocks = turns.flatMap(({ content }) => (Array.isArray(content) ? content.filter(isRecord) : []))
  return blocks.some(({ type }) => ANTHROPIC_BLOCKS.has(String(type)))
}
