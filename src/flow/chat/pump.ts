// Work that goes on whether or not anybody reads what it says: what it pushes waits for the reader, and is forgotten once
// the reader has left.
export class Pump {
  #waiting: Uint8Array[] = []
  #wake: (() => void) | undefined
  #over = false
  #error: unknown
  #left = false

  push(bytes: Uint8Array | string): void {
    if (this.#left) return
    this.#waiting.push(typeof bytes === 'string' ? Buffer.from(bytes) : bytes)
    this.#wake?.()
  }

  /** Runs the work and answers what it pushes; its failure comes after the last of it. */
  async *run(work: (pump: Pump) => Promise<void>): AsyncGenerator<Uint8Array> {
    const running = work(this).then(
      () => this.#end(undefined),
      (error: unknown) => this.#end(error),
    )
    try {
      for (;;) {
        const next = this.#waiting.shift()
        if (next) yield next
        else if (this.#over) break
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
      }
      if (this.#error !== undefined) throw this.#error
    } finally {
      this.#left = true
      this.#waiting = []
      await running
    }
  }

  #end(error: unknown) {
    this.#over = true
    this.#error = error
    this.#wake?.()
  }
}
