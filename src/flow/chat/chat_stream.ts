// A provider's chat answer, whole or as a stream, in the caller's format: passed through where the provider speaks the
// same protocol, else made from its canonical events. It charges nothing and decides nothing.

import {
  type Call,
  type ChatConnection,
  type ChatEvent,
  type JsonObject,
  ProviderError,
  type Usage,
} from '../../contract.ts'
import type { FileKind } from '../../media/sniff.ts'
import { addressOf } from '../../protocols/address.ts'
import type { AnswerEnd, ChatFront, PassThrough, StreamEncoder, StreamTap } from '../../protocols/front.ts'
import { readBody } from '../../protocols/transport.ts'
import type { AdmittedOffer, ServingOffer } from '../admit.ts'
import { inlineFiles, loadThroughGuard } from './inline_files.ts'

/** The largest whole answer that is read. */
const ANSWER_BYTES_MAX = 64 * 2 ** 20

/** A chat as its caller sent it: a checked body, and the format that it is in. */
export interface Chat {
  front: ChatFront
  body: JsonObject
  /** Of the caller's headers those that belong to the format, for a provider of the same protocol. */
  headers?: Record<string, string>
}

/** The same with what the offer that serves it needs. */
export interface OfferedChat extends Chat {
  output_limit: number
}

export interface ChatStream {
  /** What goes to the caller now; its first chunk is here already. Throws ProviderError when the stream breaks. */
  chunks: AsyncIterable<Uint8Array>
  /** Once `chunks` has ended, or was left. */
  finish(): AnswerEnd
  /** The last bytes of a complete answer: the usage with its cost, and the end marker. */
  tail(cost_usd: string, usage: Usage): Uint8Array
  /** The whole answer without its usage, where the format's stream can tell it better than its bytes. */
  answer?: () => JsonObject
  /** A failure told where the stream stands, where the format numbers its events. */
  errorEvent?: ChatFront['errorEvent']
}

/** The connection that serves a caller of this format: one of the same protocol, or else the provider's best. */
function connectionFor({ connection: { chat = [] }, upstream }: ServingOffer, { front, body }: Chat): ChatConnection {
  const tools = Array.isArray(body.tools) && body.tools.length > 0
  const connections = chat.filter(({ serves }) => serves?.(upstream, { tools }) ?? true)
  const same = connections.find(({ protocol, forward }) => protocol === front.protocol && forward)
  const connection = same ?? connections[0]
  if (!connection) throw new ProviderError('unavailable', 'The provider of this job is not configured at the moment.')
  return connection
}

interface Passage extends PassThrough {
  forward: NonNullable<ChatConnection['forward']>
}

/** The way straight through, where caller and provider speak the same protocol. */
function passageOf({ protocol, forward }: ChatConnection, front: ChatFront): Passage | undefined {
  const { toProvider, tap, readAnswer, present } = front
  if (protocol !== front.protocol || !forward || !toProvider || !tap || !readAnswer) return undefined
  return { forward, toProvider, tap, readAnswer, ...(present && { present }) }
}

/** Whether the body passes through. Throws WireError for what this offer could not be told, before anything is held for it. */
export function checkTranslation(offer: ServingOffer, { front, body }: Chat): boolean {
  const passes = passageOf(connectionFor(offer, { front, body }), front) !== undefined
  if (!passes) front.toCanonical(body)
  return passes
}

export async function openAnswer(
  { offer }: AdmittedOffer,
  chat: OfferedChat,
  call: Call,
): Promise<{ answer: JsonObject; end: AnswerEnd }> {
  const { front } = chat
  const connection = connectionFor(offer, chat)
  const passage = passageOf(connection, front)
  if (!passage) {
    const request = await canonical(connection, chat, call)
    const collected = await front.collect(connection.stream(request, call), head(offer, call), chat.body)
    if (!collected.end.complete) throw brokenOff()
    return collected
  }
  const answer = parse(await readBody(await forward(connection, passage, chat, call), ANSWER_BYTES_MAX))
  return { answer: passage.present?.(answer, chat.body) ?? answer, end: passage.readAnswer(answer) }
}

