/** Index definitions: what `createIndexes` may ask for, and the form in which the store works with them. */
import { compareValues } from './compare.ts'
import { badValue, CommandError } from './errors.ts'
import type { Direction } from './keys.ts'
import { headOf } from './paths.ts'
import { compileFilter, type Filter } from './query.ts'
import { type Document, isDocument, numberOf } from './values.ts'

export type IndexField = { path: string; direction: Direction }

export type Index = {
  /** The sqlite table of its entries; the `_id` index is the collection's own table. */
  table: string
  key_column: 'key' | 'id_key'
  name: string
  /** As the client gave it, for listIndexes. */
  spec: Document
  fields: IndexField[]
  directions: Direction[]
  unique: boolean
  partial: Filter | undefined
  expire_after_seconds: number | undefined
  /** A bit for each field in which an array has been met: bounds on it cannot be intersected. */
  multikey: number
  /** The top-level fields that decide the entries of a document. */
  heads: Set<string>
}

const options: ReadonlySet<string> = new Set([
  'key',
  'name',
  'unique',
  'partialFilterExpression',
  'expireAfterSeconds',
  'background',
  'v',
  'ns',
])

/** Checks a definition and completes it as listIndexes shows it. Throws CannotCreateIndex or InvalidOptions. */
export function normaliseSpec(given: unknown): Document {
  if (!isDocument(given)) throw new CommandError('TypeMismatch', 'each of indexes must be an object')
  for (const option of Object.keys(given)) {
    if (!options.has(option)) {
      throw new CommandError('InvalidOptions', `The index option '${option}' is not supported by this store`)
    }
  }
  if (!isDocument(given.key) || Object.keys(given.key).length === 0) {
    throw new CommandError('CannotCreateIndex', 'Index keys cannot be empty')
  }
  if (typeof given.name !== 'string' || given.name === '') {
    throw new CommandError('FailedToParse', "The 'name' field is a required property of an index specification")
  }
  const spec: Document = { v: 2, key: given.key, name: given.name }
  if (given.unique !== undefined && given.unique !== false) spec.unique = true
  if (given.partialFilterExpression !== undefined) {
    if (!isDocument(given.partialFilterExpression)) throw badValue('partialFilterExpression must be an object')
    spec.partialFilterExpression = given.partialFilterExpression
  }
  if (given.expireAfterSeconds !== undefined) spec.expireAfterSeconds = secondsOf(given.expireAfterSeconds, given.key)
  readFields(given.key)
  return spec
}

function secondsOf(value: unknown, key: Document): number {
  const seconds = numberOf(value)
  if (seconds === undefined || seconds < 0 || seconds > 2147483647) {
    throw new CommandError('CannotCreateIndex', "TTL index 'expireAfterSeconds' must be between 0 and 2147483647")
  }
  if (Object.keys(key).length > 1) {
    throw new CommandError(
      'CannotCreateIndex',
      'TTL indexes are single-field indexes, compound indexes do not support TTL',
    )
  }
  return Number(seconds)
}

function readFields(key: Document): IndexField[] {
  return Object.keys(key).map((path) => {
    const number = numberOf(key[path])
    if (number === undefined || Number(number) === 0 || Number.isNaN(Number(number))) {
      throw new CommandError('CannotCreateIndex', `The index kind ${String(key[path])} is not supported by this store`)
    }
    if (path === '' || path.includes('$') || path.split('.').includes('')) {
      throw new CommandError('CannotCreateIndex', `Index key '${path}' is not a path of plain field names`)
    }
    return { path, direction: number > 0 ? 1 : -1 }
  })
}

/** The working form of a checked definition. */
export function buildIndex(table: string, spec: Document, multikey: number): Index {
  const fields = readFields(spec.key as Document)
  const partial = spec.partialFilterExpression
  const filter = isDocument(partial) ? compileFilter(partial) : undefined
  return {
    table,
    key_column: 'key',
    name: spec.name as string,
    spec,
    fields,
    directions: fields.map((field) => field.direction),
    unique: spec.unique === true,
    partial: filter,
    expire_after_seconds: spec.expireAfterSeconds === undefined ? undefined : Number(numberOf(spec.expireAfterSeconds)),
    multikey,
    heads: new Set([...fields.map((field) => headOf(field.path)), ...(filter?.fields ?? [])]),
  }
}

/** The index on `_id`, which every collection has. */
export function idIndex(table: string): Index {
  const index = buildIndex(table, { v: 2, key: { _id: 1 }, name: '_id_' }, 0)
  return { ...index, key_column: 'id_key', unique: true }
}

const sameKeys = (a: Index, key: Document): boolean => JSON.stringify(a.fields) === JSON.stringify(readFields(key))

/**
 * The existing index that a definition repeats; undefined if it is new. Throws MongoDB's conflict errors where the name
 * or the keys are taken with other options.
 */
export function findSame(existing: readonly Index[], spec: Document): Index | undefined {
  for (const index of existing) {
    const keys = sameKeys(index, spec.key as Document)
    const partial =
      compareValues(index.spec.partialFilterExpression ?? null, spec.partialFilterExpression ?? null) === 0
    const options =
      index.name === '_id_' ||
      (index.unique === (spec.unique === true) && index.expire_after_seconds === spec.expireAfterSeconds)
    if (index.name === spec.name) {
      if (keys && partial && options) return index
      const kind = keys ? 'IndexOptionsConflict' : 'IndexKeySpecsConflict'
      throw new CommandError(
        kind,
        `An existing index has the same name as the requested index. When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. Requested index: ${spec.name}`,
      )
    }
    if (!keys || !partial) continue
    if (index.name === '_id_') return index
    throw new CommandError(
      'IndexOptionsConflict',
      options
        ? `Index already exists with a different name: ${index.name}`
        : `An equivalent index already exists with a different name and options. Requested index: ${spec.name}, existing index: ${index.name}`,
    )
  }
  return undefined
}
