// Reads a generateContent stream while it passes through. The bytes go on as they came; the chunk with the last finish
// waits until the caller of `tail` has decided what the work costs.
import type { JsonObject, ProviderError, Usage } from '../../contract.ts'
import type { AnswerEnd, StreamTap } from '../front.ts'
import { isRecord, record } from '../lenient.ts'
import { EventFramer, readEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { parseChunk } from './events.ts'
import { candidatesOf, outputOf } from './output.ts'
import { StreamedAnswer } from './streamed.ts'
import { readUsage, searchesOf, withCost, writeUsage } from './usage.ts'

/** An event of Google's ends with \r\n\r\n; other servers of this format send \n\n. */
const EVENTS = /[\s\S]*?(?:\r\n\r\n|\n\n|\r\r|$)/g

/** One line of data: Google's clients pass over an event that begins with anything else (@google/genai 3.1.0). */
const PLAIN = /^data:[^\r\n]*[\r\n]+$/

const encodeLatin = (chunk: JsonObject): string =>
  Buffer.from(`data: ${JSON.stringify(chunk)}\r\n\r\n`).toString('latin1')

export class GeminiTap implements StreamTap {
  error: ProviderError | undefined
  #provider: string
  #framer = new EventFramer()
  #finished = new Map<number, boolean>()
  /** Google refused the prompt: an answer without candidates, and whole. */
  #blocked = false
  #usage: unknown
  #searches = 0
  #has_output = false
  #output_bytes = 0
  #streamed = new StreamedAnswer()
  #held: { text: string; chunk: JsonObject } | undefined

  constructor(provider: string) {
    this.#provider = provider
  }

  push(chunk: Uint8Array): Uint8Array | undefined {
    if (this.error) return undefined
    try {
      const events = this.#framer.push(chunk)
      return events && this.#forward(events)
    } catch (error) {
      this.error = error as ProviderError
      return undefined
    }
  }

  finish(): AnswerEnd {
    // A last event without its blank line counts if it is whole; half a one is a cut, not a fault of form.
    const rest = this.#framer.end()
    if (rest.length > 0 && !this.error && isWhole(rest.toString())) this.#forward(rest)
    const usage = readUsage(this.#usage, this.#searches)
    return {
      complete: !this.error && (this.#allFinished() || this.#blocked),
      ...(this.error ? { error: this.error } : {}),
      ...(usage ? { usage } : {}),
      has_output: this.#has_output,
      output_bytes: this.#output_bytes,
    }
  }

  /** The last chunk with `usageMetadata.cost`; `counted` stands in where the provider told no usage. */
  tail(cost_usd: string, counted: Usage): Uint8Array {
    const chunk = this.#held?.chunk ?? {}
    const theirs = isRecord(chunk.usageMetadata) ? chunk.usageMetadata : (this.#usage ?? writeUsage(counted))
    return Buffer.from(
      `data: ${JSON.stringify({ ...chunk, usageMetadata: withCost(record(theirs), cost_usd) })}\r\n\r\n`,
    )
  }

  /** All of it, with what is held back. */
  answer(): JsonObject {
    const { usageMetadata: _, ...answer } = this.#streamed.answer
    return answer
  }

  #forward(bytes: Buffer): Uint8Array | undefined {
    const sent: string[] = []
    for (const [event] of bytes.toString('latin1').matchAll(EVENTS)) {
      if (event && !this.error) sent.push(this.#event(event))
    }
    const text = sent.join('')
    return text === '' ? undefined : Buffer.from(text, 'latin1')
  }

  /** Reads one event, Latin-1 of its bytes; answers what to send of it now. */
  #event(event: string): string {
    const [message] = readEvents(Buffer.from(event, 'latin1').toString())
    // A comment keeps the caller's connection awake as it does ours.
    if (!message || message.data === '') return event
    let chunk: JsonObject
    try {
      chunk = parseChunk(message.data, this.#provider) as JsonObject
      if (chunk.error) throw streamError(chunk, this.#provider)
    } catch (error) {
      this.error = error as ProviderError
      return ''
    }
    this.#note(chunk)
    const released = this.#held?.text ?? ''
    this.#held = undefined
    const text = PLAIN.test(event) ? event : encodeLatin(chunk)
    if (!this.#allFinished() && !this.#blocked) return released + text
    this.#held = { text, chunk }
    return released
  }

  #note(chunk: JsonObject): void {
    this.#streamed.add(chunk)
    if (isRecord(chunk.usageMetadata)) this.#usage = chunk.usageMetadata
    if (record(chunk.promptFeedback).blockReason) this.#blocked = true
    for (const candidate of candidatesOf(chunk)) {
      const index = typeof candidate.index === 'number' ? candidate.index : 0
      this.#finished.set(index, this.#finished.get(index) === true || typeof candidate.finishReason === 'string')
      this.#searches = Math.max(this.#searches, searchesOf(candidate, chunk.modelVersion))
      const seen = outputOf(candidate)
      this.#has_output ||= seen.any
      this.#output_bytes += seen.bytes
    }
  }

  #allFinished(): boolean {
    return this.#finished.size > 0 && [...this.#finished.values()].every(Boolean)
  }
}

function isWhole(event: string): boolean {
  const [message] = readEvents(event)
  try {
    return message !== undefined && isRecord(JSON.parse(message.data))
  } catch {
    return false
  }
}
