// Canonical events as output items, and as the events by which OpenAI builds such items, in its order. It numbers
// nothing and frames nothing.
import {
  type ChatEvent,
  type FinishReason,
  type Json,
  type JsonObject,
  ProviderError,
  type ToolCall,
} from '../../contract.ts'
import { base64Of } from '../address.ts'
import { signedId } from '../call_ids.ts'
import { isRecord } from '../lenient.ts'
import { statusOf } from './response.ts'
import type { BodyTool } from './schema.ts'
import { writeSealed } from './sealed.ts'
import { isNamespace } from './tools.ts'

/** An event without its number. */
export type OutputEvent = { type: string } & JsonObject

interface OpenItem {
  place: { item_id: string; output_index: number }
  item: JsonObject
  /** The part that is being written: of a message its last, of a thought its summary or its words. */
  part?: { type: string; text: string; at: JsonObject; annotations: Json[]; logprobs: Json[] } | undefined
  /** The number of the call among the calls of the answer. */
  call?: number
}

type Written = Exclude<ChatEvent, { type: 'usage' }>
type Thought = Extract<ChatEvent, { type: 'reasoning' }>

/** One writer writes one answer. Items come one after the other: a new one ends the one before. */
export class OutputWriter {
  /** As they stand; those that are done are never changed again. */
  readonly items: JsonObject[] = []
  #id: string
  #open: OpenItem | undefined
  #events: OutputEvent[] = []
  #namespaces: Map<string, string>

  /** `id` makes the items' ids; `tools`, the caller's, say to which namespace a name belongs. */
  constructor(id: string, tools: BodyTool[]) {
    this.#id = id
    this.#namespaces = namespacesOf(tools)
  }

  /** The events that one canonical event comes to. */
  write(event: Written): OutputEvent[] {
    this.#events = []
    this.#add(event)
    return this.#events
  }

