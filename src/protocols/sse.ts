// Server-sent events: bytes to events and back. It knows nothing of what the events carry.
import { ProviderError } from '../contract.ts'

export interface SseEvent {
  /** The `event:` line; absent means the default, 'message'. */
  event?: string
  data: string
  id?: string
}

/** A single event longer than this is a fault of the provider; 4K pictures in base64 stay below. */
const MAX_EVENT_BYTES = 64 * 1024 * 1024
const LF = 10
const CR = 13

/** Two ends of line in a row, of whatever kind; `\r\n` is one end of line, never two. */
const BOUNDARY = /\r\n(?:\r\n|\n|\r)|\n(?:\r\n|\n|\r)|\r(?:\r\n|\r)/g

/**
 * Cuts a byte stream at the ends of events: `push` answers the bytes of all the events that are whole by now, and
 * keeps the rest. Every byte is looked at once, however the network cut them.
 */
export class EventFramer {
  #rest: Buffer[] = []
  #rest_bytes = 0

  push(chunk: Uint8Array): Buffer | undefined {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    if (this.#rest_bytes === 0 && endsWithBlankLine(bytes)) return bytes
    const overlap = this.#tail()
    const end = lastBoundary(overlap.length ? Buffer.concat([overlap, bytes]) : bytes) - overlap.length
    if (end <= 0) {
      this.#keep(bytes)
      return undefined
    }
    const whole = bytes.subarray(0, end)
    const events = this.#rest_bytes ? Buffer.concat([...this.#rest, whole]) : whole
    this.#rest = []
    this.#rest_bytes = 0
    if (end < bytes.length) this.#keep(bytes.subarray(end))
    return events
  }

  /** What is left when the stream has ended: usually nothing, else an event without its blank line. */
  end(): Buffer {
    const rest = Buffer.concat(this.#rest)
    this.#rest = []
    this.#rest_bytes = 0
    return rest
  }

  #keep(bytes: Buffer) {
    this.#rest.push(bytes)
    this.#rest_bytes += bytes.length
    if (this.#rest_bytes > MAX_EVENT_BYTES) {
      throw new ProviderError('bad_response', 'The provider sent an event that is too long.')
    }
  }

  /** The last three bytes kept, where a boundary may have begun. */
  #tail(): Buffer {
    let tail = Buffer.alloc(0)
    for (let i = this.#rest.length - 1; i >= 0 && tail.length < 3; i--) {
      tail = Buffer.concat([this.#rest[i] ?? Buffer.alloc(0), tail])
      if (tail.length > 3) tail = tail.subarray(tail.length - 3)
    }
    return tail
  }
}

function endsWithBlankLine(bytes: Buffer): boolean {
  const last = bytes.length - 1
  if (bytes[last] !== LF) return false
  return bytes[last - 1] === LF || (bytes[last - 1] === CR && bytes[last - 2] === LF)
}

/** The place after the last boundary, 0 if there is none. */
function lastBoundary(bytes: Buffer): number {
  if (!bytes.includes(CR)) {
    const at = bytes.lastIndexOf('\n\n')
    return at < 0 ? 0 : at + 2
  }
  let end = 0
  for (const match of bytes.toString('latin1').matchAll(BOUNDARY)) {
    const after = match.index + match[0].length
    // The network may have cut \r\n\r\n before its last byte, which then would begin the next event.
    if (match[0] !== '\r\n\r' || after < bytes.length) end = after
  }
  return end
}

/** Bytes of a stream to its events, in order. Comments, `retry` and events without data are skipped. */
export class SseDecoder {
  #framer = new EventFramer()
  #started = false

  push(chunk: Uint8Array): SseEvent[] {
    const bytes = this.#framer.push(chunk)
    return bytes ? this.#read(bytes) : []
  }

  /** A last event that came without its blank line counts: some servers leave it out. */
  end(): SseEvent[] {
    return this.#read(this.#framer.end())
  }

  #read(bytes: Buffer): SseEvent[] {
    let text = bytes.toString()
    if (!this.#started && text.length > 0) {
      this.#started = true
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1)
    }
    return readEvents(text)
  }
}

/** Whole events as text to events. */
export function readEvents(text: string): SseEvent[] {
  const events: SseEvent[] = []
  let data: string[] = []
  let event: string | undefined
  let id: string | undefined
  const finish = () => {
    if (data.length > 0) {
      events.push({
        data: data.join('\n'),
        ...(event === undefined ? {} : { event }),
        ...(id === undefined ? {} : { id }),
      })
    }
    data = []
    event = undefined
    id = undefined
  }
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (line === '') {
      finish()
      continue
    }
    const colon = line.indexOf(':')
    if (colon === 0) continue
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    else if (field === 'id') id = value
  }
  finish()
  return events
}

/** The events of an answer's body, as they come. */
export async function* sseEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<SseEvent> {
  const decoder = new SseDecoder()
  for await (const chunk of body) yield* decoder.push(chunk)
  yield* decoder.end()
}

/** One event as it goes over the wire. */
export function encodeEvent({ event, data, id }: SseEvent): string {
  const head = (event === undefined ? '' : `event: ${event}\n`) + (id === undefined ? '' : `id: ${id}\n`)
  const lines = data.includes('\n') ? data.replaceAll('\n', '\ndata: ') : data
  return `${head}data: ${lines}\n\n`
}
