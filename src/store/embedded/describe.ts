/** Values as MongoDB prints them in error messages, e.g. `{ email: "a@b.c", n: 5 }`. For people, never parsed. */
import { type Binary, Double, type ObjectId } from 'bson'
import { type Document, typeOf } from './values.ts'

export function describe(value: unknown): string {
  switch (typeOf(value)) {
    case 'undefined':
    case 'null':
      return 'null'
    case 'string':
      return JSON.stringify(value)
    case 'objectId':
      return `ObjectId('${(value as ObjectId).toHexString()}')`
    case 'date':
      return `new Date(${(value as Date).getTime()})`
    case 'double':
      return describeDouble(value instanceof Double ? value.value : (value as number))
    case 'array':
      return `[ ${(value as unknown[]).map(describe).join(', ')} ]`
    case 'object':
      return describeDocument(value as Document)
    case 'binData':
      return `BinData(${(value as Binary).sub_type}, ${(value as Binary).toString('hex').toUpperCase()})`
    default:
      return String(value)
  }
}

const describeDouble = (value: number): string => (Number.isInteger(value) ? value.toFixed(1) : String(value))

function describeDocument(document: Document): string {
  const fields = Object.keys(document).map((key) => `${key}: ${describe(document[key])}`)
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
}
