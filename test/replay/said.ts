// What an answer says, in whatever format it is written: the words, thoughts and calls of each choice, how it ended, what
// it took. Read without any code of the router's, so that both sides of it can be held against each other.
import type { ChatRequest, JsonObject, Protocol } from '../../src/contract.ts'

export type Finish = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'refusal' | 'pause'

export interface SaidCall {
  name: string
  /** Parsed where they are JSON. */
  arguments: unknown
}

export interface Choice {
  /** Text and refusal, in that order. */
  text: string
  reasoning: string
  calls: SaidCall[]
  images: number
  finish: Finish | undefined
}

/** Totals: `input` includes what was cached and written, `output` the thoughts. */
export interface Tokens {
  input: number
  cached: number
  written: number
  written_1h: number
  output: number
}

export interface Said {
  choices: Choice[]
  tokens?: Tokens
}

export interface WireEvent {
  event?: string
  /** Parsed, but for OpenAI's end marker. */
  data: JsonObject | '[DONE]'
}

/** A wire format as the replay needs it: how a caller asks in it, and what its answers say. */
export interface Format {
  protocol: Protocol
  /** Of the caller's request. */
  address(model: string, stream: boolean): string
  /** A canonical request in this format. Throws ProviderError for what it cannot say. */
  encode(request: ChatRequest, model: string): JsonObject
  /** The body of the same request, streamed or not. */
  asked(body: JsonObject, model: string, stream: boolean): JsonObject
  readAnswer(answer: JsonObject): Said
  readStream(events: WireEvent[]): Said
  /** The stream that the vendor would have made of an answer that was recorded whole. */
  restream(answer: JsonObject): string
  /** How this format tells an end. */
  finish(finish: Finish, called: boolean): Finish
  /** An event without what the router documents to change. Undefined if it may be missing altogether. */
  plain(data: JsonObject, body: JsonObject): JsonObject | undefined
}

export const newChoice = (): Choice => ({ text: '', reasoning: '', calls: [], images: 0, finish: undefined })

/** The events of a whole stream as text. */
export function eventsOf(stream: string): WireEvent[] {
  return stream.split(/\r\n\r\n|\n\n|\r\r/).flatMap((block): WireEvent[] => {
    const lines = block.split(/\r\n|\n|\r/)
    const field = (name: string) =>
      lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).replace(/^ /, ''))
    const data = field('data').join('\n')
    const [event] = field('event')
    if (data === '') return []
    return [{ ...(event === undefined ? {} : { event }), data: data === '[DONE]' ? data : JSON.parse(data) }]
  })
}

export const parseArguments = (text: string): unknown => {
  try {
    return JSON.parse(text || '{}')
  } catch {
    return text
  }
}

export const frame = (data: JsonObject, event?: string): string =>
  `${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`

/** Words in pieces, as models write them; empty words in none. Never within a surrogate pair. */
export function pieces(text: string): string[] {
  if (text.length < 4) return text === '' ? [] : [text]
  const middle = Math.floor(text.length / 2)
  const code = text.charCodeAt(middle)
  const at = code >= 0xdc00 && code < 0xe000 ? middle + 1 : middle
  return [text.slice(0, at), text.slice(at)]
}

export const list = (value: unknown): JsonObject[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'object' && each !== null) : []
export const object = (value: unknown): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}
export const text = (value: unknown): string => (typeof value === 'string' ? value : '')
export const number = (value: unknown): number => (typeof value === 'number' ? value : 0)
