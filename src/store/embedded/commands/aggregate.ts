/** aggregate: a pipeline over one collection, answered by a cursor. */
import { compilePipeline, runPipeline } from '../aggregate.ts'
import type { Command, Context } from '../engine.ts'
import { CommandError } from '../errors.ts'
import { arrayField, collectionName, countField, documentField } from './arguments.ts'
import { checkHint } from './hint.ts'

const first_batch_size = 101

function aggregate(context: Context): Buffer {
  const { command, storage, catalog, cursors, database } = context
  const name = collectionName(command)
  if (command.cursor === undefined) {
    throw new CommandError(
      'FailedToParse',
      "The 'cursor' option is required, except for aggregate with the explain argument",
    )
  }
  const pipeline = compilePipeline(arrayField(command, 'pipeline'), context.deadline)
  const collection = catalog.find(database, name)
  checkHint(collection, command.hint)
  const batch_size = countField(documentField(command, 'cursor'), 'batchSize', first_batch_size)
  return cursors.open(`${database}.${name}`, runPipeline(storage, collection, pipeline), batch_size, false)
}

const fields: ReadonlySet<string> = new Set(['pipeline', 'cursor', 'hint', 'allowDiskUse', 'bypassDocumentValidation'])

export const aggregate_commands: readonly (readonly [string, Command])[] = [
  ['aggregate', { run: aggregate, fields, writes: false }],
]
