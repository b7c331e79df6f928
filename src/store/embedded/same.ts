/** Whether two values are the same BSON, type for type and field by field: what tells a change from none. */
import { encodeDocument } from './encode.ts'
import { type Document, isDocument } from './values.ts'

export function sameValue(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false
    return left.every((value, index) => sameValue(value, right[index]))
  }
  if (left instanceof Date) return right instanceof Date && left.getTime() === right.getTime()
  if (isDocument(left)) return isDocument(right) && sameFields(left, right)
  return encodeDocument({ value: left }).equals(encodeDocument({ value: right }))
}

function sameFields(left: Document, right: Document): boolean {
  const left_keys = Object.keys(left)
  const right_keys = Object.keys(right)
  return (
    left_keys.length === right_keys.length &&
    left_keys.every((key, index) => key === right_keys[index] && sameValue(left[key], right[key]))
  )
}
