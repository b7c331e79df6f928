// A bounded number of places for work of one kind. Whoever finds none waits in the order of coming; it knows nothing of
// what is done in them.

/** Gives the place back; a second call changes nothing. */
export type Leave = () => void

export class Places {
  readonly #most: number
  readonly #waiting: (() => void)[] = []
  #taken = 0

  constructor(most: number) {
    this.#most = most
  }

  get free(): number {
    return Math.max(0, this.#most - this.#taken - this.#waiting.length)
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Takes a place at once, for work that was counted against `free` before. */
  take(): Leave {
    this.#taken++
    let left = false
    return () => {
      if (left) return
      left = true
      this.#taken--
      if (this.#taken < this.#most) this.#waiting.shift()?.()
    }
  }

  /** Waits for a place. Throws the signal's reason if it aborts first. */
  async enter(signal: AbortSignal): Promise<Leave> {
    signal.throwIfAborted()
    if (this.#taken < this.#most) return this.take()
    return new Promise((resolve, reject) => {
      const proceed = () => {
        signal.removeEventListener('abort', giveUp)
        resolve(this.take())
      }
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(proceed), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(proceed)
    })
  }
}
