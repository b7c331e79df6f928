// How many tokens a response request can be at most: the chat format's bound, of the same things in chat's words.
import type { Json, JsonObject, Meters } from '../../contract.ts'
import { isRecord, record } from '../lenient.ts'
import { inputUpperBound as chatUpperBound } from '../openai-chat/estimate.ts'

/** Items by reference, stored prompts: nobody here can see them. Chat's bound knows such a part as a film. */
const UNSEEN = { role: 'user', content: [{ type: 'video_url' }] }

/** In pro mode the model reads the input several times over (a recording of 2026-07: 1,549 tokens for a dozen words). */
const PRO_READINGS = 16

export function inputUpperBound(body: JsonObject): Meters {
  const { instructions, input, tools, text, prompt, reasoning } = body
  const items = Array.isArray(input) ? input : [{ role: 'user', content: input ?? '' }]
  const meters = chatUpperBound({
    model: body.model,
    messages: [instructions ?? '', ...items.map(inChat), ...(prompt ? [UNSEEN] : [])],
    tools: Array.isArray(tools) ? tools.flatMap(toolsInChat) : tools,
    response_format: isRecord(text) ? text.format : undefined,
  })
  if (!isRecord(reasoning) || reasoning.mode !== 'pro') return meters
  return { ...meters, input_tokens: (meters.input_tokens ?? 0) * PRO_READINGS }
}

const FAIR = { bytes_per_token: 4, tokens_per_item: 4, picture: 1_600, document_least: 1_600, document_per_byte: 0.05 }

/** A count for people who plan, where no provider counts: text by its bytes, pictures and documents by a mean. */
export function countInput({ instructions, input, tools, text }: JsonObject): number {
  const items = Array.isArray(input) ? input.length : 1
  return Math.ceil(items * FAIR.tokens_per_item + weigh([instructions, input, tools, record(text).format]))
}

function weigh(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value) / FAIR.bytes_per_token
  if (Array.isArray(value)) return value.reduce<number>((total, each) => total + weigh(each), 0)
  if (!isRecord(value)) return 0
  if (value.type === 'input_image') return FAIR.picture
  if (value.type === 'input_file') {
    const bytes = Buffer.byteLength(String(bytesOnly(value.file_data as Json) ?? ''), 'base64')
    return FAIR.document_least + bytes * FAIR.document_per_byte
  }
  const { type: _type, id: _id, call_id: _call, encrypted_content: _sealed, ...words } = value
  return weigh(Object.values(words))
}

/** A namespace is a list of functions; `tool_search` runs at the caller or over the tools that are here. */
function toolsInChat(tool: Json): Json[] {
  if (!isRecord(tool)) return [tool]
  if (tool.type === 'tool_search') return [{ ...tool, type: 'function' } as JsonObject]
  return tool.type === 'namespace' && Array.isArray(tool.tools)
    ? [...(tool.tools as Json[]), tool.description as Json]
    : [tool as Json]
}

function inChat(value: Json): Json {
  if (Array.isArray(value)) return value.map(inChat)
  if (!isRecord(value)) return value
  const object = value as JsonObject
  switch (object.type) {
    case 'input_image':
      return { type: 'image_url', image_url: { detail: object.detail ?? 'auto' } }
    case 'input_file':
      return { type: 'file', file: { file_data: bytesOnly(object.file_data) } }
    case 'item_reference':
      return UNSEEN
    default:
      return Object.fromEntries(Object.entries(object).map(([name, member]) => [name, inChat(member)]))
  }
}

/** What of a data URL is data: chat's bound reads bare base64. */
const bytesOnly = (data: Json | undefined): Json =>
  typeof data === 'string' ? data.slice(data.startsWith('data:') ? data.indexOf(',') + 1 : 0) : null
