// Canonical events as Anthropic's events, block after block in the order and with the fields that its clients expect.
import type { ChatEvent, FinishReason, JsonObject, ToolCall, Usage } from '../../contract.ts'
import { signedId } from '../call_ids.ts'
import type { AnswerHead } from '../front.ts'
import { isRecord } from '../lenient.ts'
import { stopReason } from './parts.ts'
import { withCost, writeUsage } from './usage.ts'

type WireEvent = { type: string } & Record<string, unknown>

/** A block that has begun and not ended. */
type OpenBlock =
  | { kind: 'text' }
  | { kind: 'thinking'; signed: boolean }
  | { kind: 'tool'; call: number; input: string }

const NO_USAGE = { input_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 0 }

/** One writer writes one answer. `id` is without its prefix. */
export class MessageWriter {
  #head: AnswerHead
  #begun = false
  #index = -1
  #open: OpenBlock | undefined
  /** Calls that began while another was still being written: their blocks follow when it is whole. */
  #waiting = new Map<number, Partial<ToolCall>>()
  #called = false
  #finish: { reason: FinishReason; stop_sequence?: string } = { reason: 'stop' }

  constructor(head: AnswerHead) {
    this.#head = head
  }

  /** What to send for one event; its end and its usage wait for `end`. */
  write(event: ChatEvent): WireEvent[] {
    if (event.type === 'usage') return []
    if (event.type === 'finish') {
      this.#finish = event
      return []
    }
    return [...this.#begin(), ...this.#content(event)]
  }

  /** The end of a complete answer. */
  end(usage: Usage | undefined, cost_usd?: string): WireEvent[] {
    const { reason, stop_sequence } = this.#finish
    const stop_reason = stopReason(reason, { called: this.#called, stop_sequence: stop_sequence !== undefined })
    const delta = { stop_reason, stop_sequence: stop_sequence ?? null }
    const last = { type: 'message_delta', delta, usage: withCost(usage ? writeUsage(usage) : NO_USAGE, cost_usd) }
    return [...this.#begin(), ...this.#close(), ...this.#writeWaiting(true), last, { type: 'message_stop' }]
  }

  #begin(): WireEvent[] {
    if (this.#begun) return []
    this.#begun = true
    const { id, model } = this.#head
    const message = {
      id: `msg_${id}`,
      type: 'message',
      role: 'assistant',
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      // Known at the end only; the last event tells all of it.
      usage: NO_USAGE,
    }
    return [{ type: 'message_start', message }]
  }

  #content(event: Exclude<ChatEvent, { type: 'usage' | 'finish' }>): WireEvent[] {
    switch (event.type) {
      case 'text':
      case 'refusal':
        return this.#text(event.text)
      case 'audio':
        return event.transcript ? this.#text(event.transcript) : []
      case 'reasoning':
        return this.#reasoning(event)
      case 'tool_call':
        return this.#toolCall(event.index, event.call)
      case 'citation': {
        const { url = '', title = '', text = '', raw } = event.citation
        const own = isRecord(raw) && typeof raw.type === 'string' && raw.type.endsWith('_location')
        const citation = own ? raw : { type: 'web_search_result_location', url, title, cited_text: text }
        return [...this.#openText(), this.#delta({ type: 'citations_delta', citation })]
      }
      case 'image':
        return this.#whole({ type: 'image', source: sourceOf(event.image) })
    }
  }

  #text(text: string): WireEvent[] {
    return [...this.#openText(), this.#delta({ type: 'text_delta', text })]
  }

  #openText(): WireEvent[] {
    return this.#open?.kind === 'text' ? [] : this.#start({ kind: 'text' }, { type: 'text', text: '' })
  }

  #reasoning({ text, signature, encrypted }: Extract<ChatEvent, { type: 'reasoning' }>): WireEvent[] {
    if (encrypted !== undefined) return this.#whole({ type: 'redacted_thinking', data: encrypted })
    if (!text && !signature) return []
    const events: WireEvent[] = []
    const open = this.#open
    // A signature ends a thought; what follows is another.
    if (open?.kind !== 'thinking' || (open.signed && text)) {
      events.push(
        ...this.#start({ kind: 'thinking', signed: false }, { type: 'thinking', thinking: '', signature: '' }),
      )
    }
    if (text) events.push(this.#delta({ type: 'thinking_delta', thinking: text }))
    if (signature) {
      events.push(this.#delta({ type: 'signature_delta', signature }))
      if (this.#open?.kind === 'thinking') this.#open.signed = true
    }
    return events
  }

  /**
   * Blocks follow each other, while other formats may write several calls at once: a call that begins before the one
   * being written is whole waits for it.
   */
  #toolCall(index: number, call: Partial<ToolCall>): WireEvent[] {
    this.#called = true
    const open = this.#open
    if (open?.kind === 'tool' && open.call === index) return this.#input(open, call.arguments ?? '')
    const begun = this.#waiting.get(index) ?? {}
    this.#waiting.set(index, { ...begun, ...call, arguments: (begun.arguments ?? '') + (call.arguments ?? '') })
    return open?.kind === 'tool' && !isWhole(open.input) ? [] : this.#writeWaiting(false)
  }

  #input(open: Extract<OpenBlock, { kind: 'tool' }>, text: string): WireEvent[] {
    if (text === '') return []
    open.input += text
    const delta = this.#delta({ type: 'input_json_delta', partial_json: text })
    return this.#waiting.size > 0 && isWhole(open.input) ? [delta, ...this.#writeWaiting(false)] : [delta]
  }

  /** Waiting calls as blocks, as long as each is whole; at the end all of them. The last one stays open. */
  #writeWaiting(all: boolean): WireEvent[] {
    const events: WireEvent[] = []
    for (const [index, call] of this.#waiting) {
      this.#waiting.delete(index)
      const { name = '', arguments: words = '' } = call
      const id = signedId(call.id ?? `toolu_${index}`, call.signature)
      const open = { kind: 'tool' as const, call: index, input: words }
      events.push(...this.#start(open, { type: 'tool_use', id, name, input: {} }))
      if (words) events.push(this.#delta({ type: 'input_json_delta', partial_json: words }))
      if (!all && !isWhole(words)) break
    }
    return all ? [...events, ...this.#close()] : events
  }

  #whole(block: JsonObject): WireEvent[] {
    return [...this.#start({ kind: 'text' }, block), ...this.#close()]
  }

  #start(open: OpenBlock, content_block: JsonObject): WireEvent[] {
    const closed = this.#close()
    this.#open = open
    this.#index++
    return [...closed, { type: 'content_block_start', index: this.#index, content_block }]
  }

  #delta(delta: Record<string, unknown>): WireEvent {
    return { type: 'content_block_delta', index: this.#index, delta }
  }

  #close(): WireEvent[] {
    if (!this.#open) return []
    this.#open = undefined
    return [{ type: 'content_block_stop', index: this.#index }]
  }
}

/** A picture that a model made: not a block of Anthropic's own answers, but in the words of its requests. */
function sourceOf(image: Extract<ChatEvent, { type: 'image' }>['image']): JsonObject {
  if (image.type === 'url') return { type: 'url', url: image.url }
  return { type: 'base64', media_type: image.media_type, data: Buffer.from(image.data).toString('base64') }
}

function isWhole(json: string): boolean {
  try {
    JSON.parse(json)
    return true
  } catch {
    return false
  }
}

/** One event as it goes over the wire. */
export const encodeWireEvent = (event: WireEvent): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
