/** Changing found documents and making new ones by upsert: shared by update and findAndModify. */

import { ObjectId } from 'bson'
import type { Collection } from '../collection.ts'
import { isOperatorDocument } from '../conditions.ts'
import { decodeDocument } from '../decode.ts'
import { encodeDocument } from '../encode.ts'
import type { Context } from '../engine.ts'
import type { SortField } from '../plan.ts'
import type { Filter } from '../query.ts'
import type { Row } from '../scan.ts'
import { rowsOf, select, selectById } from '../select.ts'
import type { Update } from '../update.ts'
import { placeOf } from '../update_paths.ts'
import { type Document, isDocument, typeOf } from '../values.ts'

/**
 * All rows are found before the first is given, so that no change moves a row back into the reader's way; of many, only
 * the numbers are kept.
 */
export function* findRows(
  context: Context,
  collection: Collection,
  filter: Filter,
  sort: SortField[],
  multi: boolean,
): Generator<Row> {
  const one = selectById(context.storage, collection, filter)
  if (one !== undefined) {
    if (one !== null) yield one
    return
  }
  const limit = multi ? Number.POSITIVE_INFINITY : 1
  const query = { filter, sort, skip: 0, limit, deadline: context.deadline }
  const found = rowsOf(select(context.storage, collection, query))
  if (!multi) {
    const [row] = [...found]
    if (row !== undefined) yield row
    return
  }
  const numbers: number[] = []
  for (const { row } of found) numbers.push(row)
  for (const row of numbers) {
    const bytes = collection.byRow(row)
    if (bytes !== undefined) yield { row, bytes }
  }
}

export function changeRow(
  collection: Collection,
  { row, bytes }: Row,
  change: Update,
): { changed: boolean; document: Document } {
  const document = change.apply(decodeDocument(bytes), false)
  return { changed: collection.replace(row, bytes, document, change.heads), document }
}

/** Makes the document that the filter describes and the update completes. */
export function upsert(collection: Collection, filter: Document, change: Update): { id: unknown; document: Document } {
  const seed: Document = {}
  if (change.replacement) seedId(filter, seed)
  else seedEqualities(filter, seed)
  const made = change.apply(seed, true)
  const document: Document = '_id' in made && made._id !== undefined ? made : { _id: new ObjectId(), ...made }
  const id = collection.insert(encodeDocument(document))
  return { id, document }
}

function seedId(filter: Document, seed: Document): void {
  const found: Document = {}
  seedEqualities(filter, found)
  if (found._id !== undefined) seed._id = found._id
}

/** What the filter demands by equality becomes part of the new document. */
function seedEqualities(filter: Document, seed: Document): void {
  for (const [key, operand] of Object.entries(filter)) {
    if (key === '$and' && Array.isArray(operand)) {
      for (const part of operand) if (isDocument(part)) seedEqualities(part, seed)
    } else if (key === '$or' && Array.isArray(operand) && operand.length === 1 && isDocument(operand[0])) {
      seedEqualities(operand[0], seed)
    } else if (!key.startsWith('$')) seedField(key, operand, seed)
  }
}

function seedField(path: string, operand: unknown, seed: Document): void {
  if (!isOperatorDocument(operand)) {
    if (typeOf(operand) !== 'regex') placeOf(seed, path, true)?.set(operand)
  } else if ('$eq' in operand) placeOf(seed, path, true)?.set(operand.$eq)
  else if (Array.isArray(operand.$in) && operand.$in.length === 1) placeOf(seed, path, true)?.set(operand.$in[0])
}
