// A stream of events as one JSON array that grows: what Google's API streams to who does not ask for events. It knows
// nothing of what the events carry but that it is JSON.
import type { Sink } from '../flow/sink.ts'
import { SseDecoder } from '../protocols/sse.ts'
import type { Context } from './context.ts'
import { EventSink } from './sse.ts'

export class JsonArraySink implements Sink {
  readonly #sink: EventSink
  readonly #decoder = new SseDecoder()
  #elements = 0

  constructor(context: Context) {
    // Between elements of an array blank lines mean nothing.
    this.#sink = new EventSink(context, { content_type: 'application/json; charset=utf-8', filler: '\n\n' })
  }

  get gone(): boolean {
    return this.#sink.gone
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    const elements = this.#decoder.push(bytes).map(({ data }) => `${this.#elements++ === 0 ? '[' : ','}${data}\n\n`)
    return elements.length > 0 ? this.#sink.write(elements.join('')) : undefined
  }

  end(): void {
    this.#sink.write(this.#elements === 0 ? '[]' : ']')
    this.#sink.end()
  }
}
