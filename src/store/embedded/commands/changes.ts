/** Changing found documents and making new ones by upsert: shared by update and findAndModify. */

import { ObjectId } from 'bson'
import type { Collection } from '../collection.ts'
import { isOperatorDocument } from '../conditions.ts'
import { encodeDocument } from '../encode.ts'
import type { Context } from '../engine.ts'
import type { SortField } from '../plan.ts'
import type { Filter } from '../query.ts'
import { rowsOf, select, selectById, selectByIds } from '../select.ts'
import type { StoredDocument } from '../stored.ts'
import type { Update } from '../update.ts'
import { placeOf, setAt } from '../update_paths.ts'
import { type Document, isDocument, typeOf } from '../values.ts'

/**
 * All are found before the first is given, so that no change moves one back into the reader's way; of many, only the row
 * numbers are kept.
 */
export function* findToChange(
  context: Context,
  collection: Collection,
  filter: Filter,
  sort: SortField[],
  multi: boolean,
): Generator<StoredDocument> {
  const one = selectById(context.storage, collection, filter)
  if (one !== undefined) {
    if (one !== null) yield one
    return
  }
  const named = multi ? selectByIds(context.storage, collection, filter) : undefined
  if (named !== undefined) {
    yield* named
    return
  }
  const limit = multi ? Number.POSITIVE_INFINITY : 1
  const query = { filter, sort, skip: 0, limit, deadline: context.deadline }
  const numbers: number[] = []
  for (const { row } of rowsOf(select(context.storage, collection, query))) numbers.push(row)
  for (const row of numbers) {
    const stored = collection.byRow(row)
    if (stored !== undefined) yield stored
  }
}

/** Makes the document that the filter describes and the update completes. */
export function upsert(collection: Collection, filter: Document, change: Update): { id: unknown; document: Document } {
  const made: Document = {}
  if (change.replacement) {
    seedId(filter, made)
    return insert(collection, change.make(made))
  }
  seedEqualities(filter, made)
  change.apply(made, true)
  return insert(collection, made)
}

function insert(collection: Collection, made: Document): { id: unknown; document: Document } {
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
    if (typeOf(operand) !== 'regex') setAt(placeOf(seed, path), operand)
  } else if ('$eq' in operand) setAt(placeOf(seed, path), operand.$eq)
  else if (Array.isArray(operand.$in) && operand.$in.length === 1) setAt(placeOf(seed, path), operand.$in[0])
}
