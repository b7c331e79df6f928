// How many tokens a response request can be at most: the chat format's bound, of the same things in chat's words.
import type { Json, JsonObject, Meters } from '../../contract.ts'
import { isRecord, record } from '../lenient.ts'
import { inputUpperBound as chatUpperBound } from '../openai-chat/estimate.ts'
import { toolsIn } from './tools.ts'

/** Items by reference, stored prompts: nobody here can see them. Chat's bound knows such a part as a film. */
const UNSEEN = { role: 'user', content: [{ type: 'video_url' }] }

/**
 * What searches of the web bring in, all together: OpenAI limits them to this context, also for models with a larger one
 * (its guide on web search, 2026-05); seven searches came to 116,000 (a recording of 2026).
 */
const SEARCH_TOKENS = 128_000
/** Searches, where the caller sets no `max_tool_calls`; the most in any recording is 9. */
const SEARCHES_MOST = 20

/** In pro mode the model reads the input several times over (a recording of 2026-07: 1,549 tokens for a dozen words). */
const PRO_READINGS = 16

export function inputUpperBound(body: JsonObject): Meters {
  const { instructions, input, tools, text, prompt, reasoning } = body
  const items = Array.isArray(input) ? input : [{ role: 'user', content: input ?? '' }]
  const searches = searchesOf(body)
  const meters = chatUpperBound({
    model: body.model,
    messages: [instructions ?? '', ...items.map(inChat), ...(prompt ? [UNSEEN] : [])],
    tools: Array.isArray(tools) ? tools.flatMap(toolsInChat) : tools,
    response_format: isRecord(text) ? text.format : undefined,
  })
  const readings = isRecord(reasoning) && reasoning.mode === 'pro' ? PRO_READINGS : 1
  const found = searches ? SEARCH_TOKENS : 0
  return {
    ...meters,
    input_tokens: ((meters.input_tokens ?? 0) + found) * readings,
    ...(searches ? { web_searches: searches } : {}),
  }
}

/** How often the model may search at most; a search without a budget is not among them, for that brings in what it will. */
function searchesOf(body: JsonObject): number {
  const searching = toolsIn(body).some(isSearch)
  if (!searching) return 0
  return typeof body.max_tool_calls === 'number' ? body.max_tool_calls : SEARCHES_MOST
}

const isSearch = ({ type }: { type: string }): boolean => /^web_search(?:_|$)/.test(type)

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
  const bounded =
    tool.type === 'tool_search' || (isSearch(tool as { type: string }) && tool.return_token_budget !== 'unlimited')
  if (bounded) return [{ ...tool, type: 'function' } as JsonObject]
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
