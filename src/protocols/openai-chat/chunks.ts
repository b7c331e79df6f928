// Canonical events as OpenAI's chat chunks, in the order and with the fields that its clients expect.
import type { ChatEvent, Json, JsonObject, ToolCall, Usage } from '../../contract.ts'
import { signedId } from '../call_ids.ts'
import { type AnswerHead, audioOf, citationOf, FINISH_REASONS, imageOf, signed } from './parts.ts'
import { withCost, writeUsage } from './usage.ts'

/** One encoder writes one answer. */
export class ChunkEncoder {
  #head: AnswerHead
  #include_usage: boolean
  #started = new Set<number>()
  #kinds = new Map<string, ToolCall['kind']>()

  constructor(head: AnswerHead, options: { include_usage: boolean }) {
    this.#head = head
    this.#include_usage = options.include_usage
  }

  /** The text to send for one event; '' for the usage, which belongs to `tail`. */
  encodeChunk(event: ChatEvent): string {
    if (event.type === 'usage') return ''
    const begin = this.#started.has(event.choice) ? '' : this.#begin(event.choice)
    if (event.type === 'finish') return begin + this.#write(event.choice, {}, FINISH_REASONS[event.reason])
    const logprobs = event.type === 'text' ? event.logprobs : undefined
    return begin + this.#write(event.choice, this.#delta(event), null, logprobs)
  }

  /** The end of a complete answer: the usage if it was asked for, then the end marker. */
  tail(usage: Usage | undefined, cost_usd?: string): string {
    if (!this.#include_usage || !usage) return DONE
    return this.#data({ choices: [], usage: withCost(writeUsage(usage), cost_usd) }) + DONE
  }

  #begin(choice: number): string {
    this.#started.add(choice)
    return this.#write(choice, { role: 'assistant', content: '' }, null)
  }

  #write(index: number, delta: JsonObject, finish_reason: string | null, logprobs?: Json): string {
    const choice = { index, delta, logprobs: logprobs ?? null, finish_reason }
    return this.#data({ choices: [choice], ...(this.#include_usage ? { usage: null } : {}) })
  }

  #data(members: object): string {
    const { id, created, model } = this.#head
    return `data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created, model, ...members })}\n\n`
  }

  #delta(event: Exclude<ChatEvent, { type: 'usage' | 'finish' }>): JsonObject {
    switch (event.type) {
      case 'text':
        return { content: event.text }
      case 'refusal':
        return { refusal: event.text }
      case 'reasoning':
        return event.text ? { reasoning_content: event.text } : {}
      case 'tool_call':
        return { tool_calls: [this.#toolCall(`${event.choice}.${event.index}`, event.index, event.call)] }
      case 'audio':
        return { audio: audioOf(event) }
      case 'image':
        return { images: [imageOf(event)] }
      case 'citation':
        return { annotations: [citationOf(event)] }
    }
  }

  /** The first piece of a call names it; the others carry arguments alone. */
  #toolCall(key: string, index: number, call: Partial<ToolCall>): JsonObject {
    const known = this.#kinds.get(key)
    const kind = known ?? call.kind ?? 'function'
    this.#kinds.set(key, kind)
    const words = kind === 'custom' ? { input: call.arguments ?? '' } : { arguments: call.arguments ?? '' }
    if (known) return { index, [kind]: words }
    const named = { name: call.name ?? '', ...words }
    const id = signedId(call.id ?? `call_${index}`, call.signature)
    return { index, id, type: kind, [kind]: named, ...signed(call.signature) }
  }
}

const DONE = 'data: [DONE]\n\n'
