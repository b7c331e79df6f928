// The turns of a request in Anthropic's format in canonical form: text, pictures, documents, thoughts, tool calls, results.
import type { CacheMark, ChatMessage, ContentPart, JsonObject } from '../../contract.ts'
import { plainId, readCallId } from '../call_ids.ts'
import { WireError } from '../wire_error.ts'
import { type BodyMessage, isKnownBlock, type KnownBlock, type MessagesBody } from './schema.ts'

/** The system prompt as the message that it is elsewhere. */
export function readSystem(system: MessagesBody['system']): ChatMessage[] {
  if (!system) return []
  return [{ role: 'system', content: readContent(system, 'system') }]
}

/** One turn; `param` is where it stands, for faults. Throws WireError. */
export function readMessage({ role, content }: BodyMessage, param: string): ChatMessage {
  return { role, content: readContent(content, `${param}.content`) }
}

type Block = { type: string }

function readContent(content: string | Block[], param: string): ContentPart[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }]
  return content.flatMap((block, index) => {
    if (isKnownBlock(block)) return readBlock(block, `${param}[${index}]`)
    throw new WireError(
      `The provider of this model does not accept blocks of type '${block.type}'.`,
      `${param}[${index}].type`,
      'unsupported_value',
    )
  })
}

function readBlock(block: KnownBlock, param: string): ContentPart[] {
  switch (block.type) {
    case 'text':
      return [{ type: 'text', text: block.text, ...cacheOf(block) }]
    case 'image':
      return [{ type: 'image', image: readImage(block, param), ...cacheOf(block) }]
    case 'document':
      return readDocument(block, param)
    case 'thinking':
      return [{ type: 'reasoning', text: block.thinking, ...(block.signature ? { signature: block.signature } : {}) }]
    case 'redacted_thinking':
      return [{ type: 'reasoning', text: '', encrypted: block.data }]
    case 'tool_use': {
      const { id, name, input } = block
      return [{ type: 'tool_call', ...readCallId(id), kind: 'function', name, arguments: JSON.stringify(input) }]
    }
    case 'tool_result':
      return [
        {
          type: 'tool_result',
          call_id: plainId(block.tool_use_id),
          content: readContent(block.content ?? '', `${param}.content`),
          ...(block.is_error ? { is_error: true } : {}),
          ...cacheOf(block),
        },
      ]
  }
}

function cacheOf({ cache_control }: { cache_control?: { ttl?: string | null | undefined } | null | undefined }): {
  cache?: CacheMark
} {
  if (!cache_control) return {}
  return { cache: cache_control.ttl ? { ttl: cache_control.ttl } : {} }
}

type MediaBlock = Extract<KnownBlock, { type: 'image' | 'document' }>

function readImage({ source }: MediaBlock, param: string): Extract<ContentPart, { type: 'image' }>['image'] {
  if (source.type === 'base64') return bytesOf(source, param)
  if (source.type === 'url' && source.url) return { type: 'url', url: source.url }
  if (source.type === 'file' && source.file_id) return { type: 'file', id: source.file_id }
  throw badSource(param)
}

/** Plain text is said as text, which every provider reads; files of their own have names and types. */
function readDocument(block: MediaBlock, param: string): ContentPart[] {
  const { source, title, context } = block
  const about: ContentPart[] = context ? [{ type: 'text', text: context }] : []
  const plain = plainText(source as JsonObject)
  if (plain !== undefined) {
    return [...about, { type: 'text', text: title ? `${title}\n\n${plain}` : plain, ...cacheOf(block) }]
  }
  const document = readImage(block, param)
  return [...about, { type: 'document', document, ...(title ? { filename: title } : {}), ...cacheOf(block) }]
}

/** The text of a source that is text: {type:'text', data} or {type:'content', content}. */
function plainText({ type, data, content }: JsonObject): string | undefined {
  if (type === 'text') return typeof data === 'string' ? data : ''
  if (type !== 'content') return undefined
  if (typeof content === 'string') return content
  const texts = (Array.isArray(content) ? content : []).map((part) => (part as JsonObject | null)?.text)
  return texts.every((text) => typeof text === 'string') ? texts.join('\n') : undefined
}

function bytesOf({ data, media_type }: MediaBlock['source'], param: string) {
  const bytes = Buffer.from(data ?? '', 'base64')
  if (bytes.length === 0) throw new WireError(`'${param}.source.data' is not base64 data.`, `${param}.source.data`)
  return { type: 'bytes' as const, data: bytes, media_type: media_type ?? 'application/octet-stream' }
}

const badSource = (param: string) =>
  new WireError(
    `'${param}.source' needs base64 data, a url or a file_id, as its type says.`,
    `${param}.source`,
    'invalid_value',
  )
