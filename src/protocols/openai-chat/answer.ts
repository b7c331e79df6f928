// Canonical events as one answer of OpenAI's chat format, and the reading of a whole answer that passes through.
import {
  type ChatEvent,
  type FinishReason,
  type Json,
  type JsonObject,
  ProviderError,
  type ToolCall,
  type Usage,
} from '../../contract.ts'
import { signedId } from '../call_ids.ts'
import { isRecord } from '../lenient.ts'
import { readEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { outputOf } from './delta.ts'
import { StreamReader } from './events.ts'
import { type AnswerHead, audioOf, citationOf, FINISH_REASONS, imageOf, signed } from './parts.ts'
import { readUsage, usageOf, withCost, writeUsage } from './usage.ts'

export interface CollectedAnswer {
  answer: JsonObject
  usage?: Usage
  finish_reasons: FinishReason[]
  has_output: boolean
  output_bytes: number
}

interface Message {
  text: string | null
  refusal: string | null
  reasoning: string
  calls: Map<number, ToolCall>
  annotations: Json[]
  images: Json[]
  audio: JsonObject
  logprobs: Json[]
  finish?: FinishReason
}

type Messages = Map<number, Message>

/** Reads all events into one answer without `usage`; encodeAnswer adds it. Passes on what the events throw. */
export async function collect(events: AsyncIterable<ChatEvent>, head: AnswerHead): Promise<CollectedAnswer> {
  const messages: Messages = new Map()
  let usage: Usage | undefined
  for await (const event of events) {
    if (event.type === 'usage') usage = event.usage
    else add(messageOf(messages, event.choice), event)
  }
  return encodeMessages(messages, head, usage)
}

/**
 * A whole stream in this format, as it went to the caller, as the one answer it amounts to. What breaks off in the
 * middle is read as far as it goes.
 */
export function readStream(bytes: Uint8Array): JsonObject {
  const reader = new StreamReader('The provider')
  const messages: Messages = new Map()
  for (const event of readEvents(Buffer.from(bytes).toString())) {
    try {
      for (const each of reader.read(event)) if (each.type !== 'usage') add(messageOf(messages, each.choice), each)
    } catch (error) {
      if (error instanceof ProviderError) break
      throw error
    }
  }
  const { id, created, model } = reader.head
  const head = { id: String(id ?? ''), created: Number(created ?? 0), model: String(model ?? '') }
  const { answer, usage } = encodeMessages(messages, head, reader.usage)
  return usage?.raw === undefined ? answer : { ...answer, usage: usage.raw }
}

function encodeMessages(messages: Messages, head: AnswerHead, usage: Usage | undefined): CollectedAnswer {
  const choices = [...messages].sort(([a], [b]) => a - b).map(([index, message]) => encodeChoice(index, message))
  const seen = choices.map((choice) => outputOf(choice.message))
  return {
    answer: { id: head.id, object: 'chat.completion', created: head.created, model: head.model, choices },
    ...(usage ? { usage } : {}),
    finish_reasons: [...messages.values()].flatMap((message) => message.finish ?? []),
    has_output: seen.some((each) => each.any),
    output_bytes: seen.reduce((total, each) => total + each.bytes, 0),
  }
}

function messageOf(messages: Messages, choice: number): Message {
  let message = messages.get(choice)
  if (!message) {
    message = {
      text: null,
      refusal: null,
      reasoning: '',
      calls: new Map(),
      annotations: [],
      images: [],
      audio: {},
      logprobs: [],
    }
    messages.set(choice, message)
  }
  return message
}

function add(message: Message, event: Exclude<ChatEvent, { type: 'usage' }>): void {
  switch (event.type) {
    case 'text':
      message.text = (message.text ?? '') + event.text
      if (event.logprobs) message.logprobs.push(event.logprobs)
      break
    case 'refusal':
      message.refusal = (message.refusal ?? '') + event.text
      break
    case 'reasoning':
      message.reasoning += event.text ?? ''
      break
    case 'tool_call':
      addCall(message.calls, event.index, event.call)
      break
    case 'citation':
      message.annotations.push(citationOf(event))
      break
    case 'image':
      message.images.push(imageOf(event))
      break
    case 'audio':
      addAudio(message.audio, event)
      break
    case 'finish':
      message.finish = event.reason
  }
}

function addCall(calls: Map<number, ToolCall>, index: number, part: Partial<ToolCall>): void {
  const call = calls.get(index) ?? { id: `call_${index}`, kind: 'function', name: '', arguments: '' }
  calls.set(index, { ...call, ...part, arguments: call.arguments + (part.arguments ?? '') })
}

/** Data and transcript come in pieces; base64 pieces are whole groups of three bytes at every vendor we know. */
function addAudio(audio: JsonObject, event: Extract<ChatEvent, { type: 'audio' }>): void {
  for (const [name, value] of Object.entries(audioOf(event))) {
    const piece = name === 'data' || name === 'transcript'
    audio[name] = piece ? `${audio[name] ?? ''}${value}` : value
  }
}

function encodeChoice(index: number, message: Message) {
  const calls = [...message.calls].sort(([a], [b]) => a - b).map(([, call]) => encodeCall(call))
  const logprobs = message.logprobs.flatMap((each) =>
    isRecord(each) && Array.isArray(each.content) ? each.content : [],
  )
  return {
    index,
    message: {
      role: 'assistant',
      content: message.text,
      refusal: message.refusal,
      ...(message.reasoning ? { reasoning_content: message.reasoning } : {}),
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
      ...(message.images.length > 0 ? { images: message.images } : {}),
      ...(Object.keys(message.audio).length > 0 ? { audio: message.audio } : {}),
      annotations: message.annotations,
    },
    logprobs: logprobs.length > 0 ? { content: logprobs as Json[], refusal: null } : null,
    finish_reason: FINISH_REASONS[message.finish ?? 'stop'],
  } satisfies JsonObject
}

function encodeCall({ id, kind, name, arguments: words, signature }: ToolCall): JsonObject {
  const named = kind === 'custom' ? { custom: { name, input: words } } : { function: { name, arguments: words } }
  return { id: signedId(id, signature), type: kind, ...named, ...signed(signature) }
}

export interface ReadAnswer {
  usage?: Usage
  finish_reasons: string[]
  has_output: boolean
  output_bytes: number
  /** A refusal that came with status 200, as some servers do. */
  error?: ProviderError
}

/** What a provider's whole answer says of itself. */
export function readAnswer(answer: Record<string, unknown>, provider = 'The provider'): ReadAnswer {
  const choices = Array.isArray(answer.choices) ? answer.choices.filter(isRecord) : []
  const seen = choices.map((choice) => outputOf(choice.message ?? { content: choice.text }))
  const usage = readUsage(usageOf(answer))
  return {
    ...(usage ? { usage } : {}),
    finish_reasons: choices.map((choice) => choice.finish_reason).filter((reason) => typeof reason === 'string'),
    has_output: seen.some((each) => each.any),
    output_bytes: seen.reduce((total, each) => total + each.bytes, 0),
    ...(answer.error ? { error: streamError(answer, provider) } : {}),
  }
}

/**
 * The answer as JSON text with `usage.cost`. The provider's own usage is kept but for its `cost`; where it gave none,
 * `usage` stands in. `cost_usd` is a decimal of at most nine places, printed digit for digit.
 */
export function encodeAnswer(answer: Record<string, unknown>, usage: Usage | undefined, cost_usd?: string): string {
  const theirs = isRecord(answer.usage) ? answer.usage : usage && writeUsage(usage)
  return JSON.stringify(theirs ? { ...answer, usage: withCost(theirs, cost_usd) } : answer)
}

/** A failure in the middle of a stream, after which nothing comes: no end marker. */
export function errorChunk(error: { message: string; type: string; code: string | null }): string {
  const { message, type, code } = error
  return `data: ${JSON.stringify({ error: { message, type, code } })}\n\n`
}
