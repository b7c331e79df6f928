// The events of an answer that is being written, kept by the router that works on it, so that a reader who comes late, or
// comes back, misses none. It never holds up the writing.

/** A longer stream can be followed while it runs, but is not kept: some thirty thousand tokens, an event each. */
const BYTES_MAX = 8 * 2 ** 20

export class EventLog {
  #chunks: Uint8Array[] = []
  #bytes = 0
  #ended = false
  #waiting: (() => void)[] = []
  /** How many read along at this moment. */
  readers = 0

  /** Takes whole events. The last one, which tells the cost, is made anew for every reader. */
  push(chunk: Uint8Array): void {
    this.#bytes += chunk.length
    if (this.#bytes <= BYTES_MAX) this.#chunks.push(chunk)
    this.#wake()
  }

  /** Nothing follows, for whatever reason: the job says which. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** Everything so far; undefined where it was too much to be kept. */
  get whole(): Uint8Array | undefined {
    return this.#bytes > BYTES_MAX ? undefined : Buffer.concat(this.#chunks)
  }

  /** From the beginning to the end, as it comes; a stream that grew too long ends early. */
  async *read(gone: AbortSignal): AsyncGenerator<Uint8Array> {
    const wake = () => this.#wake()
    gone.addEventListener('abort', wake, { once: true })
    this.readers++
    try {
      for (let at = 0; !gone.aborted; ) {
        const chunk = this.#chunks[at]
        if (chunk) {
          at++
          yield chunk
        } else if (this.#ended) return
        else await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
    } finally {
      this.readers--
      gone.removeEventListener('abort', wake)
    }
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
