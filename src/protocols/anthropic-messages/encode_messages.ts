// The messages of a canonical request as Anthropic's turns: users and assistant alternate, results of tools come first in
// the turn after their calls, the system prompt stands apart.
import {
  type Asset,
  type ChatMessage,
  type ContentPart,
  type FileReference,
  type JsonObject,
  ProviderError,
} from '../../contract.ts'
import { isForeignSeal } from './foreign.ts'

interface Turn {
  role: 'user' | 'assistant'
  content: JsonObject[]
}

/** Throws ProviderError 'invalid_request' for what the format cannot say. */
export function encodeMessages(messages: ChatMessage[]): { system: JsonObject[]; messages: JsonObject[] } {
  const first = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer')
  const leading = first < 0 ? messages : messages.slice(0, first)
  const turns: Turn[] = []
  for (const message of first < 0 ? [] : messages.slice(first)) addTurn(turns, message)
  for (const turn of turns) {
    turn.content.sort((a, b) => Number(b.type === 'tool_result') - Number(a.type === 'tool_result'))
  }
  const system = leading.flatMap(({ content }) => content.flatMap((part) => encodePart(part)))
  const said = turns.filter(({ content }) => content.length > 0)
  if (said.length === 0) return { system: [], messages: asTurn(system) }
  if (said[0]?.role === 'assistant') said.unshift({ role: 'user', content: [{ type: 'text', text: BEGUN }] })
  return { system, messages: said as unknown as JsonObject[] }
}

/** The first turn must be a user's, and may not be empty. */
const BEGUN = '(The assistant began the conversation.)'

/** Instructions alone, which other vendors answer, are what the user says here. */
function asTurn(system: JsonObject[]): JsonObject[] {
  if (system.length > 0) return [{ role: 'user', content: system }]
  throw new ProviderError('invalid_request', "'messages': there is nothing in them that could be answered.", {
    param: 'messages',
  })
}

function addTurn(turns: Turn[], message: ChatMessage): void {
  const role = message.role === 'assistant' ? 'assistant' : 'user'
  const blocks = message.content.flatMap((part) => encodePart(part))
  const content = message.role === 'system' || message.role === 'developer' ? blocks.map(asInstruction) : blocks
  const last = turns.at(-1)
  if (last?.role === role) last.content.push(...content)
  else turns.push({ role, content })
}

/** Instructions in the middle of a conversation have no role of their own in every version of the format. */
const asInstruction = (block: JsonObject): JsonObject =>
  block.type === 'text' ? { ...block, text: `<system>${block.text}</system>` } : block

function encodePart(part: ContentPart): JsonObject[] {
  switch (part.type) {
    case 'text':
    case 'refusal':
      // Empty texts are refused.
      return part.text === '' ? [] : [{ type: 'text', text: part.text, ...marked(part) }]
    case 'image':
      return [{ type: 'image', source: encodeImage(part.image), ...marked(part) }]
    case 'document':
      return [encodeDocument(part)]
    case 'reasoning':
      return encodeReasoning(part)
    case 'tool_call': {
      const { name } = part
      return [{ type: 'tool_use', id: cleanId(part.id), name, input: readInput(part) }]
    }
    case 'tool_result': {
      const content = part.content.flatMap((each) => encodePart(each))
      return [
        {
          type: 'tool_result',
          tool_use_id: cleanId(part.call_id),
          ...(content.length > 0 ? { content } : {}),
          ...(part.is_error ? { is_error: true } : {}),
          ...marked(part),
        },
      ]
    }
    default:
      throw unsupported(part.type)
  }
}

const unsupported = (what: string) =>
  new ProviderError('invalid_request', `The provider of this model does not support ${what} in messages.`, {
    param: 'messages',
  })

/** Only Anthropic's own two lengths of time are known; any other mark keeps the usual five minutes. */
function marked(part: ContentPart): JsonObject {
  const cache = 'cache' in part ? part.cache : undefined
  if (!cache) return {}
  const ttl = cache.ttl === '5m' || cache.ttl === '1h' ? { ttl: cache.ttl } : {}
  return { cache_control: { type: 'ephemeral', ...ttl } }
}

/** The API takes no other characters in an id. */
const cleanId = (id: string): string => id.replace(/[^a-zA-Z0-9_-]/g, '_')

function readInput({ kind, name, arguments: words }: Extract<ContentPart, { type: 'tool_call' }>): JsonObject {
  if (kind === 'custom') return { input: words }
  try {
    const input: unknown = JSON.parse(words || '{}')
    if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input as JsonObject
  } catch {
    // Told below, in the same words as for JSON that is no object.
  }
  throw new ProviderError('invalid_request', `The arguments of the call of '${name}' are not a JSON object.`, {
    param: 'messages',
  })
}

/** A thought without its signature is refused; it was shown to people and is no part of the conversation. */
function encodeReasoning({ text, signature, encrypted }: Extract<ContentPart, { type: 'reasoning' }>): JsonObject[] {
  if (encrypted !== undefined) return isForeignSeal(encrypted) ? [] : [{ type: 'redacted_thinking', data: encrypted }]
  return signature === undefined || isForeignSeal(signature) ? [] : [{ type: 'thinking', thinking: text, signature }]
}

const IMAGE_TYPES = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp'])

function encodeImage(image: Asset | FileReference): JsonObject {
  if (image.type === 'bytes' && !IMAGE_TYPES.has(image.media_type))
    throw unsupported(`pictures of type ${image.media_type}`)
  return encodeSource(image)
}

function encodeDocument(part: Extract<ContentPart, { type: 'document' }>): JsonObject {
  const { document, filename } = part
  const title = filename ?? (document.type === 'bytes' ? document.filename : undefined)
  const rest = { ...(title ? { title } : {}), ...marked(part) }
  if (document.type === 'bytes' && document.media_type.startsWith('text/')) {
    const data = Buffer.from(document.data).toString()
    return { type: 'document', source: { type: 'text', media_type: 'text/plain', data }, ...rest }
  }
  if (document.type === 'bytes' && document.media_type !== 'application/pdf') {
    throw unsupported(`documents of type ${document.media_type}`)
  }
  return { type: 'document', source: encodeSource(document), ...rest }
}

function encodeSource(asset: Asset | FileReference): JsonObject {
  if (asset.type === 'file') return { type: 'file', file_id: asset.id }
  if (asset.type === 'url') return { type: 'url', url: asset.url }
  const { data, media_type } = asset
  return {
    type: 'base64',
    media_type,
    data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
  }
}
