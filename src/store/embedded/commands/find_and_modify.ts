/** findAndModify: changes, makes or removes one document and answers with it, before or after. */
import { decodeDocument } from '../decode.ts'
import type { Command, Context } from '../engine.ts'
import { CommandError } from '../errors.ts'
import { compileProjection } from '../projection.ts'
import { compileFilter } from '../query.ts'
import { readSort } from '../sort.ts'
import { compileUpdate } from '../update.ts'
import type { Document } from '../values.ts'
import { collectionName, documentField, flagField } from './arguments.ts'
import { findToChange, upsert } from './changes.ts'
import { checkHint } from './hint.ts'

function findAndModify(context: Context): Document {
  const { command, catalog, database } = context
  const name = collectionName(command)
  const filter = compileFilter(documentField(command, 'query'))
  const project = compileProjection(command.fields) ?? ((document: Document) => document)
  const sort = readSort(command.sort)
  const remove = flagField(command, 'remove', false)
  const wants_new = flagField(command, 'new', false)
  if (remove === (command.update !== undefined)) {
    throw new CommandError(
      'FailedToParse',
      remove ? 'Cannot specify both an update and remove=true' : 'Either an update or remove=true must be specified',
    )
  }
  const collection = catalog.find(database, name)
  checkHint(collection, command.hint)
  const [found] = collection === undefined ? [] : findToChange(context, collection, filter, sort, false)
  if (remove) {
    if (collection === undefined || found === undefined) return { lastErrorObject: { n: 0 }, value: null }
    collection.remove(found)
    return { lastErrorObject: { n: 1 }, value: project(found.whole()) }
  }
  const change = compileUpdate(command.update)
  if (collection !== undefined && found !== undefined) {
    const before = wants_new ? undefined : found.encode()
    collection.change(found, change)
    const value = project(before === undefined ? found.whole() : decodeDocument(before))
    return { lastErrorObject: { n: 1, updatedExisting: true }, value }
  }
  if (!flagField(command, 'upsert', false)) return { lastErrorObject: { n: 0, updatedExisting: false }, value: null }
  const { id, document } = upsert(catalog.obtain(database, name), documentField(command, 'query'), change)
  return {
    lastErrorObject: { n: 1, updatedExisting: false, upserted: id },
    value: wants_new ? project(document) : null,
  }
}

const fields: ReadonlySet<string> = new Set([
  'query',
  'sort',
  'remove',
  'update',
  'new',
  'fields',
  'upsert',
  'hint',
  'bypassDocumentValidation',
])

const command: Command = { run: findAndModify, fields, writes: true }

export const find_and_modify_commands: readonly (readonly [string, Command])[] = [
  ['findAndModify', command],
  ['findandmodify', command],
]
