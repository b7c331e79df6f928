// A wire format as callers speak it: what the flow needs of a chat protocol to hold, run, deliver and charge a request.
// One object of this form a protocol; none of them knows money, providers or HTTP.
import type { ChatEvent, ChatRequest, JsonObject, Meters, Protocol, ProviderError, Usage } from '../contract.ts'

/** What of a request decides its price and its way, read from a checked body. */
export interface ChatFacts {
  stream: boolean
  /**
   * The caller's limit of the output, and the field that says so, for messages. `demanded`: the format asks everybody for
   * one, so that a number beyond the model's own means all that it can write.
   */
  output_limit?: { tokens: number; param: string; demanded?: true }
  /** How many answers were asked for. */
  choices: number
  /** Facts that select a rate: tier. */
  attributes: Record<string, string>
  /** The answer may hold sound, which has a rate of its own. */
  speaks: boolean
  /** Some of the input may be kept in the provider's cache for an hour, which has a rate of its own. */
  keeps_an_hour?: boolean
}

/** What is the same throughout one answer. */
export interface AnswerHead {
  /** Our job's id without its prefix: each format makes its own id of it. */
  id: string
  /** In seconds. */
  created: number
  model: string
}

/** What an answer or a stream came to. */
export interface AnswerEnd {
  /** Every choice has its finish. */
  complete: boolean
  error?: ProviderError
  usage?: Usage
  has_output: boolean
  /** UTF-8 bytes of text, reasoning and tool calls, for counting where no usage came. */
  output_bytes: number
}

/** Reads a stream that passes through in the format's own bytes. */
export interface StreamTap {
  /** Takes what the network gave; answers the bytes to send on now. */
  push(chunk: Uint8Array): Uint8Array | undefined
  /** Set by an error in the stream; nothing is sent on from there. */
  readonly error: ProviderError | undefined
  /** Call when the body has ended, or broken off. */
  finish(): AnswerEnd
  /** The last bytes of a complete stream: the usage with its cost where the format or the caller wants it, and the end. */
  tail(cost_usd: string, usage: Usage): Uint8Array
  answer?(): JsonObject
  errorEvent?(error: ToldError): string
}

/** Writes a stream of canonical events in the format's own bytes. */
export interface StreamEncoder {
  /** The text to send for one event; '' for none. */
  encode(event: ChatEvent): string
  tail(usage: Usage, cost_usd: string): string
  /** The whole answer without its usage, once its finish has come, where the stream can tell it. */
  answer?(): JsonObject
  /** A failure told where the stream stands, for formats that number their events. */
  errorEvent?(error: ToldError): string
}

export interface ToldError {
  message: string
  type: string
  code: string
}

/** How a format passes through to providers that speak it too. */
export interface PassThrough {
  /** The body for a provider of the same format: its name of the model, a limit where the caller gave none, usage asked for. */
  toProvider(
    body: JsonObject,
    target: { upstream: string; output_limit: number; limit_field: string | undefined },
  ): JsonObject
  tap(body: JsonObject, provider: string): StreamTap
  /** What a provider's whole answer of this format says of itself. Throws ProviderError if it is none. */
  readAnswer(answer: JsonObject): AnswerEnd
  /** A provider's whole answer with what the router did for the caller beforehand. */
  present?(answer: JsonObject, body: JsonObject): JsonObject
}

/** A format that only callers speak has no PassThrough: every provider is told in its own. */
export interface ChatFront extends Partial<PassThrough> {
  protocol: Protocol | 'openai-completions'
  /** Reads a checked body. */
  facts(body: JsonObject): ChatFacts
  /** The request in canonical form. Throws WireError, also for what cannot be said in another protocol. */
  toCanonical(body: JsonObject): ChatRequest
  /** A body with its files as data, where `load` gives a data URL for an address. */
  withFiles?(body: JsonObject, load: (url: string) => Promise<string | undefined>): Promise<JsonObject>
  /** A body without what `toCanonical` leaves out, which the caller pays nothing for then. */
  translatable?(body: JsonObject): JsonObject
  /**
   * A body without what a provider of this format would refuse: thoughts and signatures of other vendors' models, ids of
   * ours. `toProvider` sees to it itself.
   */
  withoutForeign?(body: JsonObject, upstream: string): JsonObject
  /** Tokens of the input, from above. */
  inputUpperBound(body: JsonObject): Meters
  encoder(body: JsonObject, head: AnswerHead): StreamEncoder
  /** Reads all events into one answer, without its usage. Passes on what the events throw. */
  collect(
    events: AsyncIterable<ChatEvent>,
    head: AnswerHead,
    body: JsonObject,
  ): Promise<{ answer: JsonObject; end: AnswerEnd }>
  /** The answer as JSON text with its usage; with `cost_usd`, exactly printed, in it. */
  encodeAnswer(answer: JsonObject, usage: Usage, cost_usd?: string): string
  /** A whole stream of this format, as it went to the caller, as the one answer it amounts to. */
  readStream(bytes: Uint8Array): JsonObject
  /** A failure in the middle of a stream, after which nothing comes. */
  errorEvent(error: ToldError): string
}
