// Reads a chat stream while it passes through: what was delivered, how it ended, what it used. The bytes go on
// as they came; the last usage and the end marker wait until the caller of `tail` has decided what the work costs.
import { type JsonObject, ProviderError, type Usage } from '../../contract.ts'
import { isRecord } from '../lenient.ts'
import { EventFramer, readEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { isFailure, outputOf } from './delta.ts'
import { learnPattern, matchPattern, type Pattern } from './pattern.ts'
import { readUsage, usageOf, withCost, writeUsage } from './usage.ts'

export interface TapOptions {
  /** The provider's name for people, for messages. */
  provider: string
  /** The caller did not ask for usage: its chunk, and the `usage: null` of the others, are taken out. */
  strip_usage: boolean
}

export interface TapResult {
  /** Every choice that began has its finish. A stream that is not complete is not charged. */
  complete: boolean
  /** The end marker came. */
  done: boolean
  error?: ProviderError
  usage?: Usage
  finish_reasons: string[]
  has_output: boolean
  /** UTF-8 bytes of text, reasoning and tool calls, for counting where no usage came. */
  output_bytes: number
}

const DONE = 'data: [DONE]\n\n'
const EMPTY_USAGE = /,\s*"usage":\s*null/g

export class ChatTap {
  has_output = false
  output_bytes = 0
  /** Set by an error in the stream or by an event that is not JSON; nothing is forwarded from there on. */
  error: ProviderError | undefined
  #options: TapOptions
  #framer = new EventFramer()
  #pattern: Pattern | undefined
  #finishes = new Map<number, string | undefined>()
  #usage: Usage | undefined
  #done = false
  /** The chunk with the usage, its data and what came after it, kept for `tail`; text is Latin-1 of the bytes. */
  #held: { text: string; chunk: JsonObject; after: string } | undefined
  #last: JsonObject = {}
  #empty_usages = false

  constructor(options: TapOptions) {
    this.#options = options
  }

  /** Takes what the network gave; answers the bytes to send on now. */
  push(chunk: Uint8Array): Uint8Array | undefined {
    if (this.error) return undefined
    let events: Buffer | undefined
    try {
      events = this.#framer.push(chunk)
    } catch (error) {
      this.error = error as ProviderError
      return undefined
    }
    return events && this.#forward(events)
  }

  /** Call when the body has ended, or broken off. */
  finish(): TapResult {
    // A last event without its blank line counts if it is whole; half a one is a cut, not a fault of form.
    const rest = this.#framer.end()
    if (rest.length > 0 && !this.error && isWhole(rest.toString())) this.#forward(Buffer.concat([rest, BLANK_LINE]))
    const ends = [...this.#finishes.values()]
    return {
      complete: !this.error && ends.length > 0 && ends.every((reason) => reason !== undefined),
      done: this.#done,
      ...(this.error ? { error: this.error } : {}),
      ...(this.#usage ? { usage: this.#usage } : {}),
      finish_reasons: ends.filter((reason) => reason !== undefined),
      has_output: this.has_output,
      output_bytes: this.output_bytes,
    }
  }

  /**
   * The end of a complete stream: the usage chunk with `usage.cost`, then the end marker. `counted` stands in where the
   * caller asked for usage and the provider gave none. `cost_usd` is a decimal of at most nine places.
   */
  tail(cost_usd?: string, counted?: Usage): Uint8Array {
    const usage = this.#held?.chunk.usage
    if (this.#held && isRecord(usage)) {
      const chunk = { ...this.#held.chunk, usage: withCost(usage, cost_usd) }
      const after = Buffer.from(this.#held.after, 'latin1')
      return Buffer.concat([Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`), after, Buffer.from(DONE)])
    }
    const known = this.#usage ?? counted
    if (this.#options.strip_usage || !known) return Buffer.from(DONE)
    const { id, object, created, model } = this.#last
    const chunk = { id, object, created, model, choices: [], usage: withCost(writeUsage(known), cost_usd) }
    return Buffer.from(`data: ${JSON.stringify(chunk)}\n\n${DONE}`)
  }

  #forward(bytes: Buffer): Uint8Array | undefined {
    let region = bytes
    let text = region.toString('latin1')
    if (text.includes('\r')) {
      text = text.replace(/\r\n?/g, '\n')
      region = Buffer.from(text, 'latin1')
    }
    // Pieces to send, undefined while everything is sent as it came.
    let kept: string[] | undefined
    let at = 0
    while (at < text.length && !this.error) {
      const match = this.#pattern && matchPattern(this.#pattern, text, at)
      if (match) {
        if (match.text_bytes > 0) this.#delivered(match.text_bytes)
        const released = this.#release()
        if (released) kept = [...(kept ?? [text.slice(0, at)]), released]
        kept?.push(text.slice(at, match.end))
        at = match.end
        continue
      }
      const boundary = text.indexOf('\n\n', at)
      const end = boundary < 0 ? text.length : boundary + 2
      const event = text.slice(at, end)
      const sent = this.#event(event, region.toString('utf8', at, end))
      if (sent !== event) kept ??= [text.slice(0, at)]
      if (sent) kept?.push(sent)
      at = end
    }
    return this.#output(bytes, text, kept)
  }

  #output(bytes: Buffer, text: string, kept: string[] | undefined): Uint8Array | undefined {
    let sent = kept?.join('')
    if (this.#options.strip_usage && this.#empty_usages) {
      const whole = sent ?? text
      const clean = whole.replace(EMPTY_USAGE, '')
      if (clean !== whole) sent = clean
    }
    if (sent === undefined) return bytes
    return sent === '' ? undefined : Buffer.from(sent, 'latin1')
  }

  /** Reads one event; answers what to send of it, '' for nothing. `event` is Latin-1 of the bytes, `decoded` the text. */
  #event(event: string, decoded: string): string {
    const [message] = readEvents(decoded)
    // A comment keeps the caller's connection awake as it does ours.
    if (!message || message.data === '') return event
    if (message.data === '[DONE]') {
      this.#done = true
      return ''
    }
    const chunk = parseObject(message.data)
    if (!chunk) {
      this.error = new ProviderError('bad_response', `${this.#options.provider} sent an event that is not JSON.`)
      return ''
    }
    if (chunk.error || message.event === 'error') {
      this.error = streamError(chunk.error ? chunk : { error: chunk }, this.#options.provider)
      return ''
    }
    return this.#chunk(chunk, event)
  }

  #chunk(chunk: JsonObject, event: string): string {
    this.#last = chunk
    if (chunk.usage === null) this.#empty_usages = true
    const plain = this.#choices(chunk.choices)
    const no_choices = !Array.isArray(chunk.choices) || chunk.choices.length === 0
    if (this.#held && no_choices && !isRecord(chunk.usage)) {
      // OpenAI's verdict on the output (`moderation`) follows the usage.
      this.#held.after += event
      return ''
    }
    const released = this.#release()
    if (this.error) return released
    this.#usage = readUsage(usageOf(chunk)) ?? this.#usage
    if (isRecord(chunk.usage)) {
      if (this.#options.strip_usage && no_choices) return released
      // Some servers tell the usage so far in every chunk; only the last one waits.
      if (this.#allFinished() || no_choices) {
        this.#held = { text: event, chunk, after: '' }
        return released
      }
    } else if (plain) {
      this.#pattern = learnPattern(event) ?? this.#pattern
    }
    return released + event
  }

  /** A chunk that was held as the last one, and was not: it goes on as it came. */
  #release(): string {
    const text = this.#held ? this.#held.text + this.#held.after : ''
    this.#held = undefined
    return text
  }

  /** Notes output and ends; true if this is one plain piece of one choice. */
  #choices(choices: unknown): boolean {
    if (!Array.isArray(choices)) return false
    let plain = choices.length === 1
    for (const choice of choices) {
      if (!isRecord(choice)) continue
      const index = typeof choice.index === 'number' ? choice.index : 0
      const seen = outputOf(choice.delta ?? choice.message ?? { content: choice.text })
      if (seen.any) this.#delivered(seen.bytes)
      const reason = choice.finish_reason
      if (isFailure(reason)) {
        this.error = new ProviderError('unavailable', `${this.#options.provider} ended the answer with an error.`)
      } else if (typeof reason === 'string' && reason) {
        this.#finishes.set(index, reason)
        plain = false
      } else if (!this.#finishes.has(index)) this.#finishes.set(index, undefined)
      if (!seen.any) plain = false
    }
    return plain
  }

  #delivered(bytes: number) {
    this.has_output = true
    this.output_bytes += bytes
  }

  #allFinished(): boolean {
    for (const reason of this.#finishes.values()) if (reason === undefined) return false
    return this.#finishes.size > 0
  }
}

const BLANK_LINE = Buffer.from('\n\n')

function isWhole(event: string): boolean {
  const [message] = readEvents(event)
  return message !== undefined && (message.data === '[DONE]' || parseObject(message.data) !== undefined)
}

function parseObject(data: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(data)
    return isRecord(value) ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}
