// A stream of the Responses API as canonical events. It reads leniently: what it does not know changes nothing.
import {
  type ChatEvent,
  type FinishReason,
  type Json,
  ProviderError,
  type ToolCall,
  type Usage,
} from '../../contract.ts'
import { isRecord, record } from '../lenient.ts'
import { countedUsage } from '../openai-chat/estimate.ts'
import { type SseEvent, sseEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { readUsage } from './usage.ts'

type JsonRecord = Record<string, unknown>

/** Reads one stream, event by event. */
export class EventReader {
  usage: Usage | undefined
  complete = false
  output_bytes = 0
  #provider: string
  /** The calls by their place in the output: their number among the calls, and whether their words came in pieces. */
  #calls = new Map<unknown, { index: number; written: boolean }>()
  /** The items that came in pieces, by their place in the output. */
  #written = new Set<unknown>()

  constructor(provider: string) {
    this.#provider = provider
  }

  /** Throws ProviderError for a failure told in the stream and for what is not JSON. */
  *read(sse: SseEvent): Generator<ChatEvent> {
    if (sse.data === '' || sse.data === '[DONE]') return
    const event = parseEvent(sse.data, this.#provider)
    for (const each of this.#read(event, String(event.type ?? sse.event))) {
      if ('text' in each) this.output_bytes += Buffer.byteLength(each.text ?? '')
      if (each.type === 'tool_call') this.output_bytes += Buffer.byteLength(each.call.arguments ?? '')
      yield each
    }
  }

  #read(event: JsonRecord, type: string): ChatEvent[] {
    const delta = typeof event.delta === 'string' ? event.delta : ''
    switch (type) {
      case 'response.output_item.added':
        return this.#added(event)
      case 'response.output_item.done':
        return this.#done(event)
      case 'response.output_text.delta':
        this.#written.add(event.output_index)
        return delta ? [{ type: 'text', choice: 0, text: delta, ...logprobsOf(event.logprobs) }] : []
      case 'response.refusal.delta':
        this.#written.add(event.output_index)
        return delta ? [{ type: 'refusal', choice: 0, text: delta }] : []
      case 'response.output_text.annotation.added':
        return citationOf(event.annotation)
      case 'response.reasoning_summary_part.added':
        // Parts of a summary are paragraphs.
        return Number(event.summary_index) > 0 ? [{ type: 'reasoning', choice: 0, text: '\n\n', summary: true }] : []
      case 'response.reasoning_summary_text.delta':
        this.#written.add(event.output_index)
        return [{ type: 'reasoning', choice: 0, text: delta, summary: true }]
      case 'response.reasoning_text.delta':
        this.#written.add(event.output_index)
        return [{ type: 'reasoning', choice: 0, text: delta }]
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
        return this.#words(event, delta)
      case 'response.completed':
      case 'response.incomplete':
        return this.#end(record(event.response), type)
      case 'response.failed':
        throw streamError({ error: record(event.response).error }, this.#provider)
      case 'error':
        throw streamError({ error: isRecord(event.error) ? event.error : event }, this.#provider)
      default:
        return []
    }
  }

  #added({ item, output_index }: JsonRecord): ChatEvent[] {
    const call = callOf(item)
    if (!call) return []
    const index = this.#calls.size
    const { arguments: words } = call
    this.#calls.set(output_index, { index, written: words !== '' })
    return [{ type: 'tool_call', choice: 0, index, call }]
  }

  #words({ output_index }: JsonRecord, words: string): ChatEvent[] {
    const call = this.#calls.get(output_index)
    if (!call || words === '') return []
    call.written = true
    return [{ type: 'tool_call', choice: 0, index: call.index, call: { arguments: words } }]
  }

  /** An item that did not come in pieces comes whole, at its end. */
  #done({ item, output_index }: JsonRecord): ChatEvent[] {
    if (!isRecord(item)) return []
    const call = callOf(item)
    if (call) {
      const known = this.#calls.get(output_index)
      if (!known) return this.#added({ item, output_index })
      return known.written ? [] : this.#words({ output_index }, call.arguments)
    }
    if (item.type === 'reasoning') return this.#thought(item, this.#written.has(output_index))
    if (item.type === 'image_generation_call') return imageOf(item)
    return item.type === 'message' && !this.#written.has(output_index) ? messageEvents(item) : []
  }

  #thought(item: JsonRecord, written: boolean): ChatEvent[] {
    const { id, encrypted_content } = item
    const words = [item.summary, item.content].flatMap((list) => (Array.isArray(list) ? list.filter(isRecord) : []))
    const text = written ? '' : words.map((part) => String(part.text ?? '')).join('\n\n')
    const seal = typeof encrypted_content === 'string' ? { encrypted: encrypted_content } : {}
    if (!text && !seal.encrypted) return []
    return [
      {
        type: 'reasoning',
        choice: 0,
        ...(text ? { text, summary: true } : {}),
        ...(typeof id === 'string' ? { id } : {}),
        ...seal,
      },
    ]
  }

  #end(response: JsonRecord, type: string): ChatEvent[] {
    if (response.status === 'failed' || response.status === 'cancelled') {
      throw streamError({ error: response.error ?? {} }, this.#provider)
    }
    this.complete = true
    this.usage = readUsage(response)
    return [{ type: 'finish', choice: 0, reason: this.#reason(response, type) }]
  }

  #reason({ incomplete_details, status }: JsonRecord, type: string): FinishReason {
    if (type === 'response.incomplete' || status === 'incomplete') {
      return record(incomplete_details).reason === 'content_filter' ? 'content_filter' : 'length'
    }
    return this.#calls.size > 0 ? 'tool_calls' : 'stop'
  }
}

