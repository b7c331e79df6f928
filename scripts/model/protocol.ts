// The money protocol as a model: one account, one job, and everybody who may touch them, each step of theirs a transition.
// It knows no store and no code of the router; scripts/model.ts explores every order in which the steps can happen.

/** Without one of them the protocol must fail, or the model would prove nothing. */
export interface Variant {
  name: string
  /** Every attempt to hold has a nonce of its own, and settling matches it. */
  nonce: boolean
  /** A decision is a compare-and-set. */
  compare: boolean
  /** Settling matches the amount of the hold as well. */
  amount: boolean
  /** The hold may be extended while the work goes on. */
  extends: boolean
  /** One copy of the store; or a replica set that may fail over, read where it is committed or as the primary has it. */
  reads: 'one copy' | 'majority' | 'local'
}

/** In any unit: what the account has, what is held, what it costs, by how much a hold grows. */
const [CREDITS, HOLD, COST, MORE] = [10, 6, 4, 2]
const TRIES = 2

export type JobState = 'absent' | 'new' | 'running' | 'settling' | 'settled' | 'releasing' | 'released'

export interface Books {
  available: number
  held: number
  settled: number
  /** Nonce of the hold; 0: none. */
  hold: number
  amount: number
  job: JobState
  /** The nonce that the decision names. */
  nonce: number
  entries: number
}

export const OPENED: Books = {
  available: CREDITS,
  held: 0,
  settled: 0,
  hold: 0,
  amount: 0,
  job: 'absent',
  nonce: 0,
  entries: 0,
}

type Decision = 'settling' | 'releasing'
export type Write =
  | { write: 'insert' }
  | { write: 'hold'; nonce: number }
  | { write: 'extend'; nonce: number }
  | { write: 'start'; nonce: number }
  | { write: 'decide'; to: Decision; nonce: number }
  | { write: 'apply'; nonce: number; amount: number; charge: boolean }
  | { write: 'journal' }
  | { write: 'close'; from: Decision }

/** What the write makes of the books; undefined where it matches nothing. */
export function carryOut(books: Books, write: Write, variant: Variant): Books | undefined {
  const open = books.job === 'new' || books.job === 'running'
  switch (write.write) {
    case 'insert':
      return books.job === 'absent' ? { ...books, job: 'new' } : undefined
    case 'hold': {
      if (books.hold !== 0 || books.available < HOLD) return undefined
      const { available, held } = books
      const hold = variant.nonce ? write.nonce : 1
      return { ...books, available: available - HOLD, held: held + HOLD, hold, amount: HOLD }
    }
    case 'extend': {
      const ours = books.hold !== 0 && books.hold === write.nonce && books.amount === HOLD && books.available >= MORE
      const { available, held, amount } = books
      return ours ? { ...books, available: available - MORE, held: held + MORE, amount: amount + MORE } : undefined
    }
    case 'start':
      return books.job === 'new' ? { ...books, job: 'running', nonce: write.nonce } : undefined
    case 'decide':
      if (variant.compare ? !open : books.job === 'absent') return undefined
      return { ...books, job: write.to, nonce: write.nonce }
    case 'apply': {
      const { hold, amount, available, held, settled } = books
      const matches = hold !== 0 && (!variant.nonce || hold === write.nonce)
      if (!matches || (variant.amount && amount !== write.amount)) return undefined
      const cost = write.charge ? COST : 0
      const freed = { available: available + write.amount - cost, held: held - write.amount, settled: settled + cost }
      return { ...books, ...freed, hold: 0, amount: 0 }
    }
    case 'journal':
      return books.entries === 0 ? { ...books, entries: 1 } : undefined
    case 'close':
      return books.job === write.from
        ? { ...books, job: write.from === 'settling' ? 'settled' : 'released' }
        : undefined
  }
}

/** Where somebody stands in what he does: a step, how often it was tried, and what he has read. */
export interface Actor {
  at:
    | 'gone'
    | 'insert'
    | 'hold'
    | 'look'
    | 'work'
    | 'begin'
    | 'decide'
    | 'help'
    | 'apply'
    | 'again'
    | 'journal'
    | 'close'
  tries: number
  nonce: number
  amount: number
  to: Decision
}

const IDLE: Omit<Actor, 'at'> = { tries: 0, nonce: 0, amount: 0, to: 'settling' }
export const GONE: Actor = { at: 'gone', ...IDLE }
export const WORKER: Actor = { at: 'insert', ...IDLE }
export const BEGINNER: Actor = { at: 'begin', ...IDLE }

/** Matched, matched nothing, or not known. */
export type Answer = 'matched' | 'missed' | 'unknown'
export type Step = { write: Write; heard(answer: Answer): Actor } | { write?: undefined; heard(): Actor }

const step = (actor: Actor, at: Actor['at'], more: Partial<Actor> = {}): Actor => ({ ...actor, at, tries: 0, ...more })
const again = (actor: Actor): Actor => (actor.tries + 1 < TRIES ? { ...actor, tries: actor.tries + 1 } : GONE)

