// Reads an answer of OpenAI's images API without parsing it: where its members are, how many pictures it has, whether it
// is whole. The bytes are kept as they came, by reference; base64 is skipped at the speed of a search for a quote.
import { ProviderError } from '../../contract.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const COMMA = 0x2c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
/** Of `{"data":[{…}]}`: inside the answer, and inside one of its pictures. */
const TOP = 1
const ITEM = 3
const NAME_BYTES_MAX = 64

interface Span {
  start: number
  /** Exclusive; unknown while the value has not ended. */
  end: number
}

/** An answer as it arrives: push all of it, then ask. */
export class HeldAnswer {
  readonly chunks: Buffer[] = []
  bytes = 0
  /** Objects in the list `data`. */
  images = 0
  /** Those of them that have `b64_json`. */
  embedded = 0
  #members = new Map<string, Span>()
  #depth = 0
  #in_string = false
  /** The chunk before ended in the middle of an escape. */
  #escaped = false
  /** A string at this place would be a name. */
  #name_next = false
  #name: string | undefined
  #name_parts: Buffer[] = []
  #in_name = false
  #member: Span | undefined
  #in_data = false
  #end: number | undefined
  #broken = false

  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let at = 0
    while (at < bytes.length) at = this.#in_string ? this.#skipString(bytes, at) : this.#step(bytes, at)
    this.chunks.push(bytes)
    this.bytes += bytes.length
  }

  /** The whole object has come, and nothing after it. */
  get whole(): boolean {
    return this.#end !== undefined && !this.#broken
  }

  /** A member of the answer, parsed; undefined if it is not there. Throws ProviderError for what is not JSON. */
  read(name: string): unknown {
    const span = this.#members.get(name)
    if (!span) return undefined
    try {
      return JSON.parse(Buffer.concat(slice(this.chunks, span.start, span.end)).toString())
    } catch (cause) {
      throw new ProviderError('bad_response', 'The answer is not JSON.', { cause })
    }
  }

  /** The answer with one member replaced, or added where it has none; everything else is the bytes that came. */
  with(name: string, json: string): Buffer[] {
    const span = this.#members.get(name)
    if (span)
      return [...slice(this.chunks, 0, span.start), Buffer.from(json), ...slice(this.chunks, span.end, this.bytes)]
    const end = this.#end ?? this.bytes
    const added = `${this.#members.size > 0 ? ',' : ''}${JSON.stringify(name)}:${json}`
    return [...slice(this.chunks, 0, end), Buffer.from(added), ...slice(this.chunks, end, this.bytes)]
  }

  /** To the end of the string, or of the chunk. Answers where to go on. */
  #skipString(bytes: Buffer, from: number): number {
    const quote = bytes.indexOf(QUOTE, from)
    const end = quote < 0 ? bytes.length : quote
    let slashes = 0
    while (end - slashes > from && bytes[end - slashes - 1] === BACKSLASH) slashes++
    if (end - slashes === from && this.#escaped) slashes++
    const odd = slashes % 2 === 1
    if (this.#in_name) this.#name_parts.push(bytes.subarray(from, end))
    if (quote < 0) {
      this.#escaped = odd
      return end
    }
    this.#escaped = false
    if (odd) {
      if (this.#in_name) this.#name_parts.push(bytes.subarray(quote, quote + 1))
    } else this.#endString()
    return quote + 1
  }

  #endString() {
    this.#in_string = false
    if (!this.#in_name) return
    this.#in_name = false
    const name = Buffer.concat(this.#name_parts).subarray(0, NAME_BYTES_MAX).toString()
    this.#name_parts = []
    if (this.#depth === TOP) this.#name = name
    else if (name === 'b64_json') this.embedded++
  }

  /** One byte outside of strings. Answers where to go on. */
  #step(bytes: Buffer, at: number): number {
    const byte = bytes[at] ?? 0
    const place = this.bytes + at
    if (this.#end !== undefined && byte > 0x20) this.#broken = true
    switch (byte) {
      case QUOTE:
        this.#in_string = true
        this.#in_name = this.#name_next && (this.#depth === TOP || (this.#depth === ITEM && this.#in_data))
        this.#name_next = false
        break
      case OPEN_OBJECT:
      case OPEN_LIST:
        this.#open(byte === OPEN_OBJECT)
        break
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        this.#close(place)
        break
      case COLON:
        if (this.#depth === TOP && this.#name !== undefined) this.#begin(this.#name, place + 1)
        break
      case COMMA:
        if (this.#depth === TOP) this.#finish(place)
        // Within a list it is no name that follows; lists are never at the depths where names are read.
        this.#name_next = true
        break
      default:
        if (this.#depth === 0 && byte > 0x20) this.#broken = true
    }
    return at + 1
  }

  #open(is_object: boolean) {
    this.#depth++
    this.#name_next = is_object
    if (this.#depth === TOP && !is_object) this.#broken = true
    if (this.#depth === ITEM && is_object && this.#in_data) this.images++
  }

  #close(place: number) {
    if (this.#depth === TOP) {
      this.#finish(place)
      this.#end = place
    }
    this.#depth--
    this.#name_next = false
  }

  #begin(name: string, start: number) {
    this.#name = undefined
    this.#in_data = name === 'data'
    this.#member = { start, end: start }
    this.#members.set(name, this.#member)
  }

  #finish(end: number) {
    if (this.#member) this.#member.end = end
    this.#member = undefined
    this.#in_data = false
  }
}

/** The bytes from `start` to before `end`, as parts of the same chunks. */
function slice(chunks: Buffer[], start: number, end: number): Buffer[] {
  const parts: Buffer[] = []
  let at = 0
  for (const chunk of chunks) {
    const from = Math.max(0, start - at)
    const to = Math.min(chunk.length, end - at)
    if (from < to) parts.push(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to))
    at += chunk.length
    if (at >= end) break
  }
  return parts
}
