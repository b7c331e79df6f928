// A world of its own for the simulation: a clock that only moves when the next thing happens, chance that follows from a
// seed, and processes that can be frozen or killed between any two of their steps. Nothing in it waits for real time.
import { AsyncLocalStorage } from 'node:async_hooks'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers/promises'
import { type Random, seededRandom } from '../../scripts/torture/load.ts'

const BEGAN_AT = Date.UTC(2026, 10, 21)
/** Timers of real processes are never as exact as they are asked to be; so those that are due together come in any order. */
const TIMER_JITTER_MS = 0.9

const real = {
  Date,
  setTimeout,
  clearTimeout,
  setInterval,
  clearInterval,
  setImmediate,
  random: Math.random,
  performanceNow: performance.now,
  randomUUID: crypto.randomUUID,
  pause: timers.setTimeout,
  abortAfter: AbortSignal.timeout,
}

/** A process of the simulated machine park: what runs in it stops for ever when it is killed. */
export class Process {
  readonly name: string
  /** How far its clock is off. */
  skew_ms = 0
  frozen_until = 0
  dead = false
  readonly #died = Promise.withResolvers<void>()

  constructor(name: string) {
    this.name = name
  }

  /** Resolves when it is killed. */
  get died(): Promise<void> {
    return this.#died.promise
  }

  kill(): void {
    this.dead = true
    this.#died.resolve()
  }
}

const current = new AsyncLocalStorage<Process | undefined>()

interface Event {
  at: number
  process: Process | undefined
  act: (() => void) | undefined
}

export class World {
  readonly random: Random
  /** What happened, a line each: the same for the same seed. */
  readonly trace: string[] = []
  /** In milliseconds since the world began. */
  now = 0
  #events: Event[] = []
  #ids = 0

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  between(least: number, most: number): number {
    return least + this.random() * (most - least)
  }

  chance(of: number): boolean {
    return this.random() < of
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.random() * items.length)] as Item
  }

  note(line: string): void {
    this.trace.push(`${this.now.toFixed(2).padStart(10)} ${line}`)
  }

  /** Lets it happen after that time; in a process only while that lives and is not frozen. Answers how to call it off. */
  after(delay_ms: number, act: () => void, process?: Process): Event {
    const event = { at: this.now + Math.max(0, delay_ms), process, act }
    this.#insert(event)
    return event
  }

  /** A promise that resolves after that time, for what belongs to no process. */
  sleep(delay_ms: number): Promise<void> {
    return new Promise((resolve) => this.after(delay_ms, resolve))
  }

  /** Runs code in a process; its timers are the process's. */
  in<Result>(process: Process, act: () => Result): Result {
    return current.run(process, act)
  }

  /** Lets things happen until it is so, or nothing more can happen, or the time is over; answers whether it is so. */
  async runUntil(isSo: () => boolean, most_ms: number): Promise<boolean> {
    const until = this.now + most_ms
    for (;;) {
      if (isSo()) return true
      const event = this.#events.shift()
      if (!event || event.at > until) {
        if (event) this.#insert(event)
        this.now = until
        return false
      }
      this.now = event.at
      const { process, act } = event
      if (!act || process?.dead) continue
      if (process && process.frozen_until > this.now) {
        event.at = process.frozen_until + this.random()
        this.#insert(event)
        continue
      }
      current.run(process, act)
      // All promises that follow from it have their turn before anything else happens.
      await new Promise((resolve) => real.setImmediate(resolve))
    }
  }

  #insert(event: Event) {
    const events = this.#events
    let low = 0
    for (let high = events.length; low < high; ) {
      const middle = (low + high) >>> 1
      if ((events[middle] as Event).at <= event.at) low = middle + 1
      else high = middle
    }
    events.splice(low, 0, event)
  }

  /** Puts its own clock, timers and chance in the place of the machine's, for as long as `act` takes. */
  async live<Result>(act: () => Promise<Result>): Promise<Result> {
    const undo = this.#install()
    try {
      return await current.run(undefined, act)
    } finally {
      undo()
    }
  }

  #timer(delay_ms: number, act: () => void): Event {
    return this.after(Math.max(delay_ms, 0) + this.random() * TIMER_JITTER_MS, act, current.getStore())
  }

  #install(): () => void {
    const time = () => Math.floor(BEGAN_AT + this.now + (current.getStore()?.skew_ms ?? 0))
    const clear = (event: Partial<Event> | undefined) => {
      if (event) event.act = undefined
    }
    const repeat = (act: (...given: unknown[]) => void, every_ms = 1, ...given: unknown[]): object => {
      const handle = { act: () => {} } as Event
      const again = () => {
        if (!handle.act) return
        this.#timer(every_ms, again)
        act(...given)
      }
      this.#timer(every_ms, again)
      return timerHandle(handle)
    }
    Object.assign(globalThis, {
      Date: new Proxy(real.Date, {
        construct: (target, given) => (given.length === 0 ? new target(time()) : new target(...(given as [number]))),
        get: (target, name) => (name === 'now' ? time : Reflect.get(target, name)),
      }),
      setTimeout: (act: (...given: unknown[]) => void, delay_ms = 0, ...given: unknown[]) =>
        timerHandle(this.#timer(delay_ms, () => act(...given))),
      setImmediate: (act: (...given: unknown[]) => void, ...given: unknown[]) => this.#timer(0, () => act(...given)),
      setInterval: repeat,
      clearTimeout: clear,
      clearInterval: clear,
    })
    Math.random = this.random
    performance.now = () => this.now
    AbortSignal.timeout = (delay_ms) => {
      const abort = new AbortController()
      this.#timer(delay_ms, () => abort.abort(new DOMException('The time is over.', 'TimeoutError')))
      return abort.signal
    }
    const uuid = () => `00000000-0000-4000-8000-${(++this.#ids).toString(16).padStart(12, '0')}` as const
    const pause = <Value>(delay_ms = 0, value?: Value, options?: { signal?: AbortSignal }) =>
      new Promise((resolve, reject) => {
        const { signal } = options ?? {}
        const abort = () => reject(new DOMException('The wait was called off.', 'AbortError'))
        if (signal?.aborted) return abort()
        signal?.addEventListener('abort', abort, { once: true })
        this.#timer(delay_ms, () => {
          signal?.removeEventListener('abort', abort)
          resolve(value)
        })
      })
    Object.assign(crypto, { randomUUID: uuid })
    Object.assign(timers, { setTimeout: pause })
    // Whoever imported them by name gets them too.
    syncBuiltinESMExports()
    return uninstall
  }
}

/** What code may do with a timer beside clearing it. */
function timerHandle(event: Event): Event {
  return Object.assign(event, { unref: () => event, ref: () => event })
}

function uninstall(): void {
  const { random, performanceNow, randomUUID, pause, abortAfter, ...globals } = real
  Object.assign(globalThis, globals)
  Math.random = random
  performance.now = performanceNow
  AbortSignal.timeout = abortAfter
  Object.assign(crypto, { randomUUID })
  Object.assign(timers, { setTimeout: pause })
  syncBuiltinESMExports()
}
