// The events of one of Anthropic's streams put together: the one message that they amount to, as far as they go.
import type { JsonObject } from '../../contract.ts'
import { isRecord, record } from '../lenient.ts'
import { mergeUsage } from './usage.ts'

type JsonRecord = Record<string, unknown>

export class MessageBuilder {
  #message: JsonRecord = { type: 'message', role: 'assistant', content: [], stop_reason: null, stop_sequence: null }
  #blocks: JsonRecord[] = []
  /** The JSON text of a tool's input so far, by the index of its block. */
  #inputs = new Map<number, string>()

  add(event: JsonRecord): void {
    const index = Number(event.index)
    switch (event.type) {
      case 'message_start': {
        const { content, ...message } = record(event.message)
        this.#message = { ...this.#message, ...message }
        this.#blocks = Array.isArray(content) ? content.map((block) => ({ ...record(block) })) : []
        break
      }
      case 'content_block_start':
        this.#blocks[index] = { ...record(event.content_block) }
        break
      case 'content_block_delta':
        this.#delta(index, record(event.delta))
        break
      case 'message_delta': {
        const { type: _, delta, usage, ...rest } = event
        this.#message = { ...this.#message, ...record(delta), ...rest }
        if (isRecord(usage)) this.#message.usage = mergeUsage(record(this.#message.usage), usage)
      }
    }
  }

  get message(): JsonObject {
    const content = this.#blocks.map((block, index) => {
      const input = this.#inputs.get(index)
      return input ? { ...block, input: parseInput(input) } : block
    })
    return { ...this.#message, content } as JsonObject
  }

  #delta(index: number, delta: JsonRecord): void {
    const block = this.#blocks[index]
    if (!block) return
    if (delta.type === 'citations_delta') {
      block.citations = [...(Array.isArray(block.citations) ? block.citations : []), delta.citation]
    } else if (typeof delta.partial_json === 'string') {
      this.#inputs.set(index, (this.#inputs.get(index) ?? '') + delta.partial_json)
    } else {
      for (const name of ['text', 'thinking', 'signature', 'content']) {
        if (typeof delta[name] === 'string') block[name] = `${block[name] ?? ''}${delta[name]}`
      }
    }
  }
}

/** A model that broke off, or wrote no JSON, leaves its words as they are: nothing that was paid for is lost. */
function parseInput(text: string): JsonRecord {
  try {
    const input: unknown = JSON.parse(text)
    if (isRecord(input)) return input
  } catch {
    // Kept below.
  }
  return { _raw: text }
}
