/** The sqlite tables of indexes: who holds a key, adding and removing entries. Which entries there are to be is not its matter. */
import { describe } from './describe.ts'
import { CommandError } from './errors.ts'
import type { Index } from './index_spec.ts'
import { expandedValues } from './paths.ts'
import type { Storage } from './storage.ts'
import type { Document } from './values.ts'

/** The row that has this key in a unique index. */
export function holderOf(storage: Storage, index: Index, key: Buffer): number | undefined {
  const sql = `select row from ${index.table} where key = ?`
  const found = storage.statement(sql).get(key) as unknown as [number] | undefined
  return found?.[0]
}

export function addEntries(storage: Storage, index: Index, keys: readonly Buffer[], row: number): void {
  if (keys.length === 0) return
  const statement = storage.statement(`insert into ${index.table} (key, row) values (?, ?)`)
  for (const key of keys) statement.run(key, row)
}

export function removeEntries(storage: Storage, index: Index, keys: readonly Buffer[], row: number): void {
  if (keys.length === 0) return
  const statement = storage.statement(`delete from ${index.table} where key = ? and row = ?`)
  for (const key of keys) statement.run(key, row)
}

/** Once a field has held an array the planner must reckon with it for good. */
export function noteMultikey(storage: Storage, index: Index, multikey: number): void {
  if ((index.multikey | multikey) === index.multikey) return
  index.multikey |= multikey
  const sql = 'update catalog_indexes set multikey = ? where id = ?'
  storage.statement(sql).run(index.multikey, Number(index.table.slice(1)))
}

export function duplicateKey(namespace: string, index: Index, document: Document): CommandError {
  const values: Document = {}
  for (const { path } of index.fields) values[path] = expandedValues(document, path).values[0] ?? null
  const message = `E11000 duplicate key error collection: ${namespace} index: ${index.name} dup key: ${describe(values)}`
  return new CommandError('DuplicateKey', message, { keyPattern: index.spec.key, keyValue: values })
}
