// A provider's stream of legacy completions on its way to the caller: its chunks go on as they came, the usage and the end
// marker wait until it is decided what the work costs.
import { type JsonObject, ProviderError, type Usage } from '../../contract.ts'
import type { AnswerEnd, StreamTap } from '../front.ts'
import { isRecord } from '../lenient.ts'
import { readUsage, withCost, writeUsage } from '../openai-chat/usage.ts'
import { SseDecoder, type SseEvent } from '../sse.ts'
import { streamError } from '../status.ts'

export class CompletionTap implements StreamTap {
  error: ProviderError | undefined
  #provider: string
  #wants_usage: boolean
  #decoder = new SseDecoder()
  #finishes = new Map<unknown, boolean>()
  #usage: Record<string, unknown> | undefined
  #last: JsonObject = {}
  #output_bytes = 0

  constructor(provider: string, wants_usage: boolean) {
    this.#provider = provider
    this.#wants_usage = wants_usage
  }

  push(chunk: Uint8Array): Uint8Array | undefined {
    if (this.error) return undefined
    try {
      return this.#send(this.#decoder.push(chunk))
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error
      this.error = error
      return undefined
    }
  }

  finish(): AnswerEnd {
    const usage = readUsage(this.#usage)
    return {
      complete: !this.error && this.#finishes.size > 0 && [...this.#finishes.values()].every(Boolean),
      ...(this.error ? { error: this.error } : {}),
      ...(usage ? { usage } : {}),
      has_output: this.#output_bytes > 0,
      output_bytes: this.#output_bytes,
    }
  }

  tail(cost_usd: string, usage: Usage): Uint8Array {
    const { choices: _, usage: __, ...head } = this.#last
    const told = { ...head, choices: [], usage: withCost(this.#usage ?? writeUsage(usage), cost_usd) }
    return Buffer.from(`${this.#wants_usage ? `data: ${JSON.stringify(told)}\n\n` : ''}data: [DONE]\n\n`)
  }

  #send(events: SseEvent[]): Uint8Array | undefined {
    const sent = events.map(({ data }) => this.#read(data)).join('')
    return sent === '' ? undefined : Buffer.from(sent)
  }

  /** Reads one event; answers what to send of it, '' for nothing. */
  #read(data: string): string {
    if (data === '' || data === '[DONE]') return ''
    const chunk = parse(data, this.#provider)
    if (chunk.error) throw streamError(chunk, this.#provider)
    if (isRecord(chunk.usage)) this.#usage = chunk.usage
    this.#last = chunk
    const choices = Array.isArray(chunk.choices) ? (chunk.choices as unknown[]).filter(isRecord) : []
    for (const { index = 0, text, finish_reason } of choices) {
      if (typeof text === 'string') this.#output_bytes += Buffer.byteLength(text)
      this.#finishes.set(index, typeof finish_reason === 'string' || this.#finishes.get(index) === true)
    }
    if (choices.length === 0) return ''
    const { usage: _, ...rest } = chunk
    return `data: ${JSON.stringify(this.#wants_usage ? { ...rest, usage: null } : rest)}\n\n`
  }
}

function parse(data: string, provider: string): JsonObject {
  try {
    const chunk: unknown = JSON.parse(data)
    if (isRecord(chunk)) return chunk as JsonObject
  } catch {
    // Told below, in the same words as for JSON that is no object.
  }
  throw new ProviderError('bad_response', `${provider} sent an event that is not JSON.`)
}
