/** find, getMore, killCursors, count and distinct. */
import { compareValues } from '../compare.ts'
import type { DocumentSource } from '../cursors.ts'
import { decodeDocument } from '../decode.ts'
import { encodeCursor, encodeDocument } from '../encode.ts'
import type { Command, Context } from '../engine.ts'
import { CommandError } from '../errors.ts'
import { encodeKey } from '../keys.ts'
import { expandedValues, headOf } from '../paths.ts'
import { compileProjection, fieldsOf } from '../projection.ts'
import { compileFilter } from '../query.ts'
import type { RowSource } from '../scan.ts'
import { rowsOf, select, selectById } from '../select.ts'
import { readSort } from '../sort.ts'
import { type Document, toInteger } from '../values.ts'
import { arrayField, collectionName, countField, documentField, flagField, textField } from './arguments.ts'
import { checkHint } from './hint.ts'

const first_batch_size = 101

function find(context: Context): Buffer {
  const { command, storage, catalog, cursors } = context
  const name = collectionName(command)
  const namespace = `${context.database}.${name}`
  const filter = compileFilter(documentField(command, 'filter'))
  const project = compileProjection(command.projection)
  const sort = readSort(command.sort)
  const collection = catalog.find(context.database, name)
  if (collection === undefined) return encodeCursor('firstBatch', [], 0n, namespace)
  checkHint(collection, command.hint)
  const skip = countField(command, 'skip', 0)
  const limit = countField(command, 'limit', 0) || Number.POSITIVE_INFINITY
  const batch_size = countField(command, 'batchSize', first_batch_size)
  if (skip === 0 && batch_size > 0) {
    const one = selectById(storage, collection, filter)
    if (one !== undefined) {
      const batch = one === null ? [] : [project === undefined ? one.encode() : encodeDocument(project(one.whole()))]
      return encodeCursor('firstBatch', batch, 0n, namespace)
    }
  }
  const rows = select(storage, collection, { filter, sort, skip, limit, deadline: context.deadline })
  return cursors.open(
    namespace,
    new FoundDocuments(rows, project, fieldsOf(command.projection)),
    batch_size,
    flagField(command, 'singleBatch', false),
  )
}

class FoundDocuments implements DocumentSource {
  readonly #rows: RowSource
  readonly #project: ((document: Document) => Document) | undefined
  readonly #only: ReadonlySet<string> | undefined

  constructor(
    rows: RowSource,
    project: ((document: Document) => Document) | undefined,
    only: ReadonlySet<string> | undefined,
  ) {
    this.#rows = rows
    this.#project = project
    this.#only = only
  }

  next(): Buffer | undefined {
    const row = this.#rows.next()
    if (row === undefined || this.#project === undefined) return row?.bytes
    return encodeDocument(this.#project(decodeDocument(row.bytes, { only: this.#only })))
  }

  pause(): void {
    this.#rows.pause()
  }
}

function getMore({ command, cursors, database }: Context): Buffer {
  const id = cursorId(command.getMore)
  const namespace = `${database}.${textField(command, 'collection')}`
  return cursors.next(id, namespace, countField(command, 'batchSize', 0) || Number.POSITIVE_INFINITY)
}

function cursorId(value: unknown): bigint {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return BigInt(value)
  throw new CommandError('TypeMismatch', 'A cursor id must be a long')
}

function killCursors({ command, cursors }: Context): Document {
  const ids = arrayField(command, 'cursors').map(cursorId)
  const killed = ids.filter((id) => cursors.kill(id))
  return {
    cursorsKilled: killed,
    cursorsNotFound: ids.filter((id) => !killed.includes(id)),
    cursorsAlive: [],
    cursorsUnknown: [],
  }
}

function count(context: Context): Document {
  const { command, storage } = context
  const filter = compileFilter(documentField(command, 'query'))
  const collection = context.catalog.find(context.database, collectionName(command))
  if (collection === undefined) return { n: 0 }
  checkHint(collection, command.hint)
  const skip = countField(command, 'skip', 0)
  const limit = countField(command, 'limit', 0) || Number.POSITIVE_INFINITY
  if (filter.complete && filter.predicates.length === 0) {
    return { n: toInteger(Math.min(Math.max(collection.count - skip, 0), limit)) }
  }
  let n = 0
  const rows = select(storage, collection, { filter, sort: [], skip, limit, deadline: context.deadline })
  for (const _ of rowsOf(rows)) n++
  return { n: toInteger(n) }
}

function distinct(context: Context): Document {
  const { command, storage } = context
  const path = textField(command, 'key')
  const filter = compileFilter(documentField(command, 'query'))
  const collection = context.catalog.find(context.database, collectionName(command))
  if (collection === undefined) return { values: [] }
  checkHint(collection, command.hint)
  const found = new Map<string, unknown>()
  const query = { filter, sort: [], skip: 0, limit: Number.POSITIVE_INFINITY, deadline: context.deadline }
  const only = new Set([headOf(path)])
  for (const { bytes } of rowsOf(select(storage, collection, query))) {
    for (const value of expandedValues(decodeDocument(bytes, { only }), path).values) {
      if (value === undefined || (Array.isArray(value) && value.length === 0)) continue
      const key = encodeKey(value).toString('latin1')
      if (!found.has(key)) found.set(key, value)
    }
  }
  return { values: [...found.values()].sort(compareValues) }
}

const command = (run: Command['run'], ...fields: string[]): Command => ({ run, fields: new Set(fields), writes: false })

export const find_commands: readonly (readonly [string, Command])[] = [
  [
    'find',
    command(
      find,
      'filter',
      'projection',
      'sort',
      'skip',
      'limit',
      'batchSize',
      'singleBatch',
      'hint',
      'allowDiskUse',
      'noCursorTimeout',
      'allowPartialResults',
    ),
  ],
  ['getMore', command(getMore, 'collection', 'batchSize')],
  ['killCursors', command(killCursors, 'cursors')],
  ['count', command(count, 'query', 'skip', 'limit', 'hint', 'fields')],
  ['distinct', command(distinct, 'key', 'query', 'hint')],
]
