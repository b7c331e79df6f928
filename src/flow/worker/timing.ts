// How long one model's work usually takes at one provider, learned from what this router has seen, and when to look at
// work of some age therefore. A sketch of it is told with the router's heartbeat, so that one that starts is not without;
// whoever knows nothing yet only looks more often.

/** The last so many are kept: enough to tell early from late, few enough to follow a provider that changes. */
const SAMPLES_MAX = 64
const SAMPLES_MIN = 8
/** Of a sketch: enough for `SAMPLES_MIN`. */
const SKETCH = 9

/** Within the time in which work usually ends: a twentieth of it between two looks, within these. */
const NEAR = 1 / 20
const NEAR_MS = { least: 500, most: 3000 }
/** Before it: only so that whoever watches sees some progress. */
const PROGRESS_MS = 60_000
/** After it, and before anything is known: in proportion to how long it has been overdue, or is under way. */
const UNKNOWN = 1 / 4
const OVERDUE = 1 / 8
const UNKNOWN_MS = { least: 1000, most: 15_000 }
/** Of the wait, but of no more of it than stands between two looks. */
const JITTER = 0.4

export class Timing {
  readonly #recent: number[] = []
  #sorted: number[] = []
  #at = 0

  /**
   * Work was seen done at that age; at `seen_open_ms` (0: never looked at) it was not. The truth lies between: without an
   * earlier look a little less is taken, or else the estimate could only ever grow.
   */
  learn(done_ms: number, seen_open_ms: number): void {
    this.#recent[this.#at] = seen_open_ms > 0 ? (done_ms + seen_open_ms) / 2 : done_ms * 0.97
    this.#at = (this.#at + 1) % SAMPLES_MAX
    this.#sorted = this.#recent.toSorted((a, b) => a - b)
  }

  /** What a router that starts may begin with, in milliseconds; empty while nothing is known. */
  sketch(): number[] {
    if (this.#sorted.length < SAMPLES_MIN) return []
    return Array.from({ length: SKETCH }, (_, index) => Math.round(this.#quantile(index / (SKETCH - 1))))
  }

  /** Begins with another router's sketch; what was seen here is not overruled. */
  begin(sketch: number[]): void {
    if (this.#recent.length > 0 || sketch.length < SAMPLES_MIN) return
    this.#recent.push(...sketch)
    this.#at = sketch.length
    this.#sorted = sketch.toSorted((a, b) => a - b)
  }

  /**
   * How long to wait before the next look. `least_ms`: the provider wants no look before. `spare`: whether there is room
   * for looks that only show progress.
   */
  nextLook(age_ms: number, least_ms = 0, { spare = true, random = Math.random() } = {}): number {
    const wait_ms = this.#sorted.length < SAMPLES_MIN ? unknown(age_ms, least_ms) : this.#known(age_ms, spare)
    return Math.max(least_ms, wait_ms + Math.min(wait_ms, NEAR_MS.most) * JITTER * (random - 0.5))
  }

  #known(age_ms: number, spare: boolean): number {
    const near = within(this.#quantile(0.5) * NEAR, NEAR_MS)
    const [early, late] = [this.#quantile(0.1), this.#quantile(0.95)]
    // The jitter must not bring the first look before the time of the earliest.
    if (age_ms < early - near) return Math.min(spare ? PROGRESS_MS : early, early - age_ms + near / 2)
    if (age_ms <= late + near) return near
    return Math.min(UNKNOWN_MS.most, near + (age_ms - late) * OVERDUE)
  }

  #quantile(part: number): number {
    return this.#sorted[Math.floor(part * (this.#sorted.length - 1))] ?? 0
  }
}

/** A provider that names a time knows better than we do, until the work has become old. */
const unknown = (age_ms: number, named_ms: number): number =>
  named_ms > 0
    ? Math.max(named_ms, within(age_ms * UNKNOWN, { least: 0, most: UNKNOWN_MS.most }))
    : within(age_ms * UNKNOWN, UNKNOWN_MS)

const within = (ms: number, { least, most }: { least: number; most: number }): number =>
  Math.min(most, Math.max(least, ms))
