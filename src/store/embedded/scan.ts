/**
 * Reads the rows of a plan one after another and can pause: between two batches of a cursor it holds only its position,
 * so that nothing in sqlite stays open while others write.
 */
import type { StatementSync } from 'node:sqlite'
import type { Collection } from './collection.ts'
import type { Plan, Plans } from './plan.ts'
import { bufferOf, type Storage } from './storage.ts'

export type Row = { row: number; bytes: Buffer }

export interface RowSource {
  next(): Row | undefined
  /** Lets go of what is open; `next` goes on after the last row given. */
  pause(): void
}

type Found = [key: Uint8Array, row: number, doc: Uint8Array]

/** The rows of one plan. */
class PlanScan implements RowSource {
  readonly #storage: Storage
  readonly #collection: Collection
  readonly #plan: Plan
  readonly #seen: Set<number> | undefined
  #range = -1
  #key: Uint8Array = Buffer.alloc(0)
  #row = -1
  #rows: Iterator<unknown> | undefined

  constructor(storage: Storage, collection: Collection, plan: Plan) {
    this.#storage = storage
    this.#collection = collection
    this.#plan = plan
    this.#seen = plan.index !== undefined && plan.index.multikey !== 0 ? new Set() : undefined
    this.#nextRange()
  }

  next(): Row | undefined {
    for (;;) {
      this.#rows ??= this.#open()
      if (this.#rows === undefined) return undefined
      const { value, done } = this.#rows.next() as IteratorResult<Found, undefined>
      if (done || value === undefined) {
        this.#rows = undefined
        if (!this.#nextRange()) return undefined
        continue
      }
      const [key, row, doc] = value
      this.#key = key
      this.#row = row
      this.#count()
      if (this.#seen?.has(row)) continue
      this.#seen?.add(row)
      return { row, bytes: bufferOf(doc) }
    }
  }

  pause(): void {
    this.#rows?.return?.()
    this.#rows = undefined
  }

  #count(): void {
    if (this.#plan.index !== undefined) this.#storage.counters.keys_examined++
    this.#storage.counters.documents_examined++
  }

  #nextRange(): boolean {
    this.#range++
    const { ranges, reverse, index } = this.#plan
    if (index === undefined) return this.#range === 0
    const range = ranges[reverse ? ranges.length - 1 - this.#range : this.#range]
    if (range === undefined) return false
    this.#key = reverse ? range.high : range.low
    this.#row = -1
    return true
  }

  /** From the position on: row -1 at a range's edge comes before every row that has the edge as its key. */
  #open(): Iterator<unknown> | undefined {
    this.#collection.write()
    const { index, ranges, reverse } = this.#plan
    if (index === undefined) {
      if (this.#range > 0) return undefined
      return iterate(this.#storage.statement(collectionSql(this.#collection.table)), this.#row)
    }
    const range = ranges[reverse ? ranges.length - 1 - this.#range : this.#range]
    if (range === undefined) return undefined
    const statement = this.#storage.statement(indexSql(this.#collection.table, index.table, reverse))
    return iterate(statement, this.#key, this.#row, reverse ? range.low : range.high)
  }
}

const iterate = (statement: StatementSync, ...values: (number | Uint8Array)[]): Iterator<unknown> =>
  statement.iterate(...values)[Symbol.iterator]()

const collectionSql = (table: string): string => `select null, row, doc from ${table} where row > ? order by row`

function indexSql(table: string, index_table: string, reverse: boolean): string {
  const [past, within, order] = reverse ? ['<', '>=', 'desc'] : ['>', '<', 'asc']
  if (table === index_table) {
    return `select id_key, row, doc from ${table} where (id_key, row) ${past} (?, ?) and id_key ${within} ? order by id_key ${order}, row ${order}`
  }
  return `select i.key, i.row, t.doc from ${index_table} i cross join ${table} t on t.row = i.row
    where (i.key, i.row) ${past} (?, ?) and i.key ${within} ? order by i.key ${order}, i.row ${order}`
}

/** The rows of several plans, each row once. */
class UnionScan implements RowSource {
  readonly #scans: PlanScan[]
  readonly #seen = new Set<number>()
  #at = 0

  constructor(scans: PlanScan[]) {
    this.#scans = scans
  }

  next(): Row | undefined {
    for (let scan = this.#scans[this.#at]; scan !== undefined; scan = this.#scans[++this.#at]) {
      for (let found = scan.next(); found !== undefined; found = scan.next()) {
        if (this.#seen.has(found.row)) continue
        this.#seen.add(found.row)
        return found
      }
    }
    return undefined
  }

  pause(): void {
    this.#scans[this.#at]?.pause()
  }
}

export function openScan(storage: Storage, collection: Collection, plans: Plans): RowSource {
  const scans = plans.map((plan) => new PlanScan(storage, collection, plan))
  const [first] = scans
  return scans.length === 1 && first !== undefined ? first : new UnionScan(scans)
}
