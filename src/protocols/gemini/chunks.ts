// Canonical events as the chunks of a generateContent stream, in the order and with the fields that Google's clients expect.
import type { ChatEvent, FinishReason, JsonObject, Usage } from '../../contract.ts'
import type { AnswerHead, StreamEncoder } from '../front.ts'
import { CallBuffer } from './calls.ts'
import { citationOf, GOOGLE_REASONS, partOf } from './parts.ts'
import { withCost, writeUsage } from './usage.ts'

/** One encoder writes one answer. */
export class ChunkEncoder implements StreamEncoder {
  #head: AnswerHead
  #calls = new CallBuffer()
  #citations = new Map<number, JsonObject[]>()
  #ends = new Map<number, FinishReason>()

  constructor(head: AnswerHead) {
    this.#head = head
  }

  encode(event: ChatEvent): string {
    switch (event.type) {
      case 'usage':
        return ''
      case 'tool_call':
        this.#calls.add(event)
        return ''
      case 'citation':
        this.#citations.set(event.choice, [...(this.#citations.get(event.choice) ?? []), citationOf(event)])
        return ''
      case 'finish': {
        this.#ends.set(event.choice, event.reason)
        const calls = this.#calls.take(event.choice, event.reason)
        return calls.length > 0 ? this.#write([this.#candidate(event.choice, calls)]) : ''
      }
      default: {
        const part = partOf(event)
        return part ? this.#write([this.#candidate(event.choice, [part])]) : ''
      }
    }
  }

  /** The last chunk says how each choice ended, and what all of it took. */
  tail(usage: Usage, cost_usd: string): string {
    const candidates = [...this.#ends].map(([choice, reason]) => {
      const sources = this.#citations.get(choice)
      return {
        ...this.#candidate(choice, [{ text: '' }]),
        finishReason: GOOGLE_REASONS[reason],
        ...(sources ? { citationMetadata: { citations: sources } } : {}),
      }
    })
    return this.#write(candidates, { usageMetadata: withCost(writeUsage(usage), cost_usd) })
  }

  #candidate = (index: number, parts: JsonObject[]): JsonObject => ({ content: { parts, role: 'model' }, index })

  #write(candidates: JsonObject[], more: object = {}): string {
    const { id, model } = this.#head
    return `data: ${JSON.stringify({ candidates, ...more, modelVersion: model, responseId: id })}\r\n\r\n`
  }
}
