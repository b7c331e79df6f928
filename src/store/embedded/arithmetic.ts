/**
 * Sums, differences and products with MongoDB's types: Int32 widens to Int64, Int64 that overflows is an error, a double
 * makes a double. Int64 is never rounded on the way.
 */
import { Decimal128, Double } from 'bson'
import { badValue } from './errors.ts'
import { isInt32, toDouble } from './values.ts'

export type Operation = 'add' | 'subtract' | 'multiply'

const int64_min = -(1n << 63n)
const int64_max = (1n << 63n) - 1n

const exactly: Record<Operation, (a: bigint, b: bigint) => bigint> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
}

const approximately: Record<Operation, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
}

/** Undefined when an Int64 result does not fit; the caller says in its own words what failed. Throws for Decimal128. */
export function calculate(operation: Operation, left: unknown, right: unknown): unknown {
  if (left instanceof Decimal128 || right instanceof Decimal128) {
    throw badValue('Arithmetic on Decimal128 is not supported by this store')
  }
  if (isWhole(left) && isWhole(right)) {
    const both_int32 = typeof left === 'number' && typeof right === 'number'
    if (both_int32) {
      const quick = approximately[operation](left, right)
      if (isInt32(quick)) return quick
    }
    const result = exactly[operation](BigInt(left), BigInt(right))
    if (result < int64_min || result > int64_max) return undefined
    return both_int32 && isInt32(Number(result)) ? Number(result) : result
  }
  return toDouble(approximately[operation](floating(left), floating(right)))
}

export const isWhole = (value: unknown): value is number | bigint =>
  typeof value === 'bigint' || (typeof value === 'number' && isInt32(value))

export const floating = (value: unknown): number => (value instanceof Double ? value.value : Number(value))
