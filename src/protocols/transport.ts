// The HTTP client of one provider: pooled connections, time limits, network failures as ProviderError. It never retries
// and never puts an address, a header or a body into an error message.
import { Agent, type Dispatcher, fetch as undiciFetch } from 'undici'
import { ProviderError, type ProviderFetch, type WireAnswer, type WireRequest } from '../contract.ts'

export interface TransportOptions {
  /** The provider's name for people; the only thing that error messages name. */
  provider: string
  connect_timeout_ms?: number
  headers_timeout_ms?: number
  body_timeout_ms?: number
}

/** Above this much unread answer the socket is paused. */
const HIGH_WATER_BYTES = 64 * 1024

/** One pool of connections for one provider. `close` lets running calls end; call it when the registry is replaced. */
export function makeProviderFetch(options: TransportOptions): ProviderFetch & { close(): Promise<void> } {
  const limits = {
    headers: options.headers_timeout_ms ?? 600_000,
    body: options.body_timeout_ms ?? 300_000,
  }
  const agent = new Agent({
    connect: { timeout: options.connect_timeout_ms ?? 10_000 },
    headersTimeout: limits.headers,
    bodyTimeout: limits.body,
    // Long enough to save the TLS handshake between calls, short enough to leave before a load balancer's 60 s does.
    keepAliveTimeout: 30_000,
    pipelining: 1,
    allowH2: false,
  })
  const call = (input: string | URL | Request, init?: RequestInit) => fetchThrough(agent, input, init)
  const send = (request: WireRequest) => exchange(agent, request, limits, options.provider)
  // The openai SDK asks a fetch for its Response, to see whether it takes Node's FormData: it does, see fetchThrough.
  return Object.assign(call, { send, close: () => agent.close(), Response })
}

/** A network failure in words fit for anybody. `provider` is its name for people. */
export function networkError(cause: unknown, provider: string): ProviderError {
  if (cause instanceof ProviderError) return cause
  const chain = causes(cause)
  const codes = chain.map((error) => String(Reflect.get(error, 'code') ?? ''))
  const names = chain.map((error) => error.name)
  if (names.includes('TimeoutError') || codes.some((code) => TIMEOUT_CODES.has(code))) {
    return new ProviderError('timeout', `${provider} did not answer in time.`, { cause })
  }
  if (names.includes('AbortError')) return new ProviderError('canceled', 'The call was canceled.', { cause })
  if (names.includes('HTTPParserError') || codes.some((code) => BAD_ANSWER_CODES.has(code))) {
    return new ProviderError('bad_response', `${provider} answered with something that is not HTTP.`, { cause })
  }
  return new ProviderError('unavailable', `${provider} could not be reached, or broke off the connection.`, { cause })
}

const TIMEOUT_CODES = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
])
const BAD_ANSWER_CODES = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_RES_EXCEEDED_MAX_SIZE',
])

function causes(error: unknown): Error[] {
  const chain: Error[] = []
  for (let at = error; at instanceof Error && chain.length < 5; at = at.cause) chain.push(at)
  return chain
}

/** What an aborted signal means: the reason where it is one of ours, a passed deadline, else a cancellation. */
export function abortError(signal: AbortSignal, provider: string): ProviderError {
  const reason: unknown = signal.reason
  if (reason instanceof ProviderError) return reason
  if (reason instanceof Error && reason.name === 'TimeoutError') return networkError(reason, provider)
  return new ProviderError('canceled', 'The call was canceled.', { cause: reason })
}

interface Limits {
  headers: number
  body: number
}

async function exchange(agent: Agent, request: WireRequest, limits: Limits, provider: string): Promise<WireAnswer> {
  if (request.signal.aborted) throw abortError(request.signal, provider)
  const url = new URL(request.url)
  return new Promise((resolve, reject) => {
    const handler = new Exchange(request.signal, provider, resolve, reject)
    try {
      agent.dispatch(
        {
          origin: url.origin,
          path: url.pathname + url.search,
          method: request.method,
          headers: { 'accept-encoding': 'identity', ...request.headers },
          body: request.body ?? null,
          headersTimeout: request.headers_timeout_ms ?? limits.headers,
          bodyTimeout: request.idle_timeout_ms ?? limits.body,
        },
        handler,
      )
    } catch (error) {
      handler.fail(error)
    }
  })
}

/**
 * One request and its answer, straight on undici's dispatch: half the CPU of its `request` (bench/). The answer's body
 * is this same object; whoever stops reading early destroys the socket, which ends the provider's work.
 */
