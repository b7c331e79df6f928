/** The accumulators of `$group`. Sums of Int64 stay exact: they are kept as whole numbers until a double is added. */
import { Decimal128 } from 'bson'
import { floating, isWhole } from './arithmetic.ts'
import { compareValues } from './compare.ts'
import { badValue, CommandError } from './errors.ts'
import { encodeKey } from './keys.ts'
import { isInt32, isNumeric, toDouble, toInteger } from './values.ts'

export type Accumulator = { add: (value: unknown) => void; result: () => unknown }

const int64_max = (1n << 63n) - 1n

/** The type of a sum is that of its widest part; Int64 that overflows is an error, as money must never round. */
function sum(): Accumulator {
  let whole = 0n
  let small = 0
  let long = false
  let fraction: number | undefined
  return {
    add: (value) => {
      if (typeof value === 'number' && isInt32(value)) {
        small += value
        if (small > 2 ** 50 || small < -(2 ** 50)) {
          whole += BigInt(small)
          small = 0
        }
      } else if (typeof value === 'bigint') {
        whole += value
        long = true
      } else if (value instanceof Decimal128) throw badValue('$sum of Decimal128 is not supported by this store')
      else if (isNumeric(value)) fraction = (fraction ?? 0) + floating(value)
    },
    result: () => {
      const exact = whole + BigInt(small)
      if (fraction !== undefined) return toDouble(fraction + Number(exact))
      if (exact > int64_max || exact < -int64_max - 1n) throw badValue('$sum overflows Int64')
      return !long && isInt32(Number(exact)) ? Number(exact) : exact
    },
  }
}

function average(): Accumulator {
  const total = sum()
  let count = 0
  return {
    add: (value) => {
      if (!isNumeric(value)) return
      total.add(value)
      count++
    },
    result: () => {
      if (count === 0) return null
      const value = total.result()
      return toDouble((isWhole(value) ? Number(value) : floating(value)) / count)
    },
  }
}

/** Direction 1 keeps the smallest, -1 the largest; null and missing values do not count. */
const extreme = (direction: 1 | -1) => (): Accumulator => {
  let best: unknown
  return {
    add: (value) => {
      if (value === null || value === undefined) return
      if (best === undefined || compareValues(value, best) * direction < 0) best = value
    },
    result: () => best ?? null,
  }
}

function first(): Accumulator {
  let seen = false
  let kept: unknown
  return {
    add: (value) => {
      if (!seen) kept = value
      seen = true
    },
    result: () => kept ?? null,
  }
}

function last(): Accumulator {
  let kept: unknown
  return {
    add: (value) => {
      kept = value
    },
    result: () => kept ?? null,
  }
}

function push(): Accumulator {
  const values: unknown[] = []
  return {
    add: (value) => {
      if (value !== undefined) values.push(value)
    },
    result: () => values,
  }
}

function addToSet(): Accumulator {
  const values = new Map<string, unknown>()
  return {
    add: (value) => {
      if (value === undefined) return
      const key = encodeKey(value).toString('latin1')
      if (!values.has(key)) values.set(key, value)
    },
    result: () => [...values.values()],
  }
}

function count(): Accumulator {
  let n = 0
  return {
    add: () => {
      n++
    },
    result: () => toInteger(n),
  }
}

const accumulators: Readonly<Record<string, () => Accumulator>> = {
  $sum: sum,
  $avg: average,
  $min: extreme(1),
  $max: extreme(-1),
  $first: first,
  $last: last,
  $push: push,
  $addToSet: addToSet,
  $count: count,
}

/** Throws for an accumulator that the store does not know. */
export function accumulatorFor(name: string): () => Accumulator {
  const found = Object.hasOwn(accumulators, name) ? accumulators[name] : undefined
  if (found === undefined) throw new CommandError('UnknownGroupOperator', `unknown group operator '${name}'`)
  return found
}
