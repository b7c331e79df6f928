// Batches of writes: what arrives while a command is under way, or within a moment, goes to the store as one command.
// It knows nothing of what it carries.

interface Waiting<Item, Result> {
  item: Item
  resolve(result: Result): void
  reject(error: unknown): void
}

export interface BatchOptions {
  /** The largest number of items in one command. */
  items_max: number
  /** How long the first item may wait for company; 0 sends at once whatever is there. */
  linger_ms: number
  /** Whether one item may be why a command was refused: then each is sent alone, and only that one fails. */
  apart?: (error: unknown) => boolean
}

/**
 * One command at a time: at rest an item goes out at once (after `linger_ms`), under load items gather while the last
 * command is under way, so the batch grows with the load and costs an idle router nothing.
 */
export class Batch<Item, Result> {
  readonly #run: (items: Item[]) => Promise<Result[]>
  readonly #options: BatchOptions
  #waiting: Waiting<Item, Result>[] = []
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #added = 0
  #answered = 0

  /** `run` answers one result an item, in order; when it throws, every item of the command fails with that error, but see `apart`. */
  constructor(run: (items: Item[]) => Promise<Result[]>, options: BatchOptions) {
    this.#run = run
    this.#options = options
  }

  add(item: Item): Promise<Result> {
    const result = new Promise<Result>((resolve, reject) => this.#waiting.push({ item, resolve, reject }))
    this.#added++
    this.#wake()
    return result
  }

  /** Sends what waits now without lingering; resolves when it was answered, well or badly. What comes later is not waited for. */
  async flush(): Promise<void> {
    const due = this.#added
    while (this.#answered < due) {
      clearTimeout(this.#timer)
      this.#timer = undefined
      if (!this.#running) this.#start()
      await this.#running
    }
  }

  #wake() {
    if (this.#running) return
    if (this.#options.linger_ms === 0 || this.#waiting.length >= this.#options.items_max) {
      clearTimeout(this.#timer)
      this.#timer = undefined
      return this.#start()
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#start()
    }, this.#options.linger_ms)
  }

  #start() {
    this.#running = this.#send().finally(() => {
      this.#running = undefined
      if (this.#waiting.length > 0) this.#wake()
    })
  }

  async #send() {
    // What the same turn of the event loop still brings travels along.
    await null
    const batch = this.#waiting.splice(0, this.#options.items_max)
    if (batch.length === 0) return
    try {
      const results = await this.#run(batch.map(({ item }) => item))
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result)
    } catch (error) {
      if (batch.length > 1 && this.#options.apart?.(error)) for (const each of batch) await this.#sendAlone(each)
      else for (const { reject } of batch) reject(error)
    } finally {
      this.#answered += batch.length
    }
  }

  async #sendAlone({ item, resolve, reject }: Waiting<Item, Result>) {
    try {
      const [result] = await this.#run([item])
      resolve(result as Result)
    } catch (error) {
      reject(error)
    }
  }
}
