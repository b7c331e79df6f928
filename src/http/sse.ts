// Streams to the caller: bytes straight onto the response with its back-pressure, comments while nothing comes, an end
// that shows whether the answer is whole. It knows nothing of what it carries.
import type { Sink } from '../flow/sink.ts'
import { type Context, elapsed } from './context.ts'
import { errorEvent } from './envelope.ts'
import { asFailure } from './errors.ts'

export interface SinkOptions {
  /** A comment is sent when nothing was for this long, because proxies close what is silent; 15,000 if absent. */
  keep_alive_ms?: number
  /** A reader who takes nothing for this long has left; 30,000 if absent. */
  write_timeout_ms?: number
  /** Of streams that are not events: their kind, and what may be sent where nothing comes. */
  content_type?: string
  filler?: string
}

const KEEP_ALIVE_MS = 15_000
const WRITE_TIMEOUT_MS = 30_000
const NEWLINE = 10
const CARRIAGE_RETURN = 13

/** A stream of server-sent events as the answer. Its head goes out with the first byte; Koa no longer answers. */
export class EventSink implements Sink {
  readonly #context: Context
  readonly #write_timeout_ms: number
  readonly #keep_alive: NodeJS.Timeout
  readonly #content_type: string
  readonly #filler: string
  #begun = false
  #gone = false
  /** An event may not be split by a comment. */
  #between_events = true
  #behind: Promise<void> | undefined

  constructor(
    context: Context,
    { keep_alive_ms = KEEP_ALIVE_MS, write_timeout_ms = WRITE_TIMEOUT_MS, ...kind }: SinkOptions = {},
  ) {
    this.#context = context
    this.#content_type = kind.content_type ?? 'text/event-stream; charset=utf-8'
    this.#filler = kind.filler ?? ': keep-alive\n\n'
    this.#write_timeout_ms = write_timeout_ms
    this.#keep_alive = setTimeout(() => this.#comment(), keep_alive_ms)
    context.respond = false
    const { res: response } = context
    // An error here is the caller's connection: 'close' follows it and says all there is to do.
    response.on('error', () => undefined)
    if (response.closed || response.destroyed) this.#leave()
    else response.once('close', () => this.#leave())
  }

  /** Nothing was sent yet, so the answer can still be anything. */
  get begun(): boolean {
    return this.#begun
  }

  get gone(): boolean {
    return this.#gone
  }

  write(bytes: Uint8Array | string): Promise<void> | undefined {
    if (this.#gone) return undefined
    this.#begin()
    this.#between_events = endsEvent(bytes)
    this.#keep_alive.refresh()
    if (this.#context.res.write(bytes)) return undefined
    this.#behind ??= this.#drained()
    return this.#behind
  }

  end(): void {
    clearTimeout(this.#keep_alive)
    if (this.#gone) return
    this.#begin()
    this.#context.res.end()
  }

  /** Gives the answer back to Koa; only while nothing was sent. */
  giveBack(): void {
    clearTimeout(this.#keep_alive)
    this.#context.respond = true
  }

  #begin() {
    if (this.#begun) return
    this.#begun = true
    const { res: response, state } = this.#context
    response.writeHead(200, {
      'content-type': this.#content_type,
      'cache-control': 'no-cache',
      // nginx holds back what it proxies unless told otherwise.
      'x-accel-buffering': 'no',
    })
    state.request.first_byte_ms ??= elapsed(state.request)
  }

  #comment() {
    if (this.#gone || this.#context.res.writableEnded) return
    if (this.#between_events && !this.#behind) this.write(this.#filler)
    else this.#keep_alive.refresh()
  }

  #leave() {
    clearTimeout(this.#keep_alive)
    if (!this.#context.res.writableFinished) this.#gone = true
  }

  /** Resolves when the reader has caught up or left; one who does neither in time is left behind. */
  #drained(): Promise<void> {
    const { res: response } = this.#context
    return new Promise((resolve) => {
      const timeout = setTimeout(() => {
        this.#gone = true
        response.destroy()
      }, this.#write_timeout_ms)
      const go = () => {
        clearTimeout(timeout)
        response.off('drain', go).off('close', go)
        this.#behind = undefined
        resolve()
      }
      response.once('drain', go).once('close', go)
    })
  }
}

/** Whether a chunk ends with an empty line, told from its last bytes; in doubt it does not. */
function endsEvent(bytes: Uint8Array | string): boolean {
  if (typeof bytes === 'string') return bytes.endsWith('\n\n') || bytes.endsWith('\r\n\r\n')
  const at = (place: number) => bytes[bytes.length - place]
  if (at(1) !== NEWLINE) return false
  return at(2) === NEWLINE || (at(2) === CARRIAGE_RETURN && at(3) === NEWLINE)
}

export interface StreamOptions extends SinkOptions {
  /** Called once when the caller has left or reads too slowly, before the source is told to stop. */
  on_detach?: () => void
}

/**
 * Sends what the source yields. What it throws before its first chunk is thrown on, and becomes an ordinary error
 * answer; later it becomes the stream's last event. When the caller leaves, the source's `return` is called after its
 * next chunk; a source that may be silent for long watches clientSignal as well.
 */
export async function streamBody(
  context: Context,
  chunks: AsyncIterable<Uint8Array | string>,
  { on_detach, ...options }: StreamOptions = {},
): Promise<void> {
  const sink = new EventSink(context, options)
  try {
    for await (const chunk of chunks) {
      const behind = sink.write(chunk)
      if (behind) await behind
      if (!sink.gone) continue
      on_detach?.()
      break
    }
    sink.end()
  } catch (error) {
    if (!sink.begun && !sink.gone) {
      sink.giveBack()
      throw error
    }
    const failure = asFailure(error)
    const { request } = context.state
    request.error_code = failure.code
    request.error = failure.cause ?? failure
    sink.write(errorEvent(request.error_format, failure))
    sink.end()
  }
}
