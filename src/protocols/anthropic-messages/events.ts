// A stream of Anthropic's events as canonical events. It reads leniently: blocks and deltas that other formats have no
// word for (a search of the provider's own, its results) are passed over.
import { type ChatEvent, type Citation, type Json, ProviderError, type Usage } from '../../contract.ts'
import { isRecord, record } from '../lenient.ts'
import { type SseEvent, sseEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { finishReason } from './parts.ts'
import { mergeUsage, readUsage } from './usage.ts'

type JsonRecord = Record<string, unknown>
const choice = 0

/** One event's data. Throws ProviderError for what is not JSON and for an error told in the stream. */
export function parseEvent({ data, event }: SseEvent, provider: string): JsonRecord {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch (cause) {
    throw new ProviderError('bad_response', `${provider} sent an event that is not JSON.`, { cause })
  }
  if (!isRecord(value)) throw new ProviderError('bad_response', `${provider} sent an event that is no object.`)
  if (value.type === 'error' || event === 'error') throw streamError(value, provider)
  return value
}

/** Reads one stream, event by event. */
export class StreamReader {
  /** The stop reason has come. */
  complete = false
  output_bytes = 0
  #provider: string
  #usage: JsonRecord = {}
  /** Index of a tool call by the index of its block, and whether anything of its arguments has come. */
  #calls = new Map<unknown, { index: number; begun: boolean }>()

  constructor(provider: string) {
    this.#provider = provider
  }

  get usage(): Usage | undefined {
    return readUsage(this.#usage)
  }

  /** Throws ProviderError as parseEvent does. */
  *read(event: SseEvent): Generator<ChatEvent> {
    const message = parseEvent(event, this.#provider)
    switch (message.type) {
      case 'message_start':
        return yield* this.#start(record(message.message))
      case 'content_block_start':
        return yield* this.#begin(message.index, record(message.content_block))
      case 'content_block_delta':
        return yield* this.#delta(message.index, record(message.delta))
      case 'content_block_stop':
        return yield* this.#stop(message.index)
      case 'message_delta':
        this.#usage = mergeUsage(this.#usage, message.usage)
        return yield* this.#finish(record(message.delta))
    }
  }

  /** A turn that goes on with calls of a program of the model's own comes whole in its first event (recording of 2025-12). */
  *#start(message: JsonRecord): Generator<ChatEvent> {
    this.#usage = mergeUsage({}, message.usage)
    const blocks = Array.isArray(message.content) ? message.content : []
    for (const [index, block] of blocks.entries()) {
      yield* this.#begin(index, record(block))
      yield* this.#stop(index)
    }
    yield* this.#finish(message)
  }

  *#begin(block: unknown, content: JsonRecord): Generator<ChatEvent> {
    if (content.type === 'text') {
      yield* this.#text(content.text)
      for (const citation of Array.isArray(content.citations) ? content.citations : []) yield readCitation(citation)
    } else if (content.type === 'thinking') {
      yield* this.#thought(content.thinking, content.signature)
    } else if (content.type === 'redacted_thinking' && typeof content.data === 'string') {
      yield { type: 'reasoning', choice, encrypted: content.data }
    } else if (content.type === 'tool_use') {
      // Compatible servers send the whole input at once.
      const whole = isRecord(content.input) && Object.keys(content.input).length > 0
      const words = whole ? JSON.stringify(content.input) : ''
      const index = this.#calls.size
      this.#calls.set(block, { index, begun: whole })
      const { id, name } = content
      this.output_bytes += Buffer.byteLength(`${name}${words}`)
      const call = { id: String(id), name: String(name), kind: 'function' as const, arguments: words }
      yield { type: 'tool_call', choice, index, call }
    }
  }

  *#delta(block: unknown, delta: JsonRecord): Generator<ChatEvent> {
    if (delta.type === 'text_delta') yield* this.#text(delta.text)
    else if (delta.type === 'thinking_delta') yield* this.#thought(delta.thinking, undefined)
    else if (delta.type === 'signature_delta') yield* this.#thought(undefined, delta.signature)
    else if (delta.type === 'citations_delta') yield readCitation(delta.citation)
    else if (delta.type === 'input_json_delta') {
      const call = this.#calls.get(block)
      if (!call || !isText(delta.partial_json)) return
      call.begun = true
      this.output_bytes += Buffer.byteLength(delta.partial_json)
      yield { type: 'tool_call', choice, index: call.index, call: { arguments: delta.partial_json } }
    }
  }

  /** A tool without arguments has no delta; elsewhere the empty object is written out. */
  *#stop(block: unknown): Generator<ChatEvent> {
    const call = this.#calls.get(block)
    if (!call || call.begun) return
    call.begun = true
    yield { type: 'tool_call', choice, index: call.index, call: { arguments: '{}' } }
  }

  *#text(text: unknown): Generator<ChatEvent> {
    if (!isText(text)) return
    this.output_bytes += Buffer.byteLength(text)
    yield { type: 'text', choice, text }
  }

  *#thought(text: unknown, signature: unknown): Generator<ChatEvent> {
    if (isText(text)) this.output_bytes += Buffer.byteLength(text)
    if (!isText(text) && !isText(signature)) return
    yield { type: 'reasoning', choice, ...(isText(text) ? { text } : {}), ...(isText(signature) ? { signature } : {}) }
  }

  *#finish({ stop_reason, stop_sequence, stop_details }: JsonRecord): Generator<ChatEvent> {
    if (!isText(stop_reason) || this.complete) return
    this.complete = true
    const reason = finishReason(stop_reason)
    const { explanation } = record(stop_details)
    // Why it stopped, told only beside an answer: a refusal before any output is free, and its explanation no output.
    if (reason === 'refusal' && this.output_bytes > 0 && isText(explanation)) {
      yield { type: 'refusal', choice, text: explanation }
    }
    yield { type: 'finish', choice, reason, ...(isText(stop_sequence) ? { stop_sequence } : {}) }
  }
}

/**
 * The events of a body, usage last. Throws ProviderError for an error in the stream, for what is not JSON, and for a
 * stream that ends before its stop reason. Where no usage comes, none is told.
 */
export async function* messageEvents(body: AsyncIterable<Uint8Array>, provider: string): AsyncGenerator<ChatEvent> {
  const reader = new StreamReader(provider)
  for await (const event of sseEvents(body)) yield* reader.read(event)
  if (!reader.complete) {
    throw new ProviderError('bad_response', `${provider} broke off before the answer was finished.`)
  }
  if (reader.usage) yield { type: 'usage', usage: reader.usage }
}

function readCitation(raw: unknown): ChatEvent {
  const { url, title, document_title, cited_text } = record(raw)
  const name = title ?? document_title
  const citation: Citation = {
    ...(isText(url) ? { url } : {}),
    ...(isText(name) ? { title: name } : {}),
    ...(isText(cited_text) ? { text: cited_text } : {}),
    raw: raw as Json,
  }
  return { type: 'citation', choice, citation }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
