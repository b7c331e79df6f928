/** Deletes documents whose TTL index says that their time has come. It is run by a timer (thread.ts). */
import type { Collection } from './collection.ts'
import type { Engine } from './engine.ts'
import type { Index } from './index_spec.ts'
import { type Direction, encodeCompoundKey } from './keys.ts'
import { openScan, type Row } from './scan.ts'

/** Few enough not to hold up those who wait meanwhile. */
export const expiry_batch = 1000

/** Deletes up to a thousand documents of each TTL index; answers how many went. The caller commits. */
export function deleteExpired(engine: Engine, now: number): number {
  let deleted = 0
  for (const database of engine.catalog.databases()) {
    for (const collection of engine.catalog.collections(database)) {
      for (const index of collection.indexes) deleted += deleteBy(engine, collection, index, now)
    }
  }
  return deleted
}

function deleteBy(engine: Engine, collection: Collection, index: Index, now: number): number {
  if (index.expire_after_seconds === undefined) return 0
  const before = new Date(now - index.expire_after_seconds * 1000)
  const rows = expired(engine, collection, index, before)
  if (rows.length > 0) engine.storage.begin()
  for (const { row } of rows) {
    const stored = collection.byRow(row)
    if (stored !== undefined) collection.remove(stored)
  }
  return rows.length
}

/** Entries that are dates up to the given one: a field that is no date never expires. */
function expired(engine: Engine, collection: Collection, index: Index, before: Date): Row[] {
  const [direction] = index.directions as [Direction]
  const oldest = encodeCompoundKey([new Date(-8.64e15)], [direction])
  const newest = encodeCompoundKey([before], [direction])
  const range = direction === 1 ? { low: oldest, high: newest } : { low: newest, high: oldest }
  const plan = { index, ranges: [range], reverse: direction === -1, sorted: true, exact: true }
  const scan = openScan(engine.storage, collection, [plan])
  const rows: Row[] = []
  for (let row = scan.next(); row !== undefined && rows.length < expiry_batch; row = scan.next()) rows.push(row)
  scan.pause()
  return rows
}
