/**
 * Compiles an update (operators or a replacement) into a change of one decoded document. It knows no rows and no
 * indexes; an operator it does not know is MongoDB's FailedToParse.
 */
import { equalValues } from './compare.ts'
import { describe } from './describe.ts'
import { badValue, CommandError } from './errors.ts'
import { headOf, isIndex, splitPath } from './paths.ts'
import { operators } from './update_operators.ts'
import { copyValue, type Document, getField, isDocument, setField } from './values.ts'

export type OperatorUpdate = {
  replacement: false
  /** Changes the document; answers whether it is another now. `inserting`: it is being made by an upsert. */
  apply: (document: Document, inserting: boolean) => boolean
  /** The top-level fields it may change. */
  heads: ReadonlySet<string>
  /** By how many bytes of BSON it can lengthen a document, at most. */
  growth_max: number
}

export type Replacement = {
  replacement: true
  /** The document to put in another's place. */
  make: (document: Document) => Document
  growth_max: number
}

export type Update = OperatorUpdate | Replacement

/** An element that an operator makes is at most this many times as long as the element of the update that asks for it. */
const growth_factor = 8

/**
 * `length`: of the update as BSON, where it is known. Throws FailedToParse, BadValue or ConflictingUpdateOperators for
 * what cannot be carried out on any document.
 */
export function compileUpdate(update: unknown, length = Number.POSITIVE_INFINITY): Update {
  if (Array.isArray(update)) throw badValue('Update pipelines are not supported by this store')
  if (!isDocument(update)) throw new CommandError('FailedToParse', 'Update argument must be an object')
  const [first] = Object.keys(update)
  return first?.startsWith('$') ? compileOperators(update, length) : compileReplacement(update, length)
}

function compileReplacement(update: Document, length: number): Replacement {
  for (const key of Object.keys(update)) {
    if (!key.startsWith('$')) continue
    throw new CommandError(
      'DollarPrefixedFieldName',
      `The dollar ($) prefixed field '${key}' is not allowed in the context of an update's replacement document.`,
    )
  }
  const make = (document: Document): Document => {
    const replaced: Document = {}
    const id = document._id ?? update._id
    if (id !== undefined) replaced._id = id
    for (const key of Object.keys(update)) if (key !== '_id') setField(replaced, key, copyValue(update[key]))
    if (update._id !== undefined && !equalValues(update._id, id)) throw immutableId()
    return replaced
  }
  return { replacement: true, make, growth_max: length }
}

type Change = { path: string; on_insert_only: boolean; apply: (document: Document) => boolean }

function compileOperators(update: Document, length: number): OperatorUpdate {
  const changes: Change[] = []
  for (const name of Object.keys(update)) {
    const operator = operators[name]
    if (operator === undefined) {
      throw new CommandError(
        'FailedToParse',
        `Unknown modifier: ${name}. Expected a valid update modifier or pipeline-style update specified as an array`,
      )
    }
    const fields = update[name]
    if (!isDocument(fields)) {
      throw new CommandError(
        'FailedToParse',
        `Modifiers operate on fields but we found type ${typeof fields} instead. For example: {$mod: {<field>: ...}} not {${name}: ${describe(fields)}}`,
      )
    }
    for (const path of Object.keys(fields)) {
      checkPath(path)
      changes.push({ path, on_insert_only: name === '$setOnInsert', apply: operator(path, fields[path]) })
    }
  }
  const paths = changes.map((change) => change.path)
  const heads = new Set(paths.map(headOf))
  if (heads.size < paths.length) checkConflicts(paths)
  // A number in a path may be the place in an array that is filled up with nulls before it.
  const fills = paths.some((path) => path.includes('.') && splitPath(path).some(isIndex))
  return {
    replacement: false,
    apply: (document, inserting) => applyChanges(changes, heads, document, inserting),
    heads,
    growth_max: fills ? Number.POSITIVE_INFINITY : length * growth_factor,
  }
}

function applyChanges(
  changes: readonly Change[],
  heads: ReadonlySet<string>,
  document: Document,
  inserting: boolean,
): boolean {
  const id = heads.has('_id') ? copyValue(document._id) : undefined
  let changed = false
  for (const change of changes) {
    if ((inserting || !change.on_insert_only) && change.apply(document)) changed = true
  }
  if (id !== undefined && !(getField(document, '_id') !== undefined && equalValues(document._id, id))) {
    throw immutableId()
  }
  return changed
}

const immutableId = (): CommandError =>
  new CommandError('ImmutableField', "Performing an update on the path '_id' would modify the immutable field '_id'")

function checkPath(path: string): void {
  for (const part of splitPath(path)) {
    if (part === '')
      throw new CommandError(
        'EmptyFieldName',
        `The update path '${path}' contains an empty field name, which is not allowed.`,
      )
    if (part === '$' || part.startsWith('$['))
      throw badValue(`Positional operators are not supported by this store: '${path}'`)
    if (part.startsWith('$')) {
      throw new CommandError(
        'DollarPrefixedFieldName',
        `The dollar ($) prefixed field '${part}' in '${path}' is not allowed in the context of an update.`,
      )
    }
  }
}

function checkConflicts(paths: string[]): void {
  const sorted = paths.map((path) => `${path}.`).sort()
  for (let index = 1; index < sorted.length; index++) {
    const before = sorted[index - 1] as string
    const path = sorted[index] as string
    if (!path.startsWith(before)) continue
    const [whole, part] = [path.slice(0, -1), before.slice(0, -1)]
    throw new CommandError(
      'ConflictingUpdateOperators',
      `Updating the path '${whole}' would create a conflict at '${part}'`,
    )
  }
}
