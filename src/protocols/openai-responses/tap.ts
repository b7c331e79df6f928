// A provider's stream of this format on its way to the caller: read, not rewritten. Its last event waits until it is
// decided what the work costs.
import { type JsonObject, ProviderError, type Usage } from '../../contract.ts'
import type { AnswerEnd, StreamTap } from '../front.ts'
import { isRecord, record } from '../lenient.ts'
import { EventFramer, encodeEvent, readEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { exactJson, outputOf } from './answer.ts'
import { parseEvent } from './events.ts'
import { errorFields } from './response.ts'
import { readUsage } from './usage.ts'

/** Puts what the router did for the caller into the provider's response: the earlier response that it took up. */
export type Present = (response: JsonObject) => JsonObject

export class ResponseTap implements StreamTap {
  error: ProviderError | undefined
  #provider: string
  #present: Present
  #framer = new EventFramer()
  #output_bytes = 0
  /** The response as the last event told it. */
  #response: JsonObject = {}
  /** The items that are done, for servers whose last event tells no output. */
  #items = new Map<number, JsonObject>()
  #terminal: { event: string | undefined; data: JsonObject } | undefined
  #number = 0

  constructor(provider: string, present: Present) {
    this.#provider = provider
    this.#present = present
  }

  push(chunk: Uint8Array): Uint8Array | undefined {
    if (this.error) return undefined
    try {
      const events = this.#framer.push(chunk)
      return events && this.#forward(events.toString())
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error
      this.error = error
      return undefined
    }
  }

  finish(): AnswerEnd {
    // A last event without its blank line counts if it is whole; half a one is a cut, not a fault of form.
    const rest = this.#framer.end().toString()
    if (rest.trim() !== '' && !this.error && isWhole(rest)) this.#forward(rest)
    const response = this.#terminal && this.answer()
    const usage: Usage | undefined = response && readUsage(response)
    const whole = response ? outputOf(response.output as unknown[]) : undefined
    return {
      complete: !this.error && response !== undefined,
      ...(this.error ? { error: this.error } : {}),
      ...(usage ? { usage } : {}),
      has_output: (whole?.has_output ?? false) || this.#output_bytes > 0,
      output_bytes: Math.max(this.#output_bytes, whole?.output_bytes ?? 0),
    }
  }

  tail(cost_usd: string, usage: Usage): Uint8Array {
    const { event, data } = this.#terminal ?? { event: undefined, data: {} }
    const last = JSON.stringify({ ...data, response: exactJson(this.answer(), usage, cost_usd) })
    return Buffer.from(encodeEvent({ ...(event === undefined ? {} : { event }), data: last }))
  }

  /** The whole response once its last event was read, without our cost in it. */
  answer(): JsonObject {
    const output = this.#response.output
    if (Array.isArray(output) && (output.length > 0 || this.#items.size === 0)) return this.#response
    return { ...this.#response, output: [...this.#items].sort(([a], [b]) => a - b).map(([, item]) => item) }
  }

  /** As OpenAI ends a stream that fails: told once as an error, on which SDKs throw, and once as the response's end. */
  errorEvent({ message, type, code }: { message: string; type: string; code: string }): string {
    const response = { ...this.answer(), status: 'failed', error: { code, message }, usage: null }
    const events: JsonObject[] = [
      { type: 'error', sequence_number: this.#number, ...errorFields({ type, code, message, param: null }) },
      { type: 'response.failed', sequence_number: this.#number + 1, response },
    ]
    return events.map((event) => encodeEvent({ event: String(event.type), data: JSON.stringify(event) })).join('')
  }

  #forward(text: string): Uint8Array | undefined {
    let sent = ''
    for (const event of text.replace(/\r\n?/g, '\n').split('\n\n')) {
      if (event === '') continue
      sent += this.#event(event)
      if (this.error) break
    }
    return sent === '' ? undefined : Buffer.from(sent)
  }

  /** Reads one event; answers what to send of it, '' for nothing. */
  #event(text: string): string {
    const [sse] = readEvents(text)
    // A comment keeps the caller's connection awake as it does ours.
    if (!sse || sse.data === '') return `${text}\n\n`
    if (sse.data === '[DONE]') return ''
    const event = parseEvent(sse.data, this.#provider) as JsonObject
    const type = String(event.type ?? sse.event)
    this.#number = Math.max(this.#number, Number(event.sequence_number ?? 0) + 1)
    if (type === 'error' || type === 'response.failed') {
      const told = event.error ?? record(event.response).error ?? event
      this.error = streamError({ error: told }, this.#provider)
      return ''
    }
    if (typeof event.delta === 'string') this.#output_bytes += Buffer.byteLength(event.delta)
    if (type === 'response.output_item.done' && isRecord(event.item)) {
      this.#items.set(Number(event.output_index ?? this.#items.size), event.item as JsonObject)
    }
    if (!isRecord(event.response)) return `${text}\n\n`
    return this.#lifecycle(type, event, sse.event, text)
  }

  #lifecycle(type: string, event: JsonObject, name: string | undefined, text: string): string {
    const told = event.response as JsonObject
    const response = this.#present(told)
    this.#response = response
    if (type === 'response.completed' || type === 'response.incomplete') {
      this.#terminal = { event: name, data: event }
      return ''
    }
    if (response === told) return `${text}\n\n`
    return encodeEvent({ ...(name === undefined ? {} : { event: name }), data: JSON.stringify({ ...event, response }) })
  }
}

function isWhole(event: string): boolean {
  const data = readEvents(event)[0]?.data
  if (data === undefined || data === '[DONE]') return data !== undefined
  try {
    return isRecord(JSON.parse(data))
  } catch {
    return false
  }
}
