/** Finds the documents of a query in their order, one after another: plan, scan, test, sort, skip, limit. Reads only. */
import type { Collection } from './collection.ts'
import { decodeDocument } from './decode.ts'
import { CommandError } from './errors.ts'
import { choosePlans, type SortField } from './plan.ts'
import type { Filter } from './query.ts'
import { openScan, type Row, type RowSource } from './scan.ts'
import { headsOfSort, Sorter, sortKey } from './sort.ts'
import type { Storage } from './storage.ts'
import type { StoredDocument } from './stored.ts'
import { typeOf } from './values.ts'

export type Query = {
  filter: Filter
  sort: SortField[]
  skip: number
  /** Infinity for all. */
  limit: number
  /** When to give up, in ms as `performance.now()` counts; Infinity for never. */
  deadline: number
}

const rows_between_looks = 256

/** The matching rows. `pause` between batches; closing it needs nothing else. */
export function select(storage: Storage, collection: Collection, query: Query): RowSource {
  const plans = choosePlans(collection, query.filter, query.sort)
  const [first] = plans
  const exact = plans.length === 1 && first.exact
  let source: RowSource = openScan(storage, collection, plans)
  if (!exact) source = new Matching(source, query.filter, query.deadline)
  const sorted = plans.length === 1 ? first.sorted : query.sort.length === 0
  if (!sorted) source = new Sorted(source, collection, query)
  if (query.skip > 0 || query.limit !== Number.POSITIVE_INFINITY) source = new Window(source, query.skip, query.limit)
  return source
}

/** The one document of `{ _id: <value> }`, the commonest query; undefined for any other filter, null when none matches. */
export function selectById(
  storage: Storage,
  collection: Collection,
  filter: Filter,
): StoredDocument | null | undefined {
  const by_id = filter.predicates.find(({ path, operator }) => path === '_id' && operator === '$eq')
  if (by_id === undefined || !namesOne(by_id.operand)) return undefined
  const found = collection.byId(by_id.operand)
  if (found === undefined) return null
  storage.counters.keys_examined++
  storage.counters.documents_examined++
  if (filter.complete && filter.predicates.length === 1) return found
  return filter.test(found.with(filter.fields)) ? found : null
}

/** The documents of `{ _id: { $in: [...] } }`, in any order; undefined for any other filter. */
export function selectByIds(
  storage: Storage,
  collection: Collection,
  filter: Filter,
): Iterable<StoredDocument> | undefined {
  const by_ids = filter.predicates.find(({ path, operator }) => path === '_id' && operator === '$in')
  if (by_ids === undefined || !Array.isArray(by_ids.operand) || !by_ids.operand.every(namesOne)) return undefined
  return named(storage, collection, filter, by_ids.operand)
}

function* named(
  storage: Storage,
  collection: Collection,
  filter: Filter,
  ids: readonly unknown[],
): Generator<StoredDocument> {
  const seen = new Set<number>()
  for (const id of ids) {
    const found = collection.byId(id)
    if (found === undefined || seen.has(found.row)) continue
    seen.add(found.row)
    storage.counters.keys_examined++
    storage.counters.documents_examined++
    if (filter.test(found.with(filter.fields))) yield found
  }
}

/** Whether a value can only be equal to itself, so that one document at most has it as its `_id`. */
function namesOne(value: unknown): boolean {
  const type = typeOf(value)
  return type !== 'array' && type !== 'regex' && type !== 'undefined'
}

export function* rowsOf(source: RowSource): Generator<Row> {
  try {
    for (let row = source.next(); row !== undefined; row = source.next()) yield row
  } finally {
    source.pause()
  }
}

class Matching implements RowSource {
  readonly #source: RowSource
  readonly #filter: Filter
  #deadline: number
  #looked = 0

  constructor(source: RowSource, filter: Filter, deadline: number) {
    this.#source = source
    this.#filter = filter
    this.#deadline = deadline
  }

  next(): Row | undefined {
    for (let row = this.#source.next(); row !== undefined; row = this.#source.next()) {
      if (++this.#looked % rows_between_looks === 0) checkDeadline(this.#deadline)
      if (this.#filter.test(decodeDocument(row.bytes, { only: this.#filter.fields }))) return row
    }
    return undefined
  }

  /** The limit is for the first batch: how long the client takes between two is not its matter. */
  pause(): void {
    this.#deadline = Number.POSITIVE_INFINITY
    this.#source.pause()
  }
}

export function checkDeadline(deadline: number): void {
  if (performance.now() > deadline) throw new CommandError('MaxTimeMSExpired', 'operation exceeded time limit')
}

/** Keeps row numbers only, so that sorting many documents does not hold them; a row deleted since is left out. */
class Sorted implements RowSource {
  readonly #collection: Collection
  readonly #rows: number[]
  #at = 0

  constructor(source: RowSource, collection: Collection, query: Query) {
    this.#collection = collection
    const sorter = new Sorter<number>(query.skip + query.limit)
    const only = new Set(headsOfSort(query.sort))
    let looked = 0
    for (const { row, bytes } of rowsOf(source)) {
      if (++looked % rows_between_looks === 0) checkDeadline(query.deadline)
      sorter.add(sortKey(decodeDocument(bytes, { only }), query.sort), row)
    }
    this.#rows = sorter.finish()
  }

  next(): Row | undefined {
    for (let row = this.#rows[this.#at++]; row !== undefined; row = this.#rows[this.#at++]) {
      const bytes = this.#collection.bytesOf(row)
      if (bytes !== undefined) return { row, bytes }
    }
    return undefined
  }

  pause(): void {}
}

class Window implements RowSource {
  readonly #source: RowSource
  #skip: number
  #left: number

  constructor(source: RowSource, skip: number, limit: number) {
    this.#source = source
    this.#skip = skip
    this.#left = limit
  }

  next(): Row | undefined {
    while (this.#skip > 0) {
      this.#skip--
      if (this.#source.next() === undefined) return undefined
    }
    if (this.#left === 0) return undefined
    this.#left--
    return this.#source.next()
  }

  pause(): void {
    this.#source.pause()
  }
}
