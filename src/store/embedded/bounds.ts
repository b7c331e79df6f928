/**
 * What the conditions on one path say about the keys of an index field: points, or a range. Always wide enough to hold
 * every match; `exact` when it holds nothing else.
 */
import type { Direction } from './keys.ts'
import { encodeKey, invert, successor } from './keys.ts'
import type { Predicate } from './query.ts'
import { numberOf, type TypeName, type_order, typeOf } from './values.ts'

/** Keys from `low` up to but without `high`, as bytes of one field in its direction. */
export type Range = { low: Buffer; high: Buffer }

export type Bounds = { kind: 'points' | 'range'; ranges: Range[]; exact: boolean }

const max_points = 1000

/** Undefined when no condition on the path helps. `multikey`: the field holds arrays, so conditions cannot be joined. */
export function boundsFor(
  predicates: readonly Predicate[],
  direction: Direction,
  multikey: boolean,
): Bounds | undefined {
  const points = predicates.find((predicate) => pointValues(predicate, multikey) !== undefined)
  if (points !== undefined) return boundsOfPoints(points, predicates.length, direction, multikey)
  const usable = predicates.filter((predicate) => isRange(predicate))
  const joined = multikey ? usable.slice(0, 1) : usable
  if (joined.length === 0) return undefined
  let low: Buffer | undefined
  let high: Buffer | undefined
  for (const predicate of joined) {
    const range = rangeOf(predicate)
    if (low === undefined || Buffer.compare(range.low, low) > 0) low = range.low
    if (high === undefined || Buffer.compare(range.high, high) < 0) high = range.high
  }
  if (low === undefined || high === undefined) return undefined
  const exact = !multikey && joined.length === predicates.length
  return { kind: 'range', ranges: [turned({ low, high }, direction)], exact }
}

function boundsOfPoints(predicate: Predicate, count: number, direction: Direction, multikey: boolean): Bounds {
  const keys = new Map<string, Buffer>()
  for (const value of pointValues(predicate, multikey) ?? []) {
    const key = encodeKey(value)
    keys.set(key.toString('latin1'), key)
  }
  const ranges = [...keys.values()].map((key) => turned({ low: key, high: successor(key) }, direction))
  ranges.sort((a, b) => Buffer.compare(a.low, b.low))
  return { kind: 'points', ranges, exact: !multikey && count === 1 }
}

/** A descending field holds inverted bytes: what ended a range begins it. */
function turned(range: Range, direction: Direction): Range {
  if (direction === 1) return range
  return { low: beforeInverted(range.high), high: beforeInverted(range.low) }
}

/**
 * The place in inverted order that corresponds to the place just before `bytes` in plain order: after everything that
 * begins with the inverted bytes.
 */
const beforeInverted = (bytes: Buffer): Buffer => successor(invert(bytes))

const unordered: ReadonlySet<TypeName> = new Set(['array', 'regex', 'minKey', 'maxKey', 'undefined'])

function isPoint(value: unknown, multikey: boolean): boolean {
  if (value === null) return !multikey
  return !unordered.has(typeOf(value))
}

function pointValues(predicate: Predicate, multikey: boolean): unknown[] | undefined {
  const { operator, operand } = predicate
  if (operator === '$eq') return isPoint(operand, multikey) ? [operand] : undefined
  if (operator !== '$in' || !Array.isArray(operand) || operand.length > max_points) return undefined
  return operand.every((value) => isPoint(value, multikey)) ? operand : undefined
}

function isRange({ operator, operand }: Predicate): boolean {
  if (operator !== '$gt' && operator !== '$gte' && operator !== '$lt' && operator !== '$lte') return false
  const type = typeOf(operand)
  return type !== 'null' && !unordered.has(type) && !Number.isNaN(numberOf(operand))
}

/** Only values of the operand's own type; NaN, the lowest number, is in no range. */
function rangeOf({ operator, operand }: Predicate): Range {
  const order = type_order[typeOf(operand)]
  const key = encodeKey(operand)
  const first = numberOf(operand) === undefined ? Buffer.from([order]) : successor(encodeKey(Number.NaN))
  const last = Buffer.from([order + 1])
  switch (operator) {
    case '$gt':
      return { low: successor(key), high: last }
    case '$gte':
      return { low: key, high: last }
    case '$lt':
      return { low: first, high: key }
    default:
      return { low: first, high: successor(key) }
  }
}
