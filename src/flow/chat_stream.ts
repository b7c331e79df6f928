// A provider's chat answer, whole or as a stream, in the caller's format: passed through where the provider speaks the
// same protocol, else made from its canonical events. It charges nothing and decides nothing.
import {
  type Call,
  type ChatConnection,
  type ChatEvent,
  type JsonObject,
  ProviderError,
  type Usage,
} from '../contract.ts'
import { collect, readAnswer } from '../protocols/openai-chat/answer.ts'
import { ChunkEncoder } from '../protocols/openai-chat/chunks.ts'
import { toCanonical } from '../protocols/openai-chat/request.ts'
import { ChatTap } from '../protocols/openai-chat/tap.ts'
import { readBody } from '../protocols/transport.ts'
import type { AdmittedOffer, ServingOffer } from './admit.ts'

/** The largest whole answer that is read. */
const ANSWER_BYTES_MAX = 64 * 2 ** 20

export interface ChatAnswer {
  json: Record<string, unknown>
  usage?: Usage
  has_output: boolean
  output_bytes: number
}

export interface StreamEnd {
  /** Every choice has its finish. */
  complete: boolean
  error?: ProviderError
  usage?: Usage
  has_output: boolean
  output_bytes: number
}

export interface ChatStream {
  /** What goes to the caller now; its first chunk is here already. Throws ProviderError when the stream breaks. */
  chunks: AsyncIterable<Uint8Array>
  /** Once `chunks` has ended, or was left. */
  finish(): StreamEnd
  /** The last bytes of a complete answer: the usage with its cost, if the caller asked for it, and the end marker. */
  tail(cost_usd: string, usage: Usage): Uint8Array
}

/** The connection that serves a caller of this format: the first of the same protocol, or else the provider's best. */
export function connectionFor(offer: ServingOffer): ChatConnection {
  const connections = offer.connection.chat ?? []
  const connection =
    connections.find(({ protocol, forward }) => protocol === 'openai-chat' && forward) ?? connections[0]
  if (!connection) throw new Error(`${offer.provider} has no chat.`)
  return connection
}

/** Throws WireError for what this connection could not be told, before anything is held for it. */
export function checkTranslation(offer: ServingOffer, body: JsonObject): void {
  if (!connectionFor(offer).forward) toCanonical(body)
}

export async function openAnswer({ offer }: AdmittedOffer, body: JsonObject, call: Call): Promise<ChatAnswer> {
  const connection = connectionFor(offer)
  if (!connection.forward) {
    const { answer, ...rest } = await collect(connection.stream(toCanonical(body), call), head(offer, call))
    if (rest.finish_reasons.length === 0) throw brokenOff()
    return { json: answer, ...rest }
  }
  const answer = await connection.forward(body, call)
  const json = parse(await readBody(answer, ANSWER_BYTES_MAX))
  const { error, ...read } = readAnswer(json)
  if (error) throw error
  return { json, ...read }
}

function parse(body: Buffer): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch (cause) {
    throw new ProviderError('bad_response', 'The answer is not JSON.', { cause })
  }
  const answer = value as { choices?: unknown; error?: unknown } | null
  if (typeof answer !== 'object' || answer === null || (!Array.isArray(answer.choices) && !answer.error)) {
    throw new ProviderError('bad_response', 'The answer is not a chat completion.')
  }
  return answer as Record<string, unknown>
}

/** Resolves when the first bytes for the caller are here: until then another offer can still be tried. */
export async function openStream({ offer }: AdmittedOffer, body: JsonObject, call: Call): Promise<ChatStream> {
  const connection = connectionFor(offer)
  const stream = connection.forward
    ? await forwardedStream(connection.forward, body, call)
    : encodedStream(connection, offer, body, call)
  const iterator = stream.chunks[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done) {
    const { error, complete } = stream.finish()
    if (error) throw error
    if (!complete) throw brokenOff()
  }
  return { ...stream, chunks: resume(first, iterator) }
}

const brokenOff = () => new ProviderError('bad_response', 'The answer ended before it began.')

async function* resume(
  first: IteratorResult<Uint8Array>,
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; !next.done; next = await iterator.next()) yield next.value
  } finally {
    await iterator.return?.()
  }
}

async function forwardedStream(
  forward: NonNullable<ChatConnection['forward']>,
  body: JsonObject,
  call: Call,
): Promise<ChatStream> {
  const options = (body.stream_options ?? {}) as JsonObject
  // Usage is always asked for upstream, and shown only to a caller who asked.
  const answer = await forward({ ...body, stream_options: { ...options, include_usage: true } }, call)
  const tap = new ChatTap({ provider: 'The provider', strip_usage: options.include_usage !== true })
  async function* chunks() {
    for await (const chunk of answer.body) {
      const bytes = tap.push(chunk)
      if (bytes) yield bytes
      if (tap.error) return
    }
  }
  return { chunks: chunks(), finish: () => tap.finish(), tail: (cost_usd, usage) => tap.tail(cost_usd, usage) }
}

function encodedStream(connection: ChatConnection, offer: ServingOffer, body: JsonObject, call: Call): ChatStream {
  const options = (body.stream_options ?? {}) as JsonObject
  const encoder = new ChunkEncoder(head(offer, call), { include_usage: options.include_usage === true })
  const end: StreamEnd = { complete: false, has_output: false, output_bytes: 0 }
  async function* chunks() {
    for await (const event of connection.stream(toCanonical(body), call)) {
      if (event.type === 'usage') end.usage = event.usage
      if (event.type === 'finish') end.complete = true
      const text = encoder.encodeChunk(event)
      if (!text) continue
      const bytes = outputBytes(event)
      end.has_output ||= bytes > 0
      end.output_bytes += bytes
      yield Buffer.from(text)
    }
  }
  return { chunks: chunks(), finish: () => end, tail: (cost_usd, usage) => Buffer.from(encoder.tail(usage, cost_usd)) }
}

/** How much of an answer an event brings; what is not text counts as its smallest sign. */
function outputBytes(event: ChatEvent): number {
  switch (event.type) {
    case 'text':
    case 'refusal':
      return Buffer.byteLength(event.text)
    case 'reasoning':
      return Buffer.byteLength(event.text ?? '')
    case 'tool_call':
      return Buffer.byteLength((event.call.name ?? '') + (event.call.arguments ?? ''))
    case 'image':
    case 'audio':
      return 1
    default:
      return 0
  }
}

const head = (offer: ServingOffer, call: Call) => ({
  id: `chatcmpl-${call.job.slice('job_'.length)}`,
  created: Math.floor(Date.now() / 1000),
  model: offer.model,
})
