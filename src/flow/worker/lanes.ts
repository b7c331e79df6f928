// A lane for each provider: places for its long work and for its short looks, the pace of the looks, and what was
// learned of its models. Nothing in one lane waits for another's, so a slow provider holds up its own jobs alone.
import type { TimingSketch } from '../../store/routers.ts'
import { Pace } from './pace.ts'
import { Places } from './places.ts'
import { Timing } from './timing.ts'

/** Jobs of one provider that are submitted, made while we wait, or downloaded at once. */
const WORK_AT_ONCE = 64
/** Looks at one provider's jobs under way at once: a provider that hangs holds no more than these. */
const POLLS_AT_ONCE = 64
/** Where a provider's adapter does not say: what the vendors that publish a limit allow several times over. */
const POLLS_PER_SECOND = 20
/** Polls that are later than this have none to spare among them. */
const LATE_MS = 1000
/** A model that nobody has asked for during as many others is learned anew. */
const MODELS_MAX = 100

export class Lane {
  readonly work = new Places(WORK_AT_ONCE)
  readonly polls = new Places(POLLS_AT_ONCE)
  readonly pace: Pace
  /** How late its polls left when they were last looked for. */
  polls_late_ms = 0
  readonly #timings = new Map<string, Timing>()
  /** Submissions are refused until then, in the time of performance.now(). */
  #closed_until = 0

  constructor(perSecond: () => number) {
    this.pace = new Pace(perSecond)
  }

  /** Whether there is room for polls that could be spared. */
  get spare(): boolean {
    return this.polls_late_ms < LATE_MS
  }

  timing(upstream: string): Timing {
    const known = this.#timings.get(upstream)
    const timing = known ?? new Timing()
    if (!known && this.#timings.size >= MODELS_MAX) this.#timings.delete(this.#timings.keys().next().value ?? '')
    this.#timings.set(upstream, timing)
    return timing
  }

  /** What is known of each model. */
  sketches(): [upstream: string, ms: number[]][] {
    return [...this.#timings].map(([upstream, timing]): [string, number[]] => [upstream, timing.sketch()])
  }

  closeUntil(at: number): void {
    this.#closed_until = Math.max(this.#closed_until, at)
  }

  isOpen(now: number): boolean {
    return now >= this.#closed_until
  }
}

export interface LanesOptions {
  /** What a provider says that it bears. */
  pollsPerSecond(provider: string): number | undefined
  /** How many routers share it. */
  routers(): number
}

export class Lanes {
  readonly #lanes = new Map<string, Lane>()
  readonly #options: LanesOptions

  constructor(options: LanesOptions) {
    this.#options = options
  }

  of(provider: string): Lane {
    const known = this.#lanes.get(provider)
    if (known) return known
    const { pollsPerSecond, routers } = this.#options
    const lane = new Lane(() => (pollsPerSecond(provider) ?? POLLS_PER_SECOND) / Math.max(1, routers()))
    this.#lanes.set(provider, lane)
    return lane
  }

  /** What this router has learned, for one that starts. */
  sketches(): TimingSketch[] {
    return [...this.#lanes].flatMap(([provider, lane]) =>
      lane.sketches().flatMap(([upstream, ms]) => (ms.length > 0 ? [{ provider, upstream, ms }] : [])),
    )
  }

  begin(sketches: TimingSketch[]): void {
    for (const { provider, upstream, ms } of sketches) this.of(provider).timing(upstream).begin(ms)
  }
}