/**
 * The events of a body, usage last. Throws ProviderError for a failure in the stream, for what is not JSON, and for a
 * stream without its terminal event. `input_bytes` serves to count where no usage comes.
 */
export async function* responseEvents(
  body: AsyncIterable<Uint8Array>,
  provider: string,
  input_bytes: number,
): AsyncGenerator<ChatEvent> {
  const reader = new EventReader(provider)
  for await (const event of sseEvents(body)) yield* reader.read(event)
  if (!reader.complete) throw new ProviderError('bad_response', `${provider} broke off before the answer was finished.`)
  yield { type: 'usage', usage: reader.usage ?? countedUsage(input_bytes, reader.output_bytes) }
}

export function parseEvent(data: string, provider: string): JsonRecord {
  try {
    const event: unknown = JSON.parse(data)
    if (isRecord(event)) return event
  } catch {
    // Told below, in the same words as for JSON that is no object.
  }
  throw new ProviderError('bad_response', `${provider} sent an event that is not JSON.`)
}

function callOf(item: unknown): ToolCall | undefined {
  if (!isRecord(item) || (item.type !== 'function_call' && item.type !== 'custom_tool_call')) return undefined
  const custom = item.type === 'custom_tool_call'
  return {
    id: String(item.call_id ?? item.id ?? ''),
    kind: custom ? 'custom' : 'function',
    name: String(item.name ?? ''),
    ...(typeof item.namespace === 'string' ? { namespace: item.namespace } : {}),
    arguments: String((custom ? item.input : item.arguments) ?? ''),
  }
}

function messageEvents(item: JsonRecord): ChatEvent[] {
  const parts = Array.isArray(item.content) ? item.content.filter(isRecord) : []
  return parts.flatMap((part): ChatEvent[] => {
    if (part.type === 'refusal') return [{ type: 'refusal', choice: 0, text: String(part.refusal ?? '') }]
    return part.type === 'output_text' && part.text ? [{ type: 'text', choice: 0, text: String(part.text) }] : []
  })
}

/** In the chat format's shape, which is the canonical one. */
function logprobsOf(logprobs: unknown): { logprobs?: Json } {
  return Array.isArray(logprobs) && logprobs.length > 0
    ? { logprobs: { content: logprobs as Json[], refusal: null } }
    : {}
}

function imageOf({ result, output_format }: JsonRecord): ChatEvent[] {
  if (typeof result !== 'string' || result === '') return []
  const media_type = `image/${typeof output_format === 'string' ? output_format : 'png'}`
  return [{ type: 'image', choice: 0, image: { type: 'bytes', data: Buffer.from(result, 'base64'), media_type } }]
}

function citationOf(annotation: unknown): ChatEvent[] {
  if (!isRecord(annotation)) return []
  const { url, title, filename, start_index, end_index } = annotation
  return [
    {
      type: 'citation',
      choice: 0,
      citation: {
        ...(typeof url === 'string' ? { url } : {}),
        ...(typeof title === 'string' ? { title } : typeof filename === 'string' ? { title: filename } : {}),
        ...(typeof start_index === 'number' ? { start: start_index } : {}),
        ...(typeof end_index === 'number' ? { end: end_index } : {}),
        raw: annotation as Json,
      },
    },
  ]
}
