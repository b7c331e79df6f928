// One request to a provider and its answer, as cheaply as undici can: headers as soon as they come, the body as it comes,
// paused while nobody reads, ended when nobody wants it. It never retries.
import type { Agent, Dispatcher } from 'undici'
import { ProviderError, type WireAnswer, type WireRequest } from '../contract.ts'
import { abortError, networkError } from './network_error.ts'

/** Milliseconds until the first byte of the headers, and between bytes of the body. */
export interface Limits {
  headers: number
  body: number
}

/** Above this much unread answer the socket is paused. */
const HIGH_WATER_BYTES = 64 * 1024

/** Sends one request. Throws ProviderError for everything that goes wrong before the headers of the answer. */
export async function exchange(
  agent: Agent,
  request: WireRequest,
  limits: Limits,
  provider: string,
): Promise<WireAnswer> {
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
