// A generateContent stream as canonical events: each chunk is a whole answer with the next parts in it.
import { randomUUID } from 'node:crypto'
import { type ChatEvent, type Json, ProviderError, type Usage } from '../../contract.ts'
import { isRecord, record } from '../lenient.ts'
import { countedUsage } from '../openai-chat/estimate.ts'
import { type SseEvent, sseEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { candidatesOf } from './output.ts'
import { finishReason, isFailure, markSignature } from './parts.ts'
import { readUsage, searchesOf } from './usage.ts'

type JsonRecord = Record<string, unknown>

interface Choice {
  calls: number
  text: string
  finished: boolean
}

/** Reads one stream, chunk by chunk. */
export class ChunkReader {
  output_bytes = 0
  #provider: string
  #one_call: boolean
  #choices = new Map<number, Choice>()
  #usage: unknown
  #searches = 0

  /** `one_call`: the caller wants no parallel calls, which Google cannot be told: only the first is handed on. */
  constructor(provider: string, { one_call = false } = {}) {
    this.#provider = provider
    this.#one_call = one_call
  }

  /** True when every candidate that began has its finish. */
  get complete(): boolean {
    const choices = [...this.#choices.values()]
    return choices.length > 0 && choices.every(({ finished }) => finished)
  }

  get usage(): Usage | undefined {
    return readUsage(this.#usage, this.#searches)
  }

  /** Throws ProviderError for an error told in the stream, a prompt that was blocked, and what is not JSON. */
  *read({ data }: SseEvent): Generator<ChatEvent> {
    const chunk = parseChunk(data, this.#provider)
    if (chunk.error) throw streamError(chunk, this.#provider)
    const blocked = record(chunk.promptFeedback).blockReason
    if (typeof blocked === 'string')
      throw new ProviderError('content_policy', `${this.#provider} blocked the prompt: ${blocked}.`)
    this.#usage = chunk.usageMetadata ?? this.#usage
    for (const candidate of candidatesOf(chunk)) yield* this.#candidate(candidate, chunk.modelVersion)
  }

  *#candidate(candidate: JsonRecord, model: unknown): Generator<ChatEvent> {
    const index = typeof candidate.index === 'number' ? candidate.index : 0
    const choice = this.#choices.get(index) ?? { calls: 0, text: '', finished: false }
    this.#choices.set(index, choice)
    const parts = record(candidate.content).parts
    for (const part of Array.isArray(parts) ? parts.filter(isRecord) : []) yield* this.#part(index, choice, part)
    this.#searches = Math.max(this.#searches, searchesOf(candidate, model))
    yield* readCitations(index, choice.text, candidate.groundingMetadata)
    const reason = candidate.finishReason
    if (typeof reason !== 'string' || choice.finished) return
    if (isFailure(reason)) {
      throw new ProviderError('unavailable', `${this.#provider} could not read what the model wrote: ${reason}.`)
    }
    choice.finished = true
    const end = finishReason(reason)
    yield { type: 'finish', choice: index, reason: end === 'stop' && choice.calls > 0 ? 'tool_calls' : end }
  }

  /** What code of Google's own tools does within an answer has no word elsewhere: only their fruit, the text, goes on. */
  *#part(choice: number, state: Choice, part: JsonRecord): Generator<ChatEvent> {
    const signature = isText(part.thoughtSignature) ? { signature: markSignature(part.thoughtSignature) } : {}
    if (isRecord(part.functionCall)) {
      const { id, name, args } = part.functionCall
      const words = JSON.stringify(args ?? {})
      this.output_bytes += Buffer.byteLength(String(name ?? '') + words)
      if (this.#one_call && state.calls > 0) return
      const call = { id: isText(id) ? id : `call_${randomUUID().replaceAll('-', '')}`, kind: 'function' as const }
      yield {
        type: 'tool_call',
        choice,
        index: state.calls++,
        call: { ...call, name: String(name ?? ''), arguments: words, ...signature },
      }
    } else if (part.thought === true) {
      if (!isText(part.text) && !signature.signature) return
      this.output_bytes += Buffer.byteLength(String(part.text ?? ''))
      yield { type: 'reasoning', choice, ...(isText(part.text) ? { text: part.text } : {}), ...signature }
    } else if (isText(part.text)) {
      // A signature on plain text is recommended to be kept, not required; no other format has a place for it.
      this.output_bytes += Buffer.byteLength(part.text)
      state.text += part.text
      yield { type: 'text', choice, text: part.text }
    } else if (isRecord(part.inlineData)) yield* readFile(choice, part.inlineData)
  }
}

function* readFile(choice: number, { mimeType, data }: JsonRecord): Generator<ChatEvent> {
  if (!isText(mimeType) || !isText(data)) return
  if (mimeType.startsWith('audio/')) yield { type: 'audio', choice, data }
  else if (mimeType.startsWith('image/'))
    yield { type: 'image', choice, image: { type: 'bytes', data: Buffer.from(data, 'base64'), media_type: mimeType } }
}

/** Google counts places in bytes of UTF-8, everybody else in characters. */
function* readCitations(choice: number, text: string, grounding: unknown): Generator<ChatEvent> {
  const { groundingSupports, groundingChunks } = record(grounding)
  if (!Array.isArray(groundingSupports) || !Array.isArray(groundingChunks)) return
  const bytes = Buffer.from(text)
  const place = (at: unknown) => (typeof at === 'number' ? bytes.subarray(0, at).toString().length : undefined)
  for (const support of groundingSupports.filter(isRecord)) {
    const segment = record(support.segment)
    const start = place(segment.startIndex ?? 0)
    const end = place(segment.endIndex)
    for (const index of Array.isArray(support.groundingChunkIndices) ? support.groundingChunkIndices : []) {
      const { uri, title } = record(record(groundingChunks[Number(index)]).web)
      if (!isText(uri)) continue
      const citation = {
        url: uri,
        ...(isText(title) ? { title } : {}),
        ...(isText(segment.text) ? { text: segment.text } : {}),
        ...(start === undefined ? {} : { start }),
        ...(end === undefined ? {} : { end }),
        raw: support as Json,
      }
      yield { type: 'citation', choice, citation }
    }
  }
}

/**
 * The events of a body, usage last. Throws ProviderError for an error in the stream, for what is not JSON, and for a
 * stream that ends before every candidate that began has ended. `input_bytes` serves to count where no usage comes.
 */
export async function* geminiEvents(
  body: AsyncIterable<Uint8Array>,
  provider: string,
  { input_bytes, one_call = false }: { input_bytes: number; one_call?: boolean },
): AsyncGenerator<ChatEvent> {
  const reader = new ChunkReader(provider, { one_call })
  for await (const event of sseEvents(body)) yield* reader.read(event)
  if (!reader.complete) {
    throw new ProviderError('bad_response', `${provider} broke off before the answer was finished.`)
  }
  yield { type: 'usage', usage: reader.usage ?? countedUsage(input_bytes, reader.output_bytes) }
}

export function parseChunk(data: string, provider: string): JsonRecord {
  try {
    const chunk: unknown = JSON.parse(data)
    if (isRecord(chunk)) return chunk
  } catch {
    // Told below, in the same words as for JSON that is no object.
  }
  throw new ProviderError('bad_response', `${provider} sent an event that is not JSON.`)
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
