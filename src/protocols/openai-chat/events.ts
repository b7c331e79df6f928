// An OpenAI chat stream as canonical events. It reads leniently what the many servers of this format send.
import {
  type ChatEvent,
  type FinishReason,
  type Json,
  ProviderError,
  type ToolCall,
  type Usage,
} from '../../contract.ts'
import { isRecord } from '../lenient.ts'
import { type SseEvent, sseEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { isFailure, outputOf } from './delta.ts'
import { countedUsage } from './estimate.ts'
import { signatureOf } from './parts.ts'
import { readUsage, usageOf } from './usage.ts'

type JsonRecord = Record<string, unknown>

const FINISH_REASONS: Record<string, FinishReason> = {
  stop: 'stop',
  length: 'length',
  model_length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
}
/** What we do not know (`eos`, `end_turn`) is an ordinary end. */
export const finishReason = (reason: string): FinishReason => FINISH_REASONS[reason] ?? 'stop'

/** Reads one stream, event by event. */
export class StreamReader {
  /** The first chunk's own fields: id, created, model. */
  head: JsonRecord = {}
  usage: Usage | undefined
  output_bytes = 0
  #provider: string
  #open = new Set<number>()
  #ended = new Set<number>()

  constructor(provider: string) {
    this.#provider = provider
  }

  /** True when every choice that began has its finish. */
  get complete(): boolean {
    return this.#open.size === 0 && this.#ended.size > 0
  }

  /** Throws ProviderError for an error told in the stream and for what is not JSON. */
  *read({ data, event }: SseEvent): Generator<ChatEvent> {
    if (data === '' || data === '[DONE]') return
    const chunk = parseChunk(data, this.#provider)
    if (chunk.error || event === 'error') throw streamError(chunk.error ? chunk : { error: chunk }, this.#provider)
    if (this.head.id === undefined) this.head = chunk
    this.usage = readUsage(usageOf(chunk)) ?? this.usage
    for (const choice of Array.isArray(chunk.choices) ? chunk.choices.filter(isRecord) : []) yield* this.#choice(choice)
  }

  *#choice(choice: JsonRecord): Generator<ChatEvent> {
    const index = typeof choice.index === 'number' ? choice.index : 0
    if (!this.#ended.has(index)) this.#open.add(index)
    this.output_bytes += outputOf(choice.delta).bytes
    yield* readDelta(index, choice)
    const reason = choice.finish_reason
    if (isFailure(reason)) throw new ProviderError('unavailable', `${this.#provider} ended the answer with an error.`)
    if (typeof reason !== 'string' || !reason || this.#ended.has(index)) return
    this.#open.delete(index)
    this.#ended.add(index)
    yield { type: 'finish', choice: index, reason: finishReason(reason) }
  }
}

/**
 * The events of a body, usage last. Throws ProviderError for an error in the stream, for what is not JSON, and for a
 * stream that ends before every choice that began has ended. `input_bytes` serves to count where no usage comes.
 */
export async function* chatEvents(
  body: AsyncIterable<Uint8Array>,
  provider: string,
  input_bytes: number,
): AsyncGenerator<ChatEvent> {
  const reader = new StreamReader(provider)
  for await (const event of sseEvents(body)) yield* reader.read(event)
  if (!reader.complete) {
    throw new ProviderError('bad_response', `${provider} broke off before the answer was finished.`)
  }
  yield { type: 'usage', usage: reader.usage ?? countedUsage(input_bytes, reader.output_bytes) }
}

function parseChunk(data: string, provider: string): JsonRecord {
  try {
    const chunk: unknown = JSON.parse(data)
    if (isRecord(chunk)) return chunk
  } catch {
    // Told below, in the same words as for JSON that is no object.
  }
  throw new ProviderError('bad_response', `${provider} sent an event that is not JSON.`)
}

function* readDelta(choice: number, whole: JsonRecord): Generator<ChatEvent> {
  const delta = isRecord(whole.delta) ? whole.delta : {}
  const thought = delta.reasoning_content ?? delta.reasoning
  if (isText(thought)) yield { type: 'reasoning', choice, text: thought }
  yield* readContent(choice, delta.content, whole.logprobs)
  if (isText(delta.refusal)) yield { type: 'refusal', choice, text: delta.refusal }
  if (Array.isArray(delta.tool_calls)) {
    for (const [place, call] of delta.tool_calls.filter(isRecord).entries()) yield readToolCall(choice, call, place)
  }
  if (isRecord(delta.audio)) yield { type: 'audio', choice, ...readAudio(delta.audio) }
  if (Array.isArray(delta.images)) for (const image of delta.images) yield* readImage(choice, image)
  if (Array.isArray(delta.annotations)) for (const note of delta.annotations) yield* readCitation(choice, note)
}

function* readContent(choice: number, content: unknown, logprobs: unknown): Generator<ChatEvent> {
  if (isText(content)) {
    yield { type: 'text', choice, text: content, ...(logprobs ? { logprobs: logprobs as Json } : {}) }
  }
  if (!Array.isArray(content)) return
  // Mistral's reasoning models send parts: {type:'thinking', thinking:[{text}]} and {type:'text', text}.
  for (const part of content.filter(isRecord)) {
    if (isText(part.text)) yield { type: 'text', choice, text: part.text }
    for (const thought of Array.isArray(part.thinking) ? part.thinking.filter(isRecord) : []) {
      if (isText(thought.text)) yield { type: 'reasoning', choice, text: thought.text }
    }
  }
}

function readToolCall(choice: number, call: JsonRecord, place: number): ChatEvent {
  const described = isRecord(call.custom) ? call.custom : isRecord(call.function) ? call.function : {}
  const words = described.arguments ?? described.input
  const part: Partial<ToolCall> = {
    ...(isText(call.id) ? { id: call.id } : {}),
    ...(isText(described.name) ? { name: described.name, kind: isRecord(call.custom) ? 'custom' : 'function' } : {}),
    ...(isText(words) ? { arguments: words } : {}),
    ...signatureOf(call),
  }
  // Some servers leave the index out and send each call whole.
  return { type: 'tool_call', choice, index: typeof call.index === 'number' ? call.index : place, call: part }
}

function readAudio(audio: JsonRecord) {
  return {
    ...(isText(audio.id) ? { id: audio.id } : {}),
    ...(isText(audio.data) ? { data: audio.data } : {}),
    ...(isText(audio.transcript) ? { transcript: audio.transcript } : {}),
    ...(typeof audio.expires_at === 'number' ? { expires_at: audio.expires_at } : {}),
  }
}

/** Pictures as OpenRouter sends them: {type:'image_url', image_url:{url}}. */
function* readImage(choice: number, image: unknown): Generator<ChatEvent> {
  const url = isRecord(image) && isRecord(image.image_url) ? image.image_url.url : undefined
  if (!isText(url)) return
  const data = /^data:([^;,]+);base64,/.exec(url)
  if (!data?.[1]) yield { type: 'image', choice, image: { type: 'url', url } }
  else {
    const bytes = Buffer.from(url.slice(data[0].length), 'base64')
    yield { type: 'image', choice, image: { type: 'bytes', data: bytes, media_type: data[1] } }
  }
}

function* readCitation(choice: number, note: unknown): Generator<ChatEvent> {
  const cited = isRecord(note) && isRecord(note.url_citation) ? note.url_citation : undefined
  if (!cited) return
  yield {
    type: 'citation',
    choice,
    citation: {
      ...(isText(cited.url) ? { url: cited.url } : {}),
      ...(isText(cited.title) ? { title: cited.title } : {}),
      ...(isText(cited.content) ? { text: cited.content } : {}),
      ...(typeof cited.start_index === 'number' ? { start: cited.start_index } : {}),
      ...(typeof cited.end_index === 'number' ? { end: cited.end_index } : {}),
      raw: note as Json,
    },
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
