// Google's older schemas (a part of OpenAPI 3.0) as JSON Schema, which all other vendors take. It changes only how
// things are said.
import type { Json, JsonObject } from '../../contract.ts'
import { isRecord } from '../lenient.ts'

const SPELLINGS: Record<string, string> = {
  any_of: 'anyOf',
  min_items: 'minItems',
  max_items: 'maxItems',
  min_length: 'minLength',
  max_length: 'maxLength',
  min_properties: 'minProperties',
  max_properties: 'maxProperties',
}
/** The order of fields and samples of them are hints to Google's models alone. */
const HINTS = new Set(['propertyOrdering', 'property_ordering', 'example'])

/** Types in lower case, `nullable` as a type beside the others, int64 bounds given as text as numbers. */
export function jsonSchema(schema: JsonObject): JsonObject {
  const read: JsonObject = {}
  for (const [written, value] of Object.entries(schema)) {
    if (HINTS.has(written) || written === 'nullable') continue
    const name = SPELLINGS[written] ?? written
    read[name] = member(name, value)
  }
  return schema.nullable === true ? orNull(read) : read
}

function member(name: string, value: Json): Json {
  if (name === 'type' && typeof value === 'string') return value.toLowerCase()
  if (name === 'properties' && isRecord(value))
    return Object.fromEntries(Object.entries(value as JsonObject).map(([key, each]) => [key, nested(each)]))
  if (name === 'items') return nested(value)
  if (name === 'anyOf' && Array.isArray(value)) return value.map(nested)
  if (/^(?:min|max)/.test(name) && typeof value === 'string') return Number(value)
  return value
}

const nested = (value: Json): Json => (isRecord(value) ? jsonSchema(value as JsonObject) : value)

function orNull(schema: JsonObject): JsonObject {
  if (typeof schema.type === 'string') return { ...schema, type: [schema.type, 'null'] }
  return Array.isArray(schema.anyOf) ? { ...schema, anyOf: [...schema.anyOf, { type: 'null' }] } : schema
}