  #add(event: Written): void {
    if (event.type === 'text') this.#text(event.text, logprobsOf(event.logprobs))
    else if (event.type === 'refusal') this.#refusal(event.text)
    else if (event.type === 'reasoning') this.#reasoning(event)
    else if (event.type === 'tool_call') this.#call(event.index, event.call)
    else if (event.type === 'citation') this.#citation(event)
    else if (event.type === 'image') this.#image(event)
    else if (event.type === 'finish') this.#close(event.reason)
    // This format speaks no sound; what was said is there as text.
    else if (event.transcript) this.#text(event.transcript, [])
  }

  #emit(type: string, fields: JsonObject): void {
    this.#events.push({ type: `response.${type}`, ...fields })
  }

  #begin(prefix: string, item: JsonObject): OpenItem {
    this.#close('stop')
    const output_index = this.items.length
    const item_id = `${prefix}_${this.#id}${String(output_index).padStart(2, '0')}`
    const open: OpenItem = { place: { item_id, output_index }, item: { id: item_id, ...item } }
    this.items.push(open.item)
    this.#emit('output_item.added', { output_index, item: structuredClone(open.item) })
    this.#open = open
    return open
  }

  #close(reason: FinishReason): void {
    const open = this.#open
    if (!open) return
    this.#open = undefined
    this.#endPart(open)
    const { type } = open.item
    if (type === 'function_call')
      this.#emit('function_call_arguments.done', { ...open.place, arguments: open.item.arguments ?? '' })
    if (type === 'custom_tool_call')
      this.#emit('custom_tool_call_input.done', { ...open.place, input: open.item.input ?? '' })
    if ('status' in open.item) open.item.status = statusOf(reason).status
    this.#emit('output_item.done', { output_index: open.place.output_index, item: structuredClone(open.item) })
  }

  #message(): OpenItem {
    if (this.#open?.item.type === 'message') return this.#open
    return this.#begin('msg', { type: 'message', status: 'in_progress', role: 'assistant', content: [] })
  }

  /** The part of that kind in an open item; another kind ends the one before. */
  #part(open: OpenItem, type: string, list: string, index_name: string): NonNullable<OpenItem['part']> {
    if (open.part?.type === type) return open.part
    this.#endPart(open)
    open.item[list] ??= []
    const parts = open.item[list] as Json[]
    const at = { ...open.place, [index_name]: parts.length }
    open.part = { type, text: '', at, annotations: [], logprobs: [] }
    const added = partOf(open.part)
    if (type === 'summary_text') this.#emit('reasoning_summary_part.added', { ...at, part: added })
    else this.#emit('content_part.added', { ...at, part: added })
    return open.part
  }

  #endPart(open: OpenItem): void {
    const { part } = open
    if (!part) return
    open.part = undefined
    const { type, text, at, logprobs } = part
    const whole = partOf(part)
    if (type === 'output_text') this.#emit('output_text.done', { ...at, text, logprobs })
    else if (type === 'refusal') this.#emit('refusal.done', { ...at, refusal: text })
    else if (type === 'summary_text') this.#emit('reasoning_summary_text.done', { ...at, text })
    else this.#emit('reasoning_text.done', { ...at, text })
    if (type === 'summary_text') this.#emit('reasoning_summary_part.done', { ...at, part: whole })
    else this.#emit('content_part.done', { ...at, part: whole })
    const list = type === 'summary_text' ? 'summary' : 'content'
    const parts = open.item[list] as Json[]
    parts.push(whole)
  }

  #text(delta: string, logprobs: Json[]): void {
    const part = this.#part(this.#message(), 'output_text', 'content', 'content_index')
    part.text += delta
    part.logprobs.push(...logprobs)
    this.#emit('output_text.delta', { ...part.at, delta, logprobs })
  }

  #refusal(delta: string): void {
    const part = this.#part(this.#message(), 'refusal', 'content', 'content_index')
    part.text += delta
    this.#emit('refusal.delta', { ...part.at, delta })
  }

  #reasoning(thought: Thought): void {
    const current = this.#open?.item.type === 'reasoning' ? this.#open : undefined
    // What follows a seal is another thought.
    const sealed = current?.item.encrypted_content !== undefined && Boolean(thought.text)
    const open = current && !sealed ? current : this.#begin('rs', { type: 'reasoning', summary: [] })
    if (thought.text) {
      const part = thought.summary
        ? this.#part(open, 'summary_text', 'summary', 'summary_index')
        : this.#part(open, 'reasoning_text', 'content', 'content_index')
      part.text += thought.text
      this.#emit(thought.summary ? 'reasoning_summary_text.delta' : 'reasoning_text.delta', {
        ...part.at,
        delta: thought.text,
      })
    }
    const seal = writeSealed(thought)
    // A signature may come in pieces.
    if (seal !== undefined) {
      const before = typeof open.item.encrypted_content === 'string' ? open.item.encrypted_content : undefined
      open.item.encrypted_content =
        before === undefined ? seal : before + (thought.encrypted ?? thought.signature ?? '')
    }
  }

  #call(number: number, call: Partial<ToolCall>): void {
    const words = call.arguments ?? ''
    let open = this.#open?.call === number ? this.#open : undefined
    if (!open) {
      if (call.name === undefined) {
        if (words === '') return
        throw new ProviderError('bad_response', 'The provider went on with a tool call that was over.')
      }
      open = this.#begin(call.kind === 'custom' ? 'ctc' : 'fc', this.#callItem(number, call, call.name))
      open.call = number
    }
    if (words === '') return
    const custom = open.item.type === 'custom_tool_call'
    const field = custom ? 'input' : 'arguments'
    open.item[field] = `${open.item[field] ?? ''}${words}`
    this.#emit(custom ? 'custom_tool_call_input.delta' : 'function_call_arguments.delta', {
      ...open.place,
      delta: words,
    })
  }

  #callItem(number: number, call: Partial<ToolCall>, name: string): JsonObject {
    const custom = call.kind === 'custom'
    const namespace = call.namespace ?? this.#namespaces.get(name)
    return {
      type: custom ? 'custom_tool_call' : 'function_call',
      status: 'in_progress',
      [custom ? 'input' : 'arguments']: '',
      call_id: signedId(call.id ?? `call_${this.#id}${number}`, call.signature),
      name,
      ...(namespace === undefined ? {} : { namespace }),
    }
  }

  #citation({ citation }: Extract<ChatEvent, { type: 'citation' }>): void {
    const part = this.#part(this.#message(), 'output_text', 'content', 'content_index')
    const { url = '', title = '', start = part.text.length, end = part.text.length } = citation
    const annotation = { type: 'url_citation', url, title, start_index: start, end_index: end }
    this.#emit('output_text.annotation.added', { ...part.at, annotation_index: part.annotations.length, annotation })
    part.annotations.push(annotation)
  }

  #image({ image }: Extract<ChatEvent, { type: 'image' }>): void {
    // The format has pictures as data only.
    if (image.type === 'url') {
      this.#text(image.url, [])
      return
    }
    const open = this.#begin('ig', { type: 'image_generation_call', status: 'in_progress', result: null })
    for (const stage of ['in_progress', 'generating']) this.#emit(`image_generation_call.${stage}`, open.place)
    open.item.result = base64Of(image.data)
    open.item.output_format = image.media_type.replace('image/', '')
    this.#emit('image_generation_call.completed', open.place)
    this.#close('stop')
  }
}

function partOf({ type, text, annotations, logprobs }: NonNullable<OpenItem['part']>): JsonObject {
  if (type === 'refusal') return { type, refusal: text }
  return type === 'output_text'
    ? { type, annotations: [...annotations], logprobs: [...logprobs], text }
    : { type, text }
}

/** Canonical logprobs are chat's: {content: [{token, logprob, bytes, top_logprobs}]}. */
const logprobsOf = (logprobs: Json | undefined): Json[] =>
  isRecord(logprobs) && Array.isArray(logprobs.content) ? (logprobs.content as Json[]) : []

/** Other protocols have no namespaces: the caller's own list says where a tool that was called belongs. */
function namespacesOf(tools: BodyTool[]): Map<string, string> {
  const spaces = tools.filter(isNamespace)
  return new Map(
    spaces.flatMap(({ name, tools: members }) => (members ?? []).map((member) => [member.name, name] as const)),
  )
}