function parse(body: Buffer): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch (cause) {
    throw new ProviderError('bad_response', 'The answer is not JSON.', { cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw new ProviderError('bad_response', 'The answer is not a JSON object.')
}

/** Resolves when the first bytes for the caller are here: until then another offer can still be tried. */
export async function openStream({ offer }: AdmittedOffer, chat: OfferedChat, call: Call): Promise<ChatStream> {
  const connection = connectionFor(offer, chat)
  const passage = passageOf(connection, chat.front)
  const stream = passage
    ? await forwardedStream(connection, passage, chat, call)
    : encodedStream(connection, offer, chat, call)
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

async function forward(
  connection: ChatConnection,
  passage: Passage,
  { front, body, headers, output_limit }: OfferedChat,
  call: Call,
) {
  const { upstream } = call
  const { fetches } = connection
  const limit_field = connection.output_limit_field?.(upstream)
  const told = fetches && front.withFiles ? await front.withFiles(body, dataUrls(fetches, call.signal)) : body
  const sent = passage.toProvider(told, { upstream, output_limit, limit_field })
  return passage.forward(sent, headers ? { ...call, headers } : call)
}

/** What a part of a chat may be; what the provider fetches itself is none of ours. */
const PART_KINDS: FileKind[] = ['image', 'audio', 'video', 'document']

function dataUrls(fetches: NonNullable<ChatConnection['fetches']>, signal: AbortSignal) {
  const load = loadThroughGuard(signal)
  return async (url: string) => (fetches(url) ? undefined : addressOf(await load(url, PART_KINDS, 'messages')))
}

async function forwardedStream(
  connection: ChatConnection,
  passage: Passage,
  chat: OfferedChat,
  call: Call,
): Promise<ChatStream> {
  const answer = await forward(connection, passage, chat, call)
  const tap = passage.tap(chat.body, 'The provider')
  async function* chunks() {
    for await (const chunk of answer.body) {
      const bytes = tap.push(chunk)
      if (bytes) yield bytes
      if (tap.error) return
    }
  }
  return {
    chunks: chunks(),
    finish: () => tap.finish(),
    tail: (cost_usd, usage) => tap.tail(cost_usd, usage),
    ...further(tap),
  }
}

function encodedStream(connection: ChatConnection, offer: ServingOffer, chat: OfferedChat, call: Call): ChatStream {
  const encoder = chat.front.encoder(chat.body, head(offer, call))
  const end: AnswerEnd = { complete: false, has_output: false, output_bytes: 0 }
  async function* chunks() {
    for await (const event of connection.stream(await canonical(connection, chat, call), call)) {
      if (event.type === 'usage') end.usage = event.usage
      if (event.type === 'finish') end.complete = true
      // An encoder may keep pieces back until they are whole, as Gemini's does with tool calls: they count all the same.
      const bytes = outputBytes(event)
      end.has_output ||= bytes > 0
      end.output_bytes += bytes
      const text = encoder.encode(event)
      if (text) yield Buffer.from(text)
    }
  }
  return {
    chunks: chunks(),
    finish: () => end,
    tail: (cost_usd, usage) => Buffer.from(encoder.tail(usage, cost_usd)),
    ...further(encoder),
  }
}

/** What the streams of some formats can do beyond the rest. */
const further = (stream: StreamTap | StreamEncoder): Pick<ChatStream, 'answer' | 'errorEvent'> => ({
  ...(stream.answer && { answer: stream.answer.bind(stream) }),
  ...(stream.errorEvent && { errorEvent: stream.errorEvent.bind(stream) }),
})

/** The output limit that was held for goes with the request, whether the caller set it or not. */
async function canonical({ fetches }: ChatConnection, { front, body, output_limit }: OfferedChat, { signal }: Call) {
  const request = { ...front.toCanonical(body), max_output_tokens: output_limit }
  return fetches ? inlineFiles(request, fetches, loadThroughGuard(signal)) : request
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
  id: call.job.slice('job_'.length),
  created: Math.floor(Date.now() / 1000),
  model: offer.model,
})