class Exchange implements Dispatcher.DispatchHandler, WireAnswer, AsyncIterator<Uint8Array> {
  status = 0
  headers: Record<string, string> = {}
  readonly body: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => this }
  #signal: AbortSignal
  #provider: string
  #answer: (answer: WireAnswer) => void
  #refuse: (error: ProviderError) => void
  #controller: Dispatcher.DispatchController | undefined
  #chunks: Uint8Array[] = []
  #waiting_bytes = 0
  #wake: (() => void) | undefined
  #ended = false
  #error: ProviderError | undefined

  constructor(
    signal: AbortSignal,
    provider: string,
    answer: (answer: WireAnswer) => void,
    refuse: (error: ProviderError) => void,
  ) {
    this.#signal = signal
    this.#provider = provider
    this.#answer = answer
    this.#refuse = refuse
    signal.addEventListener('abort', this.#abort, { once: true })
  }

  #abort = () => this.fail(abortError(this.#signal, this.#provider))

  /** Ends both directions; a second failure changes nothing. */
  fail(cause: unknown) {
    if (this.#ended) return
    this.#error = networkError(cause, this.#provider)
    this.#end()
    this.#refuse(this.#error)
    this.#controller?.abort(this.#error)
  }

  #end() {
    this.#ended = true
    this.#signal.removeEventListener('abort', this.#abort)
    this.#wake?.()
  }

  onRequestStart(controller: Dispatcher.DispatchController) {
    this.#controller = controller
    // Aborted while it waited for a connection: nothing was sent yet.
    if (this.#ended) controller.abort(this.#error ?? new Error('the call has ended'))
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Record<string, unknown>) {
    if (status < 200) return
    this.status = status
    for (const [name, value] of Object.entries(headers)) {
      this.headers[name] = Array.isArray(value) ? value.join(', ') : String(value)
    }
    this.#answer(this)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array) {
    this.#chunks.push(chunk)
    this.#waiting_bytes += chunk.byteLength
    if (this.#waiting_bytes > HIGH_WATER_BYTES) controller.pause()
    this.#wake?.()
  }

  onResponseEnd() {
    if (!this.#ended) this.#end()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error) {
    this.fail(error)
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    while (this.#chunks.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    // A canceled call gives nothing more; a broken one first gives what had arrived.
    if (this.#error?.kind === 'canceled') throw this.#error
    const chunk = this.#chunks.shift()
    if (!chunk) {
      if (this.#error) throw this.#error
      return { done: true, value: undefined }
    }
    const was_paused = this.#waiting_bytes > HIGH_WATER_BYTES
    this.#waiting_bytes -= chunk.byteLength
    if (was_paused && this.#waiting_bytes <= HIGH_WATER_BYTES && !this.#ended) this.#controller?.resume()
    return { done: false, value: chunk }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#chunks = []
    if (!this.#ended) {
      this.#error = new ProviderError('canceled', 'The rest of the answer was not wanted.')
      this.#end()
      this.#controller?.abort(this.#error)
    }
    return { done: true, value: undefined }
  }
}

/** Reads a whole body of at most `limit_bytes`; a longer one is a bad response. */
export async function readBody(answer: WireAnswer, limit_bytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let total_bytes = 0
  for await (const chunk of answer.body) {
    total_bytes += chunk.byteLength
    if (total_bytes > limit_bytes) throw new ProviderError('bad_response', 'The provider answered with too much data.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/**
 * The vendors' SDKs build their requests with Node's own FormData and Request, which the npm undici does not know as
 * its own (undici 8.12, 2026-11): what is not text or bytes is therefore encoded by Node's own classes first.
 */
async function fetchThrough(agent: Agent, input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const request = input instanceof Request ? new Request(input, init) : undefined
  const headers = new Headers(request?.headers ?? init?.headers)
  let body: unknown = request ? request.body : init?.body
  if (body instanceof FormData || body instanceof URLSearchParams || body instanceof Blob) {
    const encoded = new Response(body)
    const content_type = encoded.headers.get('content-type')
    if (content_type) headers.set('content-type', content_type)
    body = new Uint8Array(await encoded.arrayBuffer())
  }
  const response = await undiciFetch(request?.url ?? String(input), {
    method: request?.method ?? init?.method ?? 'GET',
    headers: [...headers],
    // biome-ignore lint/suspicious/noExplicitAny: two copies of the same web types, Node's and undici's
    ...(body === null || body === undefined ? {} : { body: body as any, duplex: 'half' as const }),
    signal: request?.signal ?? init?.signal ?? null,
    redirect: 'manual',
    dispatcher: agent,
  })
  return response as unknown as Response
}
