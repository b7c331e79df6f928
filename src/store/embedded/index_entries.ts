/** Which keys a document has in an index. Pure: it writes nothing. */
import { CommandError } from './errors.ts'
import type { Index } from './index_spec.ts'
import { encodeCompoundKey } from './keys.ts'
import { expandedValues } from './paths.ts'
import { type Document, getField, typeOf } from './values.ts'

export type Entries = { keys: Buffer[]; multikey: number }

const none: Entries = { keys: [], multikey: 0 }

/** An empty array is kept apart from a missing field, which counts as null. */
function indexedValue(value: unknown): unknown {
  if (value === undefined) return null
  return Array.isArray(value) && value.length === 0 ? undefined : value
}

/** The entries of a document (one for each element of an array), and a bit for each field that was an array. */
export function entriesOf(index: Index, document: Document): Entries {
  if (index.partial !== undefined && !index.partial.test(document)) return none
  const [only] = index.fields
  const first = only === undefined || !index.heads.has(only.path) ? undefined : getField(document, only.path)
  if (index.fields.length === 1 && first !== undefined && !Array.isArray(first) && typeOf(first) !== 'object') {
    return { keys: [encodeCompoundKey([first], index.directions)], multikey: 0 }
  }
  return entriesOfFields(index, document)
}

function entriesOfFields(index: Index, document: Document): Entries {
  const values: unknown[] = []
  let multikey = 0
  let many: { at: number; values: unknown[] } | undefined
  for (const [at, field] of index.fields.entries()) {
    const found = expandedValues(document, field.path)
    if (found.arrays) multikey |= 1 << at
    values.push(indexedValue(found.values[0]))
    if (found.values.length < 2) continue
    if (many !== undefined) throw new CommandError('CannotIndexParallelArrays', parallelArrays(index, many.at, at))
    many = { at, values: found.values }
  }
  if (many === undefined) return { keys: [encodeCompoundKey(values, index.directions)], multikey }
  const keys = new Map<string, Buffer>()
  for (const value of many.values) {
    values[many.at] = indexedValue(value)
    const key = encodeCompoundKey(values, index.directions)
    keys.set(key.toString('latin1'), key)
  }
  return { keys: [...keys.values()], multikey }
}

function parallelArrays(index: Index, first: number, second: number): string {
  return `cannot index parallel arrays [${index.fields[second]?.path}] [${index.fields[first]?.path}]`
}
