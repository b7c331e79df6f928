/** Sort orders: reading a sort specification, and sorting what no index gives in order, keeping only what is wanted. */
import { compareValues } from './compare.ts'
import { badValue } from './errors.ts'
import { type Direction, encodeCompoundKey } from './keys.ts'
import { expandedValues, headOf } from './paths.ts'
import type { SortField } from './plan.ts'
import { type Document, isDocument, numberOf } from './values.ts'

/** Throws BadValue for directions other than 1 and -1. */
export function readSort(sort: unknown): SortField[] {
  if (sort === undefined || sort === null) return []
  if (!isDocument(sort)) throw badValue('Expected the sort to be an object')
  return Object.keys(sort).map((path) => {
    const direction = Number(numberOf(sort[path]))
    if (direction !== 1 && direction !== -1) {
      throw badValue(`$sort key ordering must be 1 (for ascending) or -1 (for descending), at ${path}`)
    }
    if (path === '' || path.startsWith('$')) throw badValue(`FieldPath field names may not start with '$': ${path}`)
    return { path, direction }
  })
}

export const headsOfSort = (sort: readonly SortField[]): string[] => sort.map((field) => headOf(field.path))

/** Bytes that order documents as the sort does. An array sorts by its smallest element, or descending by its largest. */
export function sortKey(document: Document, sort: readonly SortField[]): Buffer {
  const directions: Direction[] = []
  const values = sort.map(({ path, direction }) => {
    directions.push(direction)
    const found = expandedValues(document, path).values
    let chosen = orNull(found[0])
    for (const value of found) {
      if (compareValues(orNull(value), chosen) * direction < 0) chosen = orNull(value)
    }
    return chosen
  })
  return encodeCompoundKey(values, directions)
}

/** A missing field sorts as null, an empty array before it. */
function orNull(value: unknown): unknown {
  if (value === undefined) return null
  return Array.isArray(value) && value.length === 0 ? undefined : value
}

/** Keeps the first `limit` items of all that are added, in order; equal ones in the order of adding. */
export class Sorter<Item> {
  readonly #limit: number
  #items: { key: Buffer; item: Item }[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  add(key: Buffer, item: Item): void {
    this.#items.push({ key, item })
    if (this.#items.length > this.#limit * 2 + 1000) this.#trim()
  }

  finish(): Item[] {
    this.#trim()
    return this.#items.map(({ item }) => item)
  }

  #trim(): void {
    this.#items.sort((a, b) => Buffer.compare(a.key, b.key))
    if (this.#items.length > this.#limit) this.#items.length = this.#limit
  }
}
