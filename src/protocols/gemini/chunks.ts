// Canonical events as the chunks of a generateContent stream, in the order and with the fields that Google's clients expect.
import type { ChatEvent, FinishReason, JsonObject, Usage } from '../../contract.ts'
import type { AnswerHead, StreamEncoder } from '../front.ts'
import { CallBuffer } from './calls.ts'
import { citationOf, GOOGLE_REASONS, partOf } from './parts.ts'
import { StreamedAnswer } from './streamed.ts'
import { withCost, writeUsage } from './usage.ts'

/** One encoder writes one answer. */
export class ChunkEncoder implements StreamEncoder {
  #head: JsonObject
  #streamed = new StreamedAnswer()
  #calls = new CallBuffer()
  #citations = new Map<number, JsonObject[]>()
  #ends = new Map<number, FinishReason>()

  constructor({ model, id }: AnswerHead) {
    this.#head = { modelVersion: model, responseId: id }
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
    return this.#write(this.#endings(), { usageMetadata: withCost(writeUsage(usage), cost_usd) })
  }

  answer(): JsonObject {
    this.#streamed.add({ candidates: this.#endings(), ...this.#head })
    return this.#streamed.answer
  }

  #endings = (): JsonObject[] =>
    [...this.#ends].map(([choice, reason]) => {
      const sources = this.#citations.get(choice)
      return {
        ...this.#candidate(choice, [{ text: '' }]),
        finishReason: GOOGLE_REASONS[reason],
        ...(sources ? { citationMetadata: { citations: sources } } : {}),
      }
    })

  #candidate = (index: number, parts: JsonObject[]): JsonObject => ({ content: { parts, role: 'model' }, index })

  #write(candidates: JsonObject[], more: object = {}): string {
    this.#streamed.add({ candidates })
    return `data: ${JSON.stringify({ candidates, ...more, ...this.#head })}\r\n\r\n`
  }
}
