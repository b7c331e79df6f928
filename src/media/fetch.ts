// Downloads a file whose address came from a caller, a model or a provider's answer. It sends no cookie, no key and no
// referrer, follows at most three redirects, and every hop passes the guard anew.
import { pipeline, type Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { Agent, type Dispatcher } from 'undici'
import { decodeDataUrl, isDataUrl } from './data_url.ts'
import { checkUrl, guardedConnector, type Resolve } from './guard.ts'
import { FileTooLarge, MediaError } from './media_error.ts'

export type FetchReason = 'status' | 'redirects' | 'encoding' | 'network' | 'timeout'

/** The address is allowed, but no file came from it. `reason` 'network' and 'timeout' may pass with time. */
export class FetchFailed extends MediaError {
  override name = 'FetchFailed'
  readonly reason: FetchReason
  constructor(reason: FetchReason, message: string, options?: ErrorOptions) {
    super('fetch_failed', message, options)
    this.reason = reason
  }
}

export interface FetchOptions {
  /** Of the file as it will be, after any decompression. */
  max_bytes: number
  /** For everything together: names, redirects, the last byte. */
  timeout_ms: number
  signal?: AbortSignal
  /** `host` or `host:port` of the operator's own choice (a provider's base URL): may be private. */
  allowed_hosts?: string[]
  /** The `accept` header. */
  accept?: string
  /** How names become addresses, where the system's way is not wanted. */
  resolve?: Resolve
}

export interface Fetched {
  /** As the server says, in lower case, without parameters: to be confirmed by the bytes. */
  media_type: string
  /** Read it to its end or leave the loop: both free the connection. Throws as guardedFetch does. */
  data: AsyncIterable<Uint8Array>
}

const REDIRECTS_MAX = 3
const REDIRECTS = new Set([301, 302, 303, 307, 308])
const CONNECT_TIMEOUT_MS = 10_000
const IDLE_TIMEOUT_MS = 30_000
const DECODERS = { gzip: createGunzip, 'x-gzip': createGunzip, deflate: createInflate, br: createBrotliDecompress }

/** Throws UnsafeUrl, FetchFailed, FileTooLarge, or the reason of `signal` when that aborts. */
export async function guardedFetch(url: string, options: FetchOptions): Promise<Fetched> {
  options.signal?.throwIfAborted()
  if (isDataUrl(url)) {
    const { media_type, data } = decodeDataUrl(url, options.max_bytes)
    return { media_type, data: once(data) }
  }
  const deadline = AbortSignal.timeout(options.timeout_ms)
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline
  let target = checkUrl(url)
  for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
    const visit = await ask(target, options, signal)
    const { statusCode, headers } = visit.answer
    if (!REDIRECTS.has(statusCode)) return receive(visit, options)
    await visit.leave()
    if (typeof headers.location !== 'string')
      throw new FetchFailed('redirects', 'The URL redirects without saying where to.')
    target = checkUrl(headers.location, target)
  }
  throw new FetchFailed('redirects', `The URL redirects more than ${REDIRECTS_MAX} times.`)
}

/** The whole of a download in memory; its length is already limited by whoever made `data`. */
export async function collect(data: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of data) chunks.push(chunk)
  return Buffer.concat(chunks)
}

interface Visit {
  answer: Dispatcher.ResponseData
  leave(): Promise<void>
  failure(error: unknown): unknown
}

/** One request over a pool of its own: a shared one could hand out a connection that was allowed for another caller. */
async function ask(url: URL, options: FetchOptions, signal: AbortSignal): Promise<Visit> {
  const trusted = options.allowed_hosts?.some((host) => host.toLowerCase() === url.host) ?? false
  const agent = new Agent({
    connect: guardedConnector({ trusted, timeout_ms: CONNECT_TIMEOUT_MS, resolve: options.resolve }),
    headersTimeout: IDLE_TIMEOUT_MS,
    bodyTimeout: IDLE_TIMEOUT_MS,
  })
  const leave = async () => {
    signal.removeEventListener('abort', leave)
    await agent.destroy()
  }
  signal.addEventListener('abort', leave)
  const failure = (error: unknown) => asFailure(error, options.signal, signal)
  try {
    const { origin, pathname, search } = url
    const headers = { accept: options.accept ?? '*/*', 'accept-encoding': 'identity', 'user-agent': 'Switchyard' }
    const answer = await agent.request({ origin, path: pathname + search, method: 'GET', headers, signal })
    return { answer, leave, failure }
  } catch (error) {
    await leave()
    throw failure(error)
  }
}

async function receive(visit: Visit, { max_bytes }: FetchOptions): Promise<Fetched> {
  const { statusCode, headers, body } = visit.answer
  const refusal = refusalOf(statusCode, headers, max_bytes)
  if (refusal) {
    await visit.leave()
    throw refusal
  }
  const type = String(headers['content-type'] ?? '')
    .split(';')[0]
    ?.trim()
    .toLowerCase()
  return { media_type: type || 'application/octet-stream', data: read(visit, decoded(body, headers), max_bytes) }
}

function refusalOf(
  status: number,
  headers: Dispatcher.ResponseData['headers'],
  max_bytes: number,
): MediaError | undefined {
  if (status !== 200) return new FetchFailed('status', `The URL answered with status ${status}.`)
  const encoding = encodingOf(headers)
  if (encoding !== undefined && !isKnown(encoding)) {
    return new FetchFailed('encoding', 'The URL answered with a compression that was not asked for and is not known.')
  }
  return Number(headers['content-length']) > max_bytes ? new FileTooLarge(max_bytes) : undefined
}

const isKnown = (encoding: string): encoding is keyof typeof DECODERS => Object.hasOwn(DECODERS, encoding)

function encodingOf(headers: Dispatcher.ResponseData['headers']): string | undefined {
  const encoding = String(headers['content-encoding'] ?? '')
    .trim()
    .toLowerCase()
  return encoding === '' || encoding === 'identity' ? undefined : encoding
}

function decoded(body: Readable, headers: Dispatcher.ResponseData['headers']): Readable {
  const encoding = encodingOf(headers)
  if (encoding === undefined || !isKnown(encoding)) return body
  // The error reaches the reader through the decoder, which the pipeline destroys with it.
  return pipeline(body, DECODERS[encoding](), () => undefined)
}

async function* read(visit: Visit, body: Readable, max_bytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > max_bytes) throw new FileTooLarge(max_bytes)
      yield chunk
    }
  } catch (error) {
    throw visit.failure(error)
  } finally {
    await visit.leave()
  }
}

async function* once(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data
}

const TIMEOUTS = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT'])

function asFailure(error: unknown, theirs: AbortSignal | undefined, all: AbortSignal): unknown {
  if (error instanceof MediaError) return error
  if (theirs?.aborted) return theirs.reason
  const code = error instanceof Error ? String(Reflect.get(error, 'code') ?? '') : ''
  if (all.aborted || TIMEOUTS.has(code))
    return new FetchFailed('timeout', 'The download took too long.', { cause: error })
  if (/^(Z_|ERR__ERROR|ERR_BROTLI|ERR__)/.test(code)) {
    return new FetchFailed('encoding', 'The URL answered with compressed data that is broken.', { cause: error })
  }
  return new FetchFailed('network', 'The file could not be downloaded: its server cannot be reached, or broke off.', {
    cause: error,
  })
}
