// The pace of one provider's polls by this router: evenly spaced, never faster than its share of what the provider
// bears, and slower at once when the provider says so. Times are of performance.now(): no clock that is set back.

/** Timers and the way to the provider move polls together a little: the room that this takes. */
const MARGIN = 0.95
const SHARE_MIN = 0.05
/** After a refusal the share grows back by this much with each poll that is answered. */
const SHARE_GROWTH = 0.01
/** Where a provider refuses and does not say for how long. */
const PAUSE_MS = 2000
/** A header may say anything: nobody waits longer for it. */
const PAUSE_MS_MAX = 300_000
/** Refusals of polls that were under way together count as one. */
const ONE_REFUSAL_MS = 1000

export class Pace {
  readonly #perSecond: () => number
  #next_at = 0
  #paused_until = 0
  #share = 1
  #slowed_at = Number.NEGATIVE_INFINITY

  /** `perSecond` is this router's share at the moment. */
  constructor(perSecond: () => number) {
    this.#perSecond = perSecond
  }

  /** How many polls may leave from now until then. */
  room(now: number, until: number): number {
    const first = this.#first(now)
    return first > until ? 0 : 1 + Math.floor((until - first) / this.#spacing_ms())
  }

  /** Takes the next turn, and answers when it is. */
  take(now: number): number {
    const at = this.#first(now)
    this.#next_at = at + this.#spacing_ms()
    return at
  }

  /** The provider asks for fewer: none for a while, then half as many. */
  slowDown(now: number, retry_after_ms = PAUSE_MS): void {
    this.pauseUntil(now + Math.min(retry_after_ms, PAUSE_MS_MAX))
    if (now - this.#slowed_at < ONE_REFUSAL_MS) return
    this.#slowed_at = now
    this.#share = Math.max(SHARE_MIN, this.#share / 2)
  }

  pauseUntil(at: number): void {
    this.#paused_until = Math.max(this.#paused_until, at)
  }

  wentWell(): void {
    this.#share = Math.min(1, this.#share + SHARE_GROWTH)
  }

  #first(now: number): number {
    return Math.max(now, this.#next_at, this.#paused_until)
  }

  #spacing_ms(): number {
    return 1000 / (this.#perSecond() * MARGIN * this.#share)
  }
}
