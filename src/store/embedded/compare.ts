/** Compares any two values in MongoDB's order: types first, then values; numbers of different BSON types exactly. */
import { type Binary, type BSONRegExp, type Code, type Decimal128, Double, type ObjectId, type Timestamp } from 'bson'
import { compareWithDecimal } from './decimal.ts'
import { type Document, type TypeName, type_order, typeOf } from './values.ts'

/** Negative, zero or positive, as `Array.prototype.sort` wants it. */
export function compareValues(left: unknown, right: unknown): number {
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right)
  const left_type = typeOf(left)
  const right_type = typeOf(right)
  const order = type_order[left_type] - type_order[right_type]
  return order !== 0 ? order : compareSameOrder(left, right, left_type, right_type)
}

export const equalValues = (left: unknown, right: unknown): boolean => compareValues(left, right) === 0

function compareSameOrder(left: unknown, right: unknown, left_type: TypeName, right_type: TypeName): number {
  switch (left_type) {
    case 'int':
    case 'long':
    case 'double':
    case 'decimal':
      return left_type === 'decimal' || right_type === 'decimal'
        ? compareWithDecimal(
            left as number | bigint | Double | Decimal128,
            right as number | bigint | Double | Decimal128,
          )
        : compareNumbers(plain(left), plain(right))
    case 'string':
    case 'symbol':
      return compareText(String(left), String(right))
    case 'bool':
      return Number(left) - Number(right)
    case 'date':
      return (left as Date).getTime() - (right as Date).getTime()
    case 'object':
      return compareDocuments(left as Document, right as Document)
    case 'array':
      return compareArrays(left as unknown[], right as unknown[])
    case 'objectId':
      return Buffer.compare((left as ObjectId).id, (right as ObjectId).id)
    default:
      return compareRare(left, right, left_type)
  }
}

function compareRare(left: unknown, right: unknown, type: TypeName): number {
  switch (type) {
    case 'binData':
      return compareBinary(left as Binary, right as Binary)
    case 'timestamp':
      return compareNumbers((left as Timestamp).toBigInt(), (right as Timestamp).toBigInt())
    case 'regex': {
      const [a, b] = [left as BSONRegExp, right as BSONRegExp]
      return compareText(a.pattern, b.pattern) || compareText(a.options, b.options)
    }
    case 'javascript':
      return compareText((left as Code).code, (right as Code).code)
    case 'javascriptWithScope': {
      const [a, b] = [left as Code, right as Code]
      return compareText(a.code, b.code) || compareDocuments(a.scope as Document, b.scope as Document)
    }
    default:
      return 0
  }
}

const plain = (value: unknown): number | bigint => (value instanceof Double ? value.value : (value as number | bigint))

/** Exact between bigint and number: JavaScript compares them mathematically. NaN equals itself and precedes all numbers. */
function compareNumbers(left: number | bigint, right: number | bigint): number {
  if (left < right) return -1
  if (left > right) return 1
  // Equal, or one is NaN.
  return Number(Number.isNaN(right)) - Number(Number.isNaN(left))
}

/** By UTF-8 bytes, as MongoDB does: JavaScript's own order differs where one side has a surrogate pair. */
function compareText(left: string, right: string): number {
  if (left === right) return 0
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a === b) continue
    const a_pair = a >= 0xd800 && a <= 0xdfff
    const b_pair = b >= 0xd800 && b <= 0xdfff
    return a_pair === b_pair ? a - b : a_pair ? 1 : -1
  }
  return left.length - right.length
}

function compareBinary(left: Binary, right: Binary): number {
  return left.position - right.position || left.sub_type - right.sub_type || Buffer.compare(left.value(), right.value())
}

function compareArrays(left: readonly unknown[], right: readonly unknown[]): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const order = compareValues(left[index], right[index])
    if (order !== 0) return order
  }
  return left.length - right.length
}

/** Field by field: type, then name, then value; the shorter first. */
function compareDocuments(left: Document, right: Document): number {
  const left_keys = Object.keys(left)
  const right_keys = Object.keys(right)
  const length = Math.min(left_keys.length, right_keys.length)
  for (let index = 0; index < length; index++) {
    const left_key = left_keys[index] as string
    const right_key = right_keys[index] as string
    const a = left[left_key]
    const b = right[right_key]
    const order =
      type_order[typeOf(a)] - type_order[typeOf(b)] || compareText(left_key, right_key) || compareValues(a, b)
    if (order !== 0) return order
  }
  return left_keys.length - right_keys.length
}
