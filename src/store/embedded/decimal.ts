/**
 * Decimal128 compared exactly with itself and with the other numbers. The store keeps, sorts and finds decimals; it does
 * no arithmetic on them (money is Int64).
 */
import { Decimal128, Double } from 'bson'

export type AnyNumber = number | bigint | Double | Decimal128

/** numerator / denominator, or a number that is no fraction: an infinity or NaN. */
type Exact = { numerator: bigint; denominator: bigint } | number

export function compareWithDecimal(left: AnyNumber, right: AnyNumber): number {
  const a = exactOf(left)
  const b = exactOf(right)
  if (typeof a === 'number' || typeof b === 'number') return compareSpecial(a, b)
  const difference = a.numerator * b.denominator - b.numerator * a.denominator
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

function compareSpecial(a: Exact, b: Exact): number {
  const rank = (value: Exact): number => (typeof value !== 'number' ? 2 : Number.isNaN(value) ? 0 : value < 0 ? 1 : 3)
  return rank(a) - rank(b)
}

function exactOf(value: AnyNumber): Exact {
  if (typeof value === 'bigint') return { numerator: value, denominator: 1n }
  if (value instanceof Decimal128) return exactOfDecimal(value)
  return exactOfDouble(value instanceof Double ? value.value : value)
}

function exactOfDouble(value: number): Exact {
  if (!Number.isFinite(value)) return value
  let scaled = value
  let denominator = 1n
  while (!Number.isInteger(scaled)) {
    scaled *= 2
    denominator *= 2n
  }
  return { numerator: BigInt(scaled), denominator }
}

function exactOfDecimal(value: Decimal128): Exact {
  const text = value.toString()
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]?\d+))?$/.exec(text)
  if (match === null) return Number(text)
  const fraction = match[3] ?? ''
  const exponent = Number(match[4] ?? 0) - fraction.length
  const digits = BigInt(`${match[2]}${fraction}`) * (match[1] === '-' ? -1n : 1n)
  return exponent >= 0
    ? { numerator: digits * 10n ** BigInt(exponent), denominator: 1n }
    : { numerator: digits, denominator: 10n ** BigInt(-exponent) }
}

/** The largest double that is not above the value. */
export function doubleBelow(value: AnyNumber): number {
  const near =
    value instanceof Decimal128 ? Number(value.toString()) : Number(value instanceof Double ? value.value : value)
  if (Number.isNaN(near)) return near
  if (near === Number.POSITIVE_INFINITY && compareWithDecimal(value, near) < 0) return Number.MAX_VALUE
  return compareWithDecimal(near, value) > 0 ? nextDown(near) : near
}

const scratch = new DataView(new ArrayBuffer(8))

function nextDown(value: number): number {
  if (value === 0) return -Number.MIN_VALUE
  scratch.setFloat64(0, value)
  const bits = scratch.getBigInt64(0)
  scratch.setBigInt64(0, value > 0 ? bits - 1n : bits + 1n)
  return scratch.getFloat64(0)
}

function nextUp(value: number): number {
  return -nextDown(-value)
}

const fraction_one = 1n << 128n

/** How far between `below` and the next double the value lies, in 2^-128: so that keys order what doubles cannot. */
export function fractionAbove(value: AnyNumber, below: number): bigint {
  const exact = exactOf(value)
  const low = exactOf(below)
  const high = exactOf(nextUp(below))
  if (typeof exact === 'number' || typeof low === 'number') return 0n
  // Only decimals beyond the range of doubles come here: they all share one key.
  if (typeof high === 'number') return compareWithDecimal(value, below) === 0 ? 0n : fraction_one - 1n
  const over = exact.numerator * low.denominator - low.numerator * exact.denominator
  const gap = high.numerator * low.denominator - low.numerator * high.denominator
  return (over * high.denominator * fraction_one) / (exact.denominator * gap)
}
