// Reads a stream of OpenAI's images API while it passes through. Events go on as they came; each finished picture waits
// for the next one, because the last of them is to carry the cost.
import { type JsonObject, ProviderError } from '../../contract.ts'
import { isRecord, record } from '../lenient.ts'
import { EventFramer } from '../sse.ts'
import { streamError } from '../status.ts'
import { addUsage } from './image.ts'
import { HeldAnswer } from './scan.ts'

const DATA = Buffer.from('data:')
const ENDS = ['\r\n\r\n', '\n\n']

/** One event as it came: the lines before its data, the data, and the rest. */
interface Picture {
  head: Buffer
  data: HeldAnswer
  tail: Buffer
}

export class ImageTap {
  readonly #provider: string
  readonly #framer = new EventFramer()
  #pictures: Picture[] = []
  #usage: JsonObject | undefined

  /** The provider's name for people, for messages. */
  constructor(provider: string) {
    this.#provider = provider
  }

  /** Takes what the network gave; answers the bytes to send on now. Throws the ProviderError that the stream tells. */
  push(chunk: Uint8Array): Buffer[] {
    const events = this.#framer.push(chunk)
    return events ? cut(events).flatMap((event) => this.#event(event)) : []
  }

  /** When the body has ended. */
  end(): Buffer[] {
    const rest = this.#framer.end()
    return rest.length > 0 ? this.#event(Buffer.concat([rest, Buffer.from('\n\n')])) : []
  }

  /** Finished pictures so far. */
  get images(): number {
    return this.#pictures.length
  }

  /** The sum of what the finished pictures told. */
  get usage(): JsonObject | undefined {
    return this.#usage
  }

  /** The last event, its usage replaced. */
  last(usage: (told: unknown) => unknown): Buffer[] {
    const picture = this.#pictures.at(-1)
    if (!picture) return []
    const { head, data, tail } = picture
    return [head, ...data.with('usage', JSON.stringify(usage(data.read('usage')))), tail]
  }

  /** The finished pictures themselves, for a caller who has left. */
  parse(): { b64_json: string; output_format: string }[] {
    return this.#pictures.map(({ data }) => {
      const { b64_json, output_format } = JSON.parse(Buffer.concat(data.chunks).toString()) as JsonObject
      return { b64_json: String(b64_json), output_format: typeof output_format === 'string' ? output_format : 'png' }
    })
  }

  #event(event: Buffer): Buffer[] {
    const at = event.indexOf(DATA)
    if (at < 0) return [event]
    const begin = at + DATA.length
    const line = event.indexOf('\n', begin)
    const end = line < 0 ? event.length : line
    const data = new HeldAnswer()
    data.push(event.subarray(begin, end))
    // '[DONE]' is not of this API; it says nothing, and our own last event is the end.
    if (!data.whole) return data.bytes > 16 ? this.#notJson() : []
    const told = data.read('error')
    if (told !== undefined && told !== null) throw streamError({ error: told }, this.#provider)
    const type = data.read('type')
    if (typeof type !== 'string' || !type.endsWith('.completed')) return [event]
    const before = this.#pictures.at(-1)
    this.#pictures.push({ head: event.subarray(0, begin), data, tail: event.subarray(end) })
    const usage = data.read('usage')
    if (isRecord(usage)) this.#usage = addUsage(this.#usage, record(usage))
    return before ? [before.head, ...before.data.chunks, before.tail] : []
  }

  #notJson(): never {
    throw new ProviderError('bad_response', `${this.#provider} sent an event that is not JSON.`)
  }
}

/** Whole events, each with its empty line. */
function cut(events: Buffer): Buffer[] {
  const end = events.includes('\r') ? ENDS[0] : ENDS[1]
  const parts: Buffer[] = []
  let at = 0
  while (at < events.length) {
    const boundary = events.indexOf(end ?? '\n\n', at)
    const next = boundary < 0 ? events.length : boundary + (end?.length ?? 2)
    parts.push(events.subarray(at, next))
    at = next
  }
  return parts
}
