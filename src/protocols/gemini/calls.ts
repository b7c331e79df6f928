// Calls of tools come in pieces elsewhere and whole in Google's format: kept here until their answer ends.
import { type ChatEvent, type FinishReason, type JsonObject, ProviderError, type ToolCall } from '../../contract.ts'
import { isRecord } from '../lenient.ts'
import { writeSignature } from './parts.ts'

export class CallBuffer {
  #calls = new Map<number, Map<number, ToolCall>>()

  add({ choice, index, call }: Extract<ChatEvent, { type: 'tool_call' }>): void {
    const calls = this.#calls.get(choice) ?? new Map<number, ToolCall>()
    this.#calls.set(choice, calls)
    const known = calls.get(index) ?? { id: `call_${index}`, kind: 'function', name: '', arguments: '' }
    calls.set(index, { ...known, ...call, arguments: known.arguments + (call.arguments ?? '') })
  }

  /**
   * The calls of a choice that has ended, as parts. Throws ProviderError for arguments that are no JSON object, unless the
   * answer ran into its limit: then they were cut, and the call is left out.
   */
  take(choice: number, reason: FinishReason): JsonObject[] {
    const calls = [...(this.#calls.get(choice) ?? [])].sort(([a], [b]) => a - b)
    this.#calls.delete(choice)
    return calls.flatMap(([, { id, name, arguments: text, signature }]) => {
      const args = readArguments(text)
      if (!args && reason === 'length') return []
      if (!args)
        throw new ProviderError('bad_response', 'The model called a tool with arguments that are not a JSON object.')
      return [
        {
          functionCall: { id, name, args },
          ...(signature === undefined ? {} : { thoughtSignature: writeSignature(signature) }),
        },
      ]
    })
  }
}

function readArguments(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text || '{}')
    return isRecord(value) ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}
