// Canonical messages as Google's contents: what the system said apart, turns of user and model in turn, files inline.
import {
  type Asset,
  type ChatMessage,
  type ContentPart,
  type FileReference,
  type Json,
  type JsonObject,
  ProviderError,
} from '../../contract.ts'
import { base64Of } from '../address.ts'
import { isRecord } from '../lenient.ts'
import { googleSignature } from './parts.ts'
import { NO_SIGNATURE } from './signatures.ts'

interface Turn {
  role: 'user' | 'model'
  parts: JsonObject[]
}

/** Throws ProviderError 'invalid_request' for what this format cannot say. */
export function encodeContents(messages: ChatMessage[]): JsonObject {
  const names = new Map<string, string>()
  const system: JsonObject[] = []
  const turns: Turn[] = []
  for (const { role, content } of messages) {
    if (role === 'system' || role === 'developer') {
      system.push(...content.flatMap((part) => encodePart(part, names)))
      continue
    }
    const speaker = role === 'assistant' ? 'model' : 'user'
    const parts = signed(content.flatMap((part) => encodePart(part, names)))
    const last = turns.at(-1)
    // All results of one turn belong together, and Google wants user and model in turn.
    if (last?.role === speaker) last.parts.push(...parts)
    else if (parts.length > 0) turns.push({ role: speaker, parts })
  }
  // Instructions alone: Google wants a turn, and takes one that says nothing (recordings of 2026).
  if (turns.length === 0) turns.push({ role: 'user', parts: [{ text: '' }] })
  return {
    ...(system.length > 0 ? { systemInstruction: { parts: system } } : {}),
    contents: turns as unknown as Json,
  }
}

/** The first call of a turn must be signed; parallel ones after it need not be (Google's guide on thought signatures). */
function signed(parts: JsonObject[]): JsonObject[] {
  const first = parts.find((part) => part.functionCall)
  if (first && first.thoughtSignature === undefined) first.thoughtSignature = NO_SIGNATURE
  return parts
}

function encodePart(part: ContentPart, names: Map<string, string>): JsonObject[] {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return part.text ? [{ text: part.text }] : []
    case 'reasoning':
      return encodeThought(part)
    case 'image':
      return [encodeMedia(part.image, 'image/jpeg')]
    case 'audio':
      return [encodeMedia(part.audio, 'audio/mpeg')]
    case 'video':
      return [encodeMedia(part.video, 'video/mp4')]
    case 'document':
      return [encodeMedia(part.document, 'application/pdf')]
    case 'tool_call':
      names.set(part.id, part.name)
      return [encodeCall(part)]
    case 'tool_result':
      return [encodeResult(part, names)]
  }
}

/** Thoughts of other vendors' models are not for this one to read; its own come back with their signature. */
function encodeThought({ text, signature }: Extract<ContentPart, { type: 'reasoning' }>): JsonObject[] {
  const own = googleSignature(signature)
  return own === undefined ? [] : [{ text, thought: true, thoughtSignature: own }]
}

function encodeCall(call: Extract<ContentPart, { type: 'tool_call' }>): JsonObject {
  const own = googleSignature(call.signature)
  return {
    functionCall: { id: call.id, name: call.name, args: parseArguments(call) },
    ...(own === undefined ? {} : { thoughtSignature: own }),
  }
}

function parseArguments({ kind, name, arguments: text }: Extract<ContentPart, { type: 'tool_call' }>): Json {
  if (kind === 'custom') return { input: text }
  try {
    const value: unknown = JSON.parse(text || '{}')
    if (isRecord(value)) return value as JsonObject
  } catch {
    // Told below, in the same words as for JSON that is no object.
  }
  throw new ProviderError('invalid_request', `The arguments of the earlier call of '${name}' are not a JSON object.`)
}

/** A result must be an object: text stands in `output`, a failure in `error`, and pictures of a tool beside it. */
function encodeResult(result: Extract<ContentPart, { type: 'tool_result' }>, names: Map<string, string>): JsonObject {
  const name = result.name ?? names.get(result.call_id)
  if (name === undefined) {
    throw new ProviderError('invalid_request', `The result of call '${result.call_id}' has no call before it.`)
  }
  const text = result.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n')
  const files = result.content.filter((part) => part.type !== 'text').flatMap((part) => encodePart(part, names))
  return {
    functionResponse: {
      id: result.call_id,
      name,
      response: result.is_error ? { error: text } : (parseObject(text) ?? { output: text }),
      ...(files.length > 0 ? { parts: files } : {}),
    },
  }
}

function parseObject(text: string): JsonObject | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    return JSON.parse(text) as JsonObject
  } catch {
    return undefined
  }
}

/** Addresses are Google's own and YouTube's here: other files have been brought as bytes. */
function encodeMedia(asset: Asset | FileReference, usual: string): JsonObject {
  if (asset.type === 'bytes') return { inlineData: { mimeType: asset.media_type, data: base64Of(asset.data) } }
  if (asset.type === 'url')
    return { fileData: { fileUri: asset.url, mimeType: asset.media_type ?? typeOf(asset.url) ?? usual } }
  throw new ProviderError('invalid_request', 'The provider of this model does not know files by id.', {
    param: 'file_id',
  })
}

const TYPES: Record<string, string> = {
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  heic: 'image/heic',
  wav: 'audio/wav',
  mp3: 'audio/mpeg',
  webm: 'video/webm',
  mov: 'video/quicktime',
  txt: 'text/plain',
}
const typeOf = (url: string): string | undefined => TYPES[/\.(\w+)(?:[?#]|$)/.exec(url)?.[1]?.toLowerCase() ?? '']