/** What this one may do next, as he sees the books. `role` is who begins: the worker, another decider, or the sweep. */
export function stepsOf(role: 'worker' | 'decider' | 'sweep', actor: Actor, seen: Books, variant: Variant): Step[] {
  const { at, nonce, amount, to } = actor
  const open = seen.job === 'new' || seen.job === 'running'
  switch (at) {
    case 'gone':
      return []
    case 'insert':
      return [
        { write: { write: 'insert' }, heard: (answer) => (answer === 'unknown' ? again(actor) : step(actor, 'hold')) },
      ]
    case 'hold': {
      const fresh = actor.nonce + 1
      const tried = { ...actor, nonce: fresh }
      return [
        {
          write: { write: 'hold', nonce: fresh },
          heard: (answer) =>
            answer === 'matched'
              ? step(tried, 'work')
              : { ...tried, at: 'look', tries: answer === 'missed' ? TRIES : actor.tries },
        },
      ]
    }
    case 'look':
      // A hold that is there is adopted; after a lost answer one that is absent proves nothing.
      if (seen.hold !== 0) return [{ heard: () => step(actor, 'work', { nonce: seen.hold }) }]
      if (actor.tries + 1 < TRIES) return [{ heard: () => ({ ...actor, at: 'hold', tries: actor.tries + 1 }) }]
      return [{ heard: () => step(actor, 'decide', { nonce: 0, to: 'releasing' }) }]
    case 'work': {
      const decide = (way: Decision) => ({ heard: () => step(actor, 'decide', { to: way }) })
      const late: Step = { write: { write: 'start', nonce }, heard: () => step(actor, 'decide', { to: 'settling' }) }
      const extend: Step = { write: { write: 'extend', nonce }, heard: () => step(actor, 'decide', { to: 'settling' }) }
      return [decide('settling'), decide('releasing'), late, ...(variant.extends ? [extend] : [])]
    }
    case 'begin':
      // He reads the hold first: the job names its nonce only later.
      if (open && role === 'decider')
        return seen.hold === 0 ? [] : [{ heard: () => step(actor, 'decide', { nonce: seen.hold }) }]
      if (open) return [{ heard: () => step(actor, 'decide', { nonce: seen.hold, to: 'releasing' }) }]
      return seen.job === 'absent' || role === 'decider' ? [] : [{ heard: () => step(actor, 'help') }]
    case 'decide':
      return [
        {
          write: { write: 'decide', to, nonce },
          heard: (answer) => (answer === 'unknown' ? again(actor) : step(actor, 'help')),
        },
      ]
    case 'help':
      if (seen.job === 'settling' || seen.job === 'releasing') {
        const next = { nonce: seen.nonce, amount: HOLD, to: seen.job }
        return [{ heard: () => step(actor, 'apply', next) }]
      }
      // A hold of a job at rest was made by a write that came late.
      if ((seen.job === 'settled' || seen.job === 'released') && seen.hold !== 0)
        return [{ heard: () => step(actor, 'apply', { nonce: seen.hold, amount: seen.amount, to: 'releasing' }) }]
      return [{ heard: () => GONE }]
    case 'apply': {
      const write: Write = { write: 'apply', nonce, amount, charge: to === 'settling' }
      const next = to === 'settling' ? 'journal' : 'close'
      return [
        {
          write,
          heard: (answer) =>
            answer === 'matched' ? step(actor, next) : answer === 'missed' ? step(actor, 'again') : again(actor),
        },
      ]
    }
    case 'again':
      // The hold may have grown in between; another one, or none, means that it was applied before.
      if (seen.hold !== 0 && seen.hold === nonce)
        return [{ heard: () => step(actor, 'apply', { amount: seen.amount }) }]
      return [{ heard: () => step(actor, to === 'settling' ? 'journal' : 'close') }]
    case 'journal':
      return [
        {
          write: { write: 'journal' },
          heard: (answer) => (answer === 'unknown' ? again(actor) : step(actor, 'close')),
        },
      ]
    case 'close':
      return [{ write: { write: 'close', from: to }, heard: (answer) => (answer === 'unknown' ? again(actor) : GONE) }]
  }
}

/** What must be true in every state; undefined where it is. */
export function fault({ available, held, settled, hold, amount }: Books): string | undefined {
  if (available < 0 || held < 0) return 'below zero'
  if (available + held + settled !== CREDITS) return 'not conserved'
  if (settled !== 0 && settled !== COST) return 'charged twice'
  if (held !== amount || (hold !== 0) !== (amount !== 0)) return 'held is not the hold'
  return undefined
}

/** The sweep alone, undisturbed, until nothing is left to do; then what must be true at rest. */
export function faultAtRest(books: Books, variant: Variant): string | undefined {
  let now = books
  for (let round = 0; round < 6; round++) {
    let actor = BEGINNER
    for (let steps = 0; actor.at !== 'gone' && steps < 20; steps++) {
      const [next] = stepsOf('sweep', actor, now, variant)
      if (!next) break
      if (next.write === undefined) actor = next.heard()
      else {
        const after = carryOut(now, next.write, variant)
        now = after ?? now
        actor = next.heard(after ? 'matched' : 'missed')
      }
    }
  }
  const { hold, job, settled, entries } = now
  if (hold !== 0 && job !== 'absent') return 'a hold stays'
  if (job === 'settled' && (settled !== COST || entries !== 1)) return 'a success is not charged exactly once'
  if ((job === 'released' || job === 'absent') && (settled !== 0 || entries !== 0)) return 'a failure is charged'
  return job === 'settled' || job === 'released' || job === 'absent' ? undefined : `the job stays ${job}`
}
