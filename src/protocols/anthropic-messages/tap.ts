// Reads a stream of Anthropic's events while it passes through: what was delivered, how it ended, what it used. The bytes
// go on as they came; the last `message_delta`, which has the usage, and what follows it wait for `tail`.
import { ProviderError, type Usage } from '../../contract.ts'
import type { AnswerEnd, StreamTap } from '../front.ts'
import { isRecord, record } from '../lenient.ts'
import { EventFramer, readEvents } from '../sse.ts'
import { parseEvent } from './events.ts'
import { outputOfBlock, outputOfDelta } from './output.ts'
import { mergeUsage, readUsage, withCost, writeUsage } from './usage.ts'
import { encodeWireEvent } from './writer.ts'

type JsonRecord = Record<string, unknown>

const STOP = encodeWireEvent({ type: 'message_stop' })
const BLANK_LINE = Buffer.from('\n\n')

export class MessageTap implements StreamTap {
  /** Set by an error in the stream or by an event that is not JSON; nothing is forwarded from there on. */
  error: ProviderError | undefined
  #provider: string
  #framer = new EventFramer()
  #usage: JsonRecord = {}
  #has_output = false
  #output_bytes = 0
  #stopped = false
  #end: JsonRecord = { stop_reason: 'end_turn', stop_sequence: null }
  /** The last message_delta, as text and read, and what came after it; text is Latin-1 of the bytes. */
  #held: { text: string; event: JsonRecord; after: string } | undefined

  constructor(provider: string) {
    this.#provider = provider
  }

  push(chunk: Uint8Array): Uint8Array | undefined {
    if (this.error) return undefined
    try {
      const events = this.#framer.push(chunk)
      return events && this.#forward(events)
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error
      this.error = error
      return undefined
    }
  }

  finish(): AnswerEnd {
    // A last event without its blank line counts if it is whole; half a one is a cut, not a fault of form.
    const rest = this.#framer.end()
    if (rest.length > 0 && !this.error && isWhole(rest.toString())) this.#forward(Buffer.concat([rest, BLANK_LINE]))
    const usage = readUsage(this.#usage)
    return {
      complete: this.#stopped && !this.error,
      ...(this.error ? { error: this.error } : {}),
      ...(usage ? { usage } : {}),
      has_output: this.#has_output,
      output_bytes: this.#output_bytes,
    }
  }

  tail(cost_usd: string, usage: Usage): Uint8Array {
    const { event = { delta: this.#end }, after = '' } = this.#held ?? {}
    const theirs = isRecord(event.usage) ? event.usage : writeUsage(usage)
    const last = encodeWireEvent({ ...event, type: 'message_delta', usage: withCost(theirs, cost_usd) })
    const rest = after.includes('message_stop') ? after : after + STOP
    return Buffer.concat([Buffer.from(last), Buffer.from(rest, 'latin1')])
  }

  #forward(bytes: Buffer): Uint8Array | undefined {
    let region = bytes
    let text = region.toString('latin1')
    if (text.includes('\r')) {
      text = text.replace(/\r\n?/g, '\n')
      region = Buffer.from(text, 'latin1')
    }
    let sent = ''
    for (let at = 0; at < text.length && !this.error; ) {
      const boundary = text.indexOf('\n\n', at)
      const end = boundary < 0 ? text.length : boundary + 2
      sent += this.#event(text.slice(at, end), region.toString('utf8', at, end))
      at = end
    }
    if (sent === text) return bytes
    return sent === '' ? undefined : Buffer.from(sent, 'latin1')
  }

  /** Reads one event; answers what to send of it, '' for nothing. `text` is Latin-1 of the bytes, `decoded` the text. */
  #event(text: string, decoded: string): string {
    const [message] = readEvents(decoded)
    // A comment keeps the caller's connection awake as it does ours.
    if (!message) return this.#pass(text)
    let event: JsonRecord
    try {
      event = parseEvent(message, this.#provider)
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error
      this.error = error
      return ''
    }
    return this.#read(event, text)
  }

  #read(event: JsonRecord, text: string): string {
    switch (event.type) {
      case 'message_start':
        this.#start(record(event.message))
        break
      case 'content_block_start':
        this.#note(outputOfBlock(event.content_block))
        break
      case 'content_block_delta':
        this.#note(outputOfDelta(event.delta))
        break
      case 'message_delta': {
        const released = this.#held ? this.#held.text + this.#held.after : ''
        this.#usage = mergeUsage(this.#usage, event.usage)
        if (record(event.delta).stop_reason) this.#stopped = true
        this.#held = { text, event, after: '' }
        return released
      }
      case 'message_stop':
        // Only where the first event said it all is there none before it.
        this.#held ??= { text: '', event: { delta: this.#end }, after: '' }
    }
    return this.#pass(text)
  }

  /** Some answers come whole in their first event, see StreamReader. */
  #start({ usage, content, stop_reason, stop_sequence }: JsonRecord) {
    this.#usage = mergeUsage({}, usage)
    for (const block of Array.isArray(content) ? content : []) this.#note(outputOfBlock(block))
    if (!stop_reason) return
    this.#stopped = true
    this.#end = { stop_reason, stop_sequence }
  }

  /** What comes after the last message_delta waits with it. */
  #pass(text: string): string {
    if (!this.#held) return text
    this.#held.after += text
    return ''
  }

  #note({ any, bytes }: { any: boolean; bytes: number }) {
    this.#has_output ||= any
    this.#output_bytes += bytes
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
