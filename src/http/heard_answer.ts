// An answer that is heard as well as sent: what a route writes goes to its caller, and to whoever listens, whether the
// caller stays or not. It changes no byte and knows no route.
import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Writable } from 'node:stream'

export interface Heard {
  status: number
  /** Names in lower case. */
  headers: Record<string, string>
  /** Absent where the answer broke off or was too large. */
  body: Buffer | undefined
  /** Sent while it was written, because its length was not known beforehand. */
  streamed: boolean
}

/** Awaited before the caller is given the end of the answer. */
export type Listener = (heard: Heard) => Promise<void>

const BYTES_MAX = 64 * 2 ** 20
/** Shorter than whoever writes is patient: a caller who does not read must not stop what others may ask for. */
const STALLED_MS = 20_000
const HEAD_END = '\r\n\r\n'

/**
 * Stands in for `response` from here on: give it to whoever writes the answer. Its caller's leaving does not close it,
 * unless nobody would have the answer any more.
 */
export function heardAnswer(response: ServerResponse, listener: Listener): ServerResponse {
  // Of the old protocol, which frames nothing: what arrives behind the head is the body as it is.
  const request = { method: 'POST', httpVersionMajor: 1, httpVersionMinor: 0, headers: {} }
  const stand_in = new ServerResponse(request as never)
  stand_in.statusCode = response.statusCode
  for (const [name, value] of Object.entries(response.getHeaders())) {
    if (value !== undefined) stand_in.setHeader(name, value)
  }
  const line = new Line(stand_in, response, listener)
  line.on('error', () => undefined)
  line.on('drain', () => stand_in.emit('drain'))
  stand_in.assignSocket(line as unknown as Socket)
  stand_in.once('finish', () => line.end())
  return stand_in
}

/** What the stand-in takes for its connection. */
class Line extends Writable {
  readonly #stand_in: ServerResponse
  readonly #response: ServerResponse
  readonly #listener: Listener
  /** Until the body begins. */
  #head: Buffer | undefined = Buffer.alloc(0)
  #chunks: Buffer[] = []
  #bytes = 0
  #left = false

  constructor(stand_in: ServerResponse, response: ServerResponse, listener: Listener) {
    super()
    this.#stand_in = stand_in
    this.#response = response
    this.#listener = listener
    // Whatever fails on the way to a caller is the caller's leaving.
    response.on('error', () => undefined)
    if (response.destroyed) this.#left = true
    else response.once('close', () => this.#leave())
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    const body = this.#afterHead(chunk)
    this.#bytes += body.length
    this.#chunks.push(body)
    const unsent = this.#unsent(body)
    if (this.#too_large) this.#chunks = []
    if (unsent.length === 0) done()
    else if (!this.#left) this.#pass(unsent, done)
    else if (this.#too_large) done(new Error('Nobody would have the answer.'))
    else done()
  }

  override _final(done: (error?: Error) => void): void {
    const body = this.#too_large ? undefined : Buffer.concat(this.#chunks)
    this.#listener(this.#heard(body)).then(() => {
      if (!this.#left) this.#end(body)
      done()
    }, done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.writableFinished) {
      done(error)
      return
    }
    // What breaks off must not look whole.
    this.#response.destroy()
    this.#listener(this.#heard(undefined)).then(() => done(error), done)
  }

  /** Its length is told beforehand where the whole of it is there. */
  get #streams(): boolean {
    return !this.#stand_in.hasHeader('content-length')
  }

  get #too_large(): boolean {
    return this.#bytes > BYTES_MAX
  }

  /** An answer of known length is held back until it is kept, unless it cannot be. */
  #unsent(body: Buffer): Buffer[] {
    if (body.length === 0) return []
    if (this.#streams) return [body]
    return this.#too_large ? this.#chunks : []
  }

  #pass(chunks: Buffer[], done: () => void): void {
    this.#begin()
    const goes_on = chunks.map((chunk) => this.#response.write(chunk)).every((each) => each)
    if (goes_on) done()
    else this.#whenRead(done)
  }

  #begin(): void {
    if (!this.#response.headersSent) this.#response.writeHead(this.#stand_in.statusCode, this.#stand_in.getHeaders())
  }

  /** All of it where nothing was sent yet. */
  #end(body: Buffer | undefined): void {
    const unsent = this.#response.headersSent ? undefined : body
    this.#begin()
    this.#response.end(unsent)
  }

  #heard(body: Buffer | undefined): Heard {
    const { statusCode: status } = this.#stand_in
    const headers = Object.entries(this.#stand_in.getHeaders()).map(([name, value]) => [name, String(value)])
    return { status, headers: Object.fromEntries(headers), body, streamed: this.#streams }
  }

  #afterHead(chunk: Buffer): Buffer {
    if (!this.#head) return chunk
    const so_far = Buffer.concat([this.#head, chunk])
    const end = so_far.indexOf(HEAD_END)
    this.#head = end === -1 ? so_far : undefined
    return end === -1 ? Buffer.alloc(0) : so_far.subarray(end + HEAD_END.length)
  }

  /** Goes on when the caller has read, or has left. */
  #whenRead(done: () => void): void {
    const response = this.#response
    const stalled = setTimeout(() => response.destroy(), STALLED_MS)
    const go = () => {
      clearTimeout(stalled)
      response.off('drain', go).off('close', go)
      done()
    }
    response.once('drain', go).once('close', go)
  }

  #leave(): void {
    this.#left = true
    if (this.#too_large) this.destroy()
  }
}
