// The contents of a caller's request as canonical messages: text, thoughts, files, calls of functions and their results.
import type { ChatMessage, ContentPart, Json, JsonObject } from '../../contract.ts'
import { readAddress, readBase64 } from '../address.ts'
import { isRecord } from '../lenient.ts'
import { WireError } from '../wire_error.ts'
import { readSignature } from './parts.ts'
import type { BodyContent, BodyPart } from './schema.ts'
import { NO_SIGNATURE } from './signatures.ts'

/** Throws WireError for what only Google's models can read. */
export function readContents(system: BodyContent | null | undefined, contents: BodyContent[]): ChatMessage[] {
  const calls = new Calls()
  const messages = contents.map((content, index) => readContent(content, `contents[${index}]`, calls))
  if (!system?.parts?.length) return messages
  const told = system.parts.map((part, index) => readPart(part, `systemInstruction.parts[${index}]`, calls))
  return [{ role: 'system', content: told.flat() }, ...messages]
}

function readContent({ role, parts }: BodyContent, param: string, calls: Calls): ChatMessage {
  const content = (parts ?? []).flatMap((part, index) => readPart(part, `${param}.parts[${index}]`, calls))
  return { role: ROLES[role ?? ''] ?? 'user', content: joinThoughts(content) }
}

/** A thought comes in pieces, of which the last is signed, and clients give it back so; other vendors want it whole. */
function joinThoughts(content: ContentPart[]): ContentPart[] {
  const joined: ContentPart[] = []
  for (const part of content) {
    const last = joined.at(-1)
    if (part.type === 'reasoning' && last?.type === 'reasoning' && last.signature === undefined)
      joined[joined.length - 1] = { ...last, ...part, text: last.text + part.text }
    else joined.push(part)
  }
  return joined
}

const ROLES: Record<string, ChatMessage['role']> = { model: 'assistant', system: 'system' }

/** Pairs results with calls: by id where there is one, else with the earliest call of that name without a result. */
class Calls {
  #open: { id: string; name: string }[] = []
  #count = 0

  begin(id: string | null | undefined, name: string): string {
    const call = { id: id || this.#next(), name }
    this.#open.push(call)
    return call.id
  }

  end(id: string | null | undefined, name: string): string {
    const place = this.#open.findIndex((call) => (id ? call.id === id : call.name === name))
    const [call] = place < 0 ? [] : this.#open.splice(place, 1)
    return call?.id ?? (id || this.#next())
  }

  #next = () => `call_${++this.#count}`
}

/** Names of fields that say what a part is, or belong to what it is. */
const KNOWN = new Set([
  ...['text', 'thought', 'thoughtSignature', 'inlineData', 'fileData', 'functionCall', 'functionResponse'],
])

function readPart(part: BodyPart, param: string, calls: Calls): ContentPart[] {
  const unknown = Object.keys(part).find((name) => !KNOWN.has(name) && part[name])
  if (unknown) {
    throw new WireError(
      `The provider of this model does not understand '${param}.${unknown}'.`,
      `${param}.${unknown}`,
      'unsupported_value',
    )
  }
  const signed = signatureOf(part)
  if (part.functionCall) {
    const { id, name, args } = part.functionCall
    const call = { id: calls.begin(id, name), kind: 'function' as const, name, arguments: JSON.stringify(args ?? {}) }
    return [{ type: 'tool_call', ...call, ...signed }]
  }
  if (part.functionResponse) return [readResult(part.functionResponse, param, calls)]
  if (part.inlineData) {
    const { data, mimeType } = part.inlineData
    return [mediaPart(readBase64(data, mimeType, `${param}.inlineData.data`), mimeType)]
  }
  if (part.fileData) {
    const { fileUri, mimeType } = part.fileData
    const asset = readAddress(fileUri, `${param}.fileData.fileUri`)
    return [mediaPart(mimeType && asset.type === 'url' ? { ...asset, media_type: mimeType } : asset, mimeType ?? '')]
  }
  if (part.thought) return [{ type: 'reasoning', text: part.text ?? '', ...signed }]
  return part.text ? [{ type: 'text', text: part.text }] : []
}

const signatureOf = ({ thoughtSignature: signature }: BodyPart): { signature?: string } =>
  signature && signature !== NO_SIGNATURE ? { signature: readSignature(signature) } : {}

type Media = Extract<ContentPart, { type: 'image' }>['image']

function mediaPart(asset: Media, media_type: string): ContentPart {
  const [kind] = media_type.toLowerCase().split('/')
  if (kind === 'image') return { type: 'image', image: asset }
  if (kind === 'audio') return { type: 'audio', audio: asset }
  if (kind === 'video') return { type: 'video', video: asset }
  return { type: 'document', document: asset }
}

function readResult(
  { id, name, response, parts }: NonNullable<BodyPart['functionResponse']>,
  param: string,
  calls: Calls,
): ContentPart {
  const { text, is_error } = readResponse((response ?? {}) as JsonObject)
  const files = (parts ?? []).flatMap((part, index) =>
    readPart(part, `${param}.functionResponse.parts[${index}]`, calls),
  )
  return {
    type: 'tool_result',
    call_id: calls.end(id, name),
    name,
    content: [{ type: 'text', text }, ...files],
    ...(is_error ? { is_error } : {}),
  }
}

/** A lone `output`, `result` or `error` is the way in which Google's clients wrap what is no object. */
function readResponse(response: JsonObject): { text: string; is_error: boolean } {
  const [[name, value] = ['', null], ...others] = Object.entries(response)
  if (others.length > 0 || !['output', 'result', 'error'].includes(name))
    return { text: JSON.stringify(response), is_error: false }
  return { text: textOf(value), is_error: name === 'error' }
}

function textOf(value: Json): string {
  if (typeof value === 'string') return value
  return isRecord(value) && typeof value.message === 'string' && Object.keys(value).length === 1
    ? value.message
    : JSON.stringify(value)
}
