// Explores the model of the money protocol: every order of all steps, with every write heard of, carried out unheard, or
// late for any time or for ever, and with everybody dead before any of their steps.
import {
  type Actor,
  BEGINNER,
  type Books,
  carryOut,
  fault,
  faultAtRest,
  GONE,
  OPENED,
  stepsOf,
  type Variant,
  WORKER,
  type Write,
} from './protocol.ts'

export interface Bounds {
  /** How many writes may be late at once. */
  late: number
  /** How often the sweep begins anew. */
  sweeps: number
}

export interface Verdict {
  states: number
  transitions: number
  /** What goes wrong, and in how many steps. */
  fault?: string
  depth?: number
}

interface State {
  /** As the primary has it, and as it is committed. */
  primary: Books
  committed: Books
  actors: [Actor, Actor, Actor]
  sweeps: number
  failovers: number
  late: Write[]
}

const ROLES = ['worker', 'decider', 'sweep'] as const

export function explore(variant: Variant, bounds: Bounds): Verdict {
  const replicated = variant.reads !== 'one copy'
  const first: State = {
    primary: OPENED,
    committed: OPENED,
    actors: [WORKER, BEGINNER, BEGINNER],
    sweeps: bounds.sweeps,
    failovers: replicated ? 1 : 0,
    late: [],
  }
  const seen = new Set([keyOf(first)])
  let layer = [first]
  let transitions = 0
  for (let depth = 1; layer.length > 0; depth++) {
    const next: State[] = []
    for (const state of layer) {
      if (isQuiet(state)) {
        const found = faultAtRest(state.primary, variant)
        if (found) return { states: seen.size, transitions, fault: found, depth: depth - 1 }
      }
      for (const after of following(state, variant, bounds)) {
        transitions++
        const key = keyOf(after)
        if (seen.has(key)) continue
        seen.add(key)
        const found = fault(after.primary)
        if (found) return { states: seen.size, transitions, fault: found, depth }
        next.push(after)
      }
    }
    layer = next
  }
  return { states: seen.size, transitions }
}

const isQuiet = ({ actors, late, primary, committed }: State) =>
  late.length === 0 && primary === committed && actors.every(({ at }) => at === 'gone' || at === 'begin')

function* following(state: State, variant: Variant, bounds: Bounds): Generator<State> {
  const { primary, committed, actors, late } = state
  const view = variant.reads === 'majority' ? committed : primary
  const replicated = variant.reads !== 'one copy'
  for (const [index, actor] of actors.entries()) {
    const becomes = (next: Actor): State['actors'] => actors.with(index, next) as State['actors']
    if (actor.at === 'gone') {
      if (index === 2 && state.sweeps > 0) yield { ...state, actors: becomes(BEGINNER), sweeps: state.sweeps - 1 }
      continue
    }
    yield { ...state, actors: becomes(GONE) }
    for (const next of stepsOf(ROLES[index] ?? 'sweep', actor, view, variant)) {
      if (next.write === undefined) {
        yield { ...state, actors: becomes(next.heard()) }
        continue
      }
      const after = carryOut(primary, next.write, variant) ?? primary
      // What is answered is committed by a majority.
      yield {
        ...state,
        primary: after,
        committed: after,
        actors: becomes(next.heard(after === primary ? 'missed' : 'matched')),
      }
      const unheard = becomes(next.heard('unknown'))
      yield { ...state, primary: after, committed: replicated ? committed : after, actors: unheard }
      if (late.length < bounds.late) yield { ...state, actors: unheard, late: [...late, next.write] }
    }
  }
  for (const [index, write] of late.entries()) {
    const left = late.toSpliced(index, 1)
    const after = carryOut(primary, write, variant) ?? primary
    yield { ...state, primary: after, committed: replicated ? committed : after, late: left }
    yield { ...state, late: left }
  }
  if (primary === committed) return
  yield { ...state, committed: primary }
  if (state.failovers > 0) yield { ...state, primary: committed, failovers: state.failovers - 1 }
}

function keyOf({ primary, committed, actors, sweeps, failovers, late }: State): string {
  const [worker, decider, sweep] = actors
  const who = `${name(worker)} ${name(decider)} ${name(sweep)}`
  const books = primary === committed ? name(primary) : `${name(primary)}/${name(committed)}`
  return `${books} ${who} ${sweeps}${failovers} ${late.map(name).sort().join()}`
}

/** A short name for each thing of its kind that ever stood in a state: most states share most of their parts. */
const names = new WeakMap<object, string>()
const known = new Map<string, string>()

function name(thing: object): string {
  const told = names.get(thing)
  if (told !== undefined) return told
  const text = JSON.stringify(thing)
  const short = known.get(text) ?? known.size.toString(36)
  known.set(text, short)
  names.set(thing, short)
  return short
}
