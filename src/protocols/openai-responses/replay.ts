// A response that is known whole as the events of its stream: always the same events with the same numbers, so that a
// reader can go on after the last one it saw. Text comes in one piece. And a stream that was kept, after one of its events.
import type { Json, JsonObject } from '../../contract.ts'
import { isRecord } from '../lenient.ts'
import { encodeEvent, readEvents, type SseEvent } from '../sse.ts'
import { errorFields } from './response.ts'
import type { OutputEvent } from './writer.ts'

/** What is told before the work is done; `response` is the object as it was then. */
export function openingEvents(response: JsonObject): OutputEvent[] {
  const at = (status: string): JsonObject => ({
    ...response,
    status,
    output: [],
    usage: null,
    completed_at: null,
    error: null,
  })
  const running = at('in_progress')
  if (response.background !== true) {
    return [
      { type: 'response.created', response: running },
      { type: 'response.in_progress', response: running },
    ]
  }
  return [
    { type: 'response.created', response: at('queued') },
    { type: 'response.queued', response: at('queued') },
    { type: 'response.in_progress', response: running },
  ]
}

/** What follows once it is: its items, one after the other. */
export function itemEventsOf({ output }: JsonObject): OutputEvent[] {
  return listOf(output).flatMap(itemEvents)
}

/** And the end. */
export function endEvents(response: JsonObject): OutputEvent[] {
  const { status, error } = response
  if (status === 'completed' || status === 'incomplete') return [{ type: `response.${status}`, response }]
  // As OpenAI ends a stream that fails: told as an error, on which SDKs throw, and as the response's end.
  const { code, message } = isRecord(error) ? error : { code: 'canceled', message: 'The response was cancelled.' }
  const fault = { type: 'server_error', code: String(code), message: String(message), param: null }
  return [
    { type: 'error', ...errorFields(fault) },
    { type: 'response.failed', response },
  ]
}

/** The events from that number on, numbered from there. */
export const encodeEvents = (events: OutputEvent[], from: number): string[] =>
  events.map(({ type, ...fields }, index) =>
    encodeEvent({ event: type, data: JSON.stringify({ type, sequence_number: from + index, ...fields }) }),
  )

const BEGINNINGS = new Set(['response.created', 'response.queued', 'response.in_progress'])

/** Work in the background: its stream begins with events of ours, which tell its id, and the provider's are numbered after them. */
export class BackgroundEvents {
  #number: number

  constructor(from: number) {
    this.#number = from
  }

  /** Takes whole events; answers what to tell of them. */
  push(chunk: Uint8Array): Uint8Array {
    const told = numberedEvents(chunk).flatMap(({ event, data }) => {
      if (BEGINNINGS.has(String(data.type))) return []
      return [encodeEvent({ ...event, data: JSON.stringify({ ...data, sequence_number: this.#number++ }) })]
    })
    return Buffer.from(told.join(''))
  }
}

/** The events in some bytes of a stream, with their numbers. What is no event of this format is left out. */
export function numberedEvents(bytes: Uint8Array): { event: SseEvent; data: JsonObject; number: number }[] {
  return readEvents(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()).flatMap((event) => {
    if (event.data === '' || event.data === '[DONE]') return []
    const data = JSON.parse(event.data) as JsonObject
    return [{ event, data, number: Number(data.sequence_number ?? 0) }]
  })
}

function itemEvents(item: JsonObject, output_index: number): OutputEvent[] {
  const place = { item_id: item.id ?? null, output_index }
  const { begun, events } = insideOf(item, place)
  return [
    { type: 'response.output_item.added', output_index, item: begun },
    ...events,
    { type: 'response.output_item.done', output_index, item },
  ]
}

function insideOf(item: JsonObject, place: JsonObject): { begun: JsonObject; events: OutputEvent[] } {
  const begun: JsonObject = 'status' in item ? { ...item, status: 'in_progress' } : { ...item }
  switch (item.type) {
    case 'message':
      return {
        begun: { ...begun, content: [] },
        events: listOf(item.content).flatMap((part, index) => partEvents(part, { ...place, content_index: index })),
      }
    case 'function_call':
      return {
        begun: { ...begun, arguments: '' },
        events: wordEvents('function_call_arguments', 'arguments', item, place),
      }
    case 'custom_tool_call':
      return { begun: { ...begun, input: '' }, events: wordEvents('custom_tool_call_input', 'input', item, place) }
    case 'reasoning': {
      const summary = listOf(item.summary).flatMap((part, index) =>
        summaryEvents(part, { ...place, summary_index: index }),
      )
      const content = listOf(item.content).flatMap((part, index) =>
        thoughtEvents(part, { ...place, content_index: index }),
      )
      const { content: _content, encrypted_content: _sealed, ...bare } = begun
      return { begun: { ...bare, summary: [] }, events: [...summary, ...content] }
    }
    default:
      return { begun, events: [] }
  }
}

function wordEvents(name: string, field: string, item: JsonObject, place: JsonObject): OutputEvent[] {
  const words = String(item[field] ?? '')
  return [
    { type: `response.${name}.delta`, ...place, delta: words },
    { type: `response.${name}.done`, ...place, [field]: words },
  ]
}

function partEvents(part: JsonObject, at: JsonObject): OutputEvent[] {
  const refusal = part.type === 'refusal'
  const words = String((refusal ? part.refusal : part.text) ?? '')
  const begun = refusal ? { ...part, refusal: '' } : { ...part, text: '', annotations: [] }
  const name = refusal ? 'refusal' : 'output_text'
  const logprobs = refusal ? {} : { logprobs: part.logprobs ?? [] }
  const notes = listOf(part.annotations).map((annotation, annotation_index) => ({
    type: 'response.output_text.annotation.added',
    ...at,
    annotation_index,
    annotation,
  }))
  return [
    { type: 'response.content_part.added', ...at, part: begun },
    { type: `response.${name}.delta`, ...at, delta: words, ...logprobs },
    ...notes,
    { type: `response.${name}.done`, ...at, [refusal ? 'refusal' : 'text']: words, ...logprobs },
    { type: 'response.content_part.done', ...at, part },
  ]
}

function summaryEvents(part: JsonObject, at: JsonObject): OutputEvent[] {
  const text = String(part.text ?? '')
  return [
    { type: 'response.reasoning_summary_part.added', ...at, part: { ...part, text: '' } },
    { type: 'response.reasoning_summary_text.delta', ...at, delta: text },
    { type: 'response.reasoning_summary_text.done', ...at, text },
    { type: 'response.reasoning_summary_part.done', ...at, part },
  ]
}

function thoughtEvents(part: JsonObject, at: JsonObject): OutputEvent[] {
  const text = String(part.text ?? '')
  return [
    { type: 'response.content_part.added', ...at, part: { ...part, text: '' } },
    { type: 'response.reasoning_text.delta', ...at, delta: text },
    { type: 'response.reasoning_text.done', ...at, text },
    { type: 'response.content_part.done', ...at, part },
  ]
}

const listOf = (list: Json | undefined): JsonObject[] =>
  Array.isArray(list) ? (list.filter(isRecord) as JsonObject[]) : []
