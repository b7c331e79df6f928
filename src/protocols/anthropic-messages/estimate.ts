// How many tokens a request in Anthropic's format can be at most, before anybody has counted them; and a fair count where
// a number is asked for and the provider has none. Pure.
import type { Meters } from '../../contract.ts'
import { withPlainId } from '../call_ids.ts'
import { isRecord, record } from '../lenient.ts'
import { isOwnTool } from './schema.ts'

interface Weights {
  bytes_per_token: number
  tokens_per_message: number
  tokens_per_request: number
  tokens_for_tools: number
  image: number
  document_per_byte: number
  document_least: number
  /** A file that only the provider can see. */
  unseen: number
}

/**
 * From above: a token is at least a byte; the frame of tools is 530 tokens at most (recordings). A picture is 1,600
 * tokens at Anthropic, but the same request may be served by others, of whom OpenAI counts most (16,200). PDF text is
 * compressed about fourfold and every page is read as a picture too.
 */
const MOST: Weights = {
  bytes_per_token: 1,
  tokens_per_message: 16,
  tokens_per_request: 1_024,
  tokens_for_tools: 1_024,
  image: 16_200,
  document_per_byte: 4,
  document_least: 4_000,
  unseen: 2_000_000,
}

/** About what tokenisers come to on ordinary text: four bytes a token, Anthropic's own figure for a large picture. */
const FAIR: Weights = {
  bytes_per_token: 4,
  tokens_per_message: 4,
  tokens_per_request: 4,
  tokens_for_tools: 350,
  image: 1_600,
  document_per_byte: 0.05,
  document_least: 1_600,
  unseen: 1_600,
}

/** What one search of the provider's own can be asked for at most, where the caller sets no `max_uses`. */
const SEARCHES_MOST = 10

/** The most that the input of this body can be; the caller limits it to the model's context. */
export function inputUpperBound(body: Record<string, unknown>): Meters {
  const tools = Array.isArray(body.tools) ? body.tools.filter(isRecord) : []
  const own = tools.every(isOwnTool) && !Array.isArray(body.mcp_servers)
  const searches = tools
    .filter(({ type }) => String(type).startsWith('web_search_'))
    .reduce((total, { max_uses }) => total + (typeof max_uses === 'number' ? max_uses : SEARCHES_MOST), 0)
  // What the provider's own tools bring in, nobody can foresee.
  const input_tokens = own ? countWith(MOST, body) : MOST.unseen
  return { input_tokens, ...(searches ? { web_searches: searches } : {}) }
}

/** A count for people who plan, where no provider counts: text by its bytes, pictures and documents by a mean. */
export const countInput = (body: Record<string, unknown>): number => countWith(FAIR, body)

function countWith(weights: Weights, body: Record<string, unknown>): number {
  const { system, messages, tools, output_config, output_format } = body
  let tokens = weights.tokens_per_request + weigh(weights, system)
  for (const message of Array.isArray(messages) ? messages : []) {
    tokens += weights.tokens_per_message + weigh(weights, record(message).content)
  }
  for (const described of [tools, record(output_config).format, output_format]) {
    if (described) tokens += weights.tokens_for_tools + bytes(weights, JSON.stringify(described))
  }
  return Math.ceil(tokens)
}

const bytes = ({ bytes_per_token }: Weights, text: string) => Buffer.byteLength(text) / bytes_per_token

/** Everything in a value, by its bytes; media by their kind and not by the length of their base64. */
function weigh(weights: Weights, value: unknown): number {
  if (typeof value === 'string') return bytes(weights, value)
  if (typeof value === 'number') return 8 / weights.bytes_per_token
  if (Array.isArray(value)) return value.reduce<number>((total, each) => total + weigh(weights, each), 0)
  if (!isRecord(value)) return 0
  if (value.type === 'image') return weights.image
  if (value.type === 'document') return weighDocument(weights, value)
  if (value.type === 'container_upload') return weights.unseen
  // Names of members count from above only: `type` and its like are no words of the prompt.
  const names = weights === MOST ? Object.keys(value).join('').length : 0
  return Object.entries(value).reduce<number>(
    (total, [name, each]) => total + weigh(weights, withPlainId(name, each)),
    names,
  )
}

function weighDocument(weights: Weights, { source, title, context }: Record<string, unknown>): number {
  const { type, data, content } = record(source)
  const about = weigh(weights, [title ?? '', context ?? ''])
  if (type === 'text') return about + weigh(weights, data)
  if (type === 'content') return about + weigh(weights, content)
  if (type !== 'base64' || typeof data !== 'string') return about + weights.unseen
  return about + weights.document_least + Buffer.byteLength(data, 'base64') * weights.document_per_byte
}

/** Whether anything is to be kept in the provider's cache for an hour, which has a price of its own. */
export function keepsAnHour({ cache_control, system, messages, tools }: Record<string, unknown>): boolean {
  return [cache_control, system, messages, tools].some(hasHour)
}

function hasHour(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasHour)
  if (!isRecord(value)) return false
  if (value.ttl === '1h' || record(value.cache_control).ttl === '1h') return true
  return hasHour(value.content)
}
