/** insert, update and delete: many statements in one command, each failing alone. */
import { decodeDocument, RawDocument } from '../decode.ts'
import { encodeDocument } from '../encode.ts'
import type { Command, Context } from '../engine.ts'
import { CommandError } from '../errors.ts'
import { compileFilter } from '../query.ts'
import { compileUpdate } from '../update.ts'
import { type Document, isDocument } from '../values.ts'
import { arrayField, collectionName, countField, documentField, flagField } from './arguments.ts'
import { findToChange, upsert } from './changes.ts'
import { checkHint } from './hint.ts'

type Totals = { n: number; nModified?: number; upserted?: Document[] }

const max_statements = 100_000

/** Runs the statements in order; a failed one is reported by its index, and ends an ordered command. */
function eachStatement(
  { command }: Context,
  list: string,
  totals: Totals,
  run: (statement: unknown, index: number) => void,
): Document {
  const statements = arrayField(command, list)
  if (statements.length === 0 || statements.length > max_statements) {
    throw new CommandError(
      'InvalidLength',
      `Write batch sizes must be between 1 and ${max_statements}. Got ${statements.length} operations.`,
    )
  }
  const ordered = flagField(command, 'ordered', true)
  const errors: Document[] = []
  for (const [index, statement] of statements.entries()) {
    try {
      run(statement, index)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      errors.push({ index, code: error.code, errmsg: error.message, ...error.detail })
      if (ordered) break
    }
  }
  return { ...totals, ...(errors.length > 0 && { writeErrors: errors }) }
}

function insert(context: Context): Document {
  const collection = context.catalog.obtain(context.database, collectionName(context.command))
  const totals: Totals = { n: 0 }
  return eachStatement(context, 'documents', totals, (given) => {
    collection.insert(bytesOf(given))
    totals.n++
  })
}

function bytesOf(given: unknown): Buffer {
  if (given instanceof RawDocument) return given.bytes
  if (isDocument(given)) return encodeDocument(given)
  throw new CommandError('TypeMismatch', 'each of documents must be an object')
}

const update_fields: ReadonlySet<string> = new Set(['q', 'u', 'multi', 'upsert', 'hint'])

function update(context: Context): Document {
  const totals = { n: 0, nModified: 0 }
  const upserted: Document[] = []
  const answer = eachStatement(context, 'updates', totals, (statement, index) => {
    const given = statementOf(statement, 'updates', update_fields)
    const length = statement instanceof RawDocument ? statement.bytes.length : undefined
    const id = updateOne(context, given, totals, length)
    if (id !== undefined) upserted.push({ index, _id: id.value })
  })
  return upserted.length > 0 ? { ...answer, ...totals, upserted } : { ...answer, ...totals }
}

function updateOne(
  context: Context,
  given: Document,
  totals: { n: number; nModified: number },
  length: number | undefined,
): { value: unknown } | undefined {
  const filter = compileFilter(documentField(given, 'q'))
  const change = compileUpdate(given.u, length)
  const multi = flagField(given, 'multi', false)
  if (multi && change.replacement) {
    throw new CommandError('FailedToParse', 'multi update is not supported for replacement-style update')
  }
  const name = collectionName(context.command)
  const collection = context.catalog.find(context.database, name)
  checkHint(collection, given.hint)
  let matched = 0
  if (collection !== undefined) {
    for (const found of findToChange(context, collection, filter, [], multi)) {
      const changed = collection.change(found, change)
      matched++
      totals.n++
      if (changed) totals.nModified++
    }
  }
  if (matched > 0 || !flagField(given, 'upsert', false)) return undefined
  const { id } = upsert(context.catalog.obtain(context.database, name), documentField(given, 'q'), change)
  totals.n++
  return { value: id }
}

const delete_fields: ReadonlySet<string> = new Set(['q', 'limit', 'hint'])

function remove(context: Context): Document {
  const collection = context.catalog.find(context.database, collectionName(context.command))
  const totals: Totals = { n: 0 }
  return eachStatement(context, 'deletes', totals, (statement) => {
    const given = statementOf(statement, 'deletes', delete_fields)
    const filter = compileFilter(documentField(given, 'q'))
    const limit = countField(given, 'limit', 0)
    if (limit > 1) throw new CommandError('FailedToParse', 'The limit field in delete objects must be 0 or 1')
    if (collection === undefined) return
    checkHint(collection, given.hint)
    for (const found of findToChange(context, collection, filter, [], limit === 0)) {
      collection.remove(found)
      totals.n++
    }
  })
}

function statementOf(statement: unknown, list: string, fields: ReadonlySet<string>): Document {
  const given = statement instanceof RawDocument ? decodeDocument(statement.bytes) : statement
  if (!isDocument(given)) throw new CommandError('TypeMismatch', `each of ${list} must be an object`)
  for (const field of Object.keys(given)) {
    if (!fields.has(field)) {
      throw new CommandError(
        'UnknownField',
        `BSON field '${list}.${field}' is an unknown field or not supported by this store.`,
      )
    }
  }
  return given
}

const command = (run: Command['run'], list: string): Command => ({
  run,
  fields: new Set([list, 'ordered', 'bypassDocumentValidation']),
  writes: true,
})

export const write_commands: readonly (readonly [string, Command])[] = [
  ['insert', command(insert, 'documents')],
  ['update', command(update, 'updates')],
  ['delete', command(remove, 'deletes')],
]
