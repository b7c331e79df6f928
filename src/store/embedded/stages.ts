/** The stages of an aggregation, each turning a stream of documents into another. Reading the collection is aggregate.ts. */
import { accumulatorFor } from './accumulators.ts'
import { badValue, CommandError } from './errors.ts'
import { compileExpression, type Expression, type ExpressionScope } from './expressions.ts'
import { encodeKey } from './keys.ts'
import { splitPath } from './paths.ts'
import { compileFilter } from './query.ts'
import { readSort, Sorter, sortKey } from './sort.ts'
import { compileAddFields, compileProject } from './stage_project.ts'
import { type Document, getField, isDocument, numberOf, setField, toInteger } from './values.ts'

export type Documents = Iterable<Document>
export type Stage = (documents: Documents) => Documents

/** Throws 40324 for a stage that the store does not know. */
export function compileStage(stage: unknown, scope: ExpressionScope, later: readonly unknown[]): Stage {
  if (!isDocument(stage) || Object.keys(stage).length !== 1) {
    throw new CommandError('InvalidStage', 'A pipeline stage specification object must contain exactly one field.')
  }
  const [name = ''] = Object.keys(stage)
  const compile = Object.hasOwn(stages, name) ? stages[name] : undefined
  if (compile === undefined) {
    throw new CommandError('UnrecognizedPipelineStage', `Unrecognized pipeline stage name: '${name}'`)
  }
  return compile(stage[name], scope, later)
}

type CompileStage = (operand: unknown, scope: ExpressionScope, later: readonly unknown[]) => Stage

const match: CompileStage = (operand) => {
  if (!isDocument(operand)) throw badValue('the match filter must be an expression in an object')
  const { test } = compileFilter(operand)
  return (documents) => filtered(documents, test)
}

function* filtered(documents: Documents, test: (document: Document) => boolean): Generator<Document> {
  for (const document of documents) if (test(document)) yield document
}

/** Keeps only as many as a `$limit` right behind it lets through. */
const sort: CompileStage = (operand, _scope, [next]) => {
  const fields = readSort(operand)
  const limit =
    isDocument(next) && next.$limit !== undefined ? countOf('$limit', next.$limit) : Number.POSITIVE_INFINITY
  return function* sorted(documents) {
    const sorter = new Sorter<Document>(limit)
    for (const document of documents) sorter.add(sortKey(document, fields), document)
    yield* sorter.finish()
  }
}

export function countOf(name: string, value: unknown): number {
  const number = Number(numberOf(value))
  if (Number.isInteger(number) && number >= 0) return number
  throw badValue(`the ${name} must be a whole number of at least 0`)
}

const skip: CompileStage = (operand) => {
  const count = countOf('$skip', operand)
  return function* skipped(documents) {
    let left = count
    for (const document of documents) if (left-- <= 0) yield document
  }
}

const limit: CompileStage = (operand) => {
  const count = countOf('$limit', operand)
  if (count === 0) throw badValue('the limit must be positive')
  return function* limited(documents) {
    let left = count
    for (const document of documents) {
      yield document
      if (--left === 0) return
    }
  }
}

const countAll: CompileStage = (operand) => {
  if (typeof operand !== 'string' || operand === '' || operand.startsWith('$') || operand.includes('.')) {
    throw badValue('the count field must be a non-empty string without $ or .')
  }
  return function* counted(documents) {
    let count = 0
    for (const _ of documents) count++
    if (count > 0) yield { [operand]: toInteger(count) }
  }
}

const unwind: CompileStage = (operand, scope) => {
  const options = isDocument(operand) ? operand : { path: operand }
  const { path, includeArrayIndex: index_field, preserveNullAndEmptyArrays: preserve } = options
  if (typeof path !== 'string' || !path.startsWith('$'))
    throw badValue('$unwind path must be a string that begins with $')
  const parts = splitPath(path.slice(1))
  if (parts[0] !== undefined) scope.fields.add(parts[0])
  return function* unwound(documents) {
    for (const document of documents) {
      const value = parts.reduce<unknown>(
        (holder, part) => (isDocument(holder) ? getField(holder, part) : undefined),
        document,
      )
      const elements = Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]
      for (const [index, element] of elements.entries()) {
        const made = withValue(document, parts, element)
        if (typeof index_field === 'string') made[index_field] = Array.isArray(value) ? BigInt(index) : null
        yield made
      }
      if (elements.length === 0 && preserve === true) {
        yield Array.isArray(value) ? withValue(document, parts, undefined) : document
      }
    }
  }
}

/** A copy that differs at one path; everything else is shared. */
function withValue(document: Document, parts: readonly string[], value: unknown): Document {
  const [part, ...rest] = parts
  const copy = { ...document }
  if (part === undefined) return copy
  if (rest.length > 0) setField(copy, part, withValue((getField(document, part) ?? {}) as Document, rest, value))
  else if (value === undefined) delete copy[part]
  else setField(copy, part, value)
  return copy
}

const group: CompileStage = (operand, scope) => {
  if (!isDocument(operand) || !('_id' in operand)) throw badValue('a group specification must include an _id')
  const id = compileExpression(operand._id, scope)
  const fields = Object.keys(operand)
    .filter((key) => key !== '_id')
    .map((key) => compileAccumulated(key, operand[key], scope))
  return function* grouped(documents) {
    const groups = new Map<
      string,
      { id: unknown; values: { add: (value: unknown) => void; result: () => unknown }[] }
    >()
    for (const document of documents) {
      const value = id(document) ?? null
      const key = encodeKey(value).toString('latin1')
      let found = groups.get(key)
      if (found === undefined) {
        found = { id: value, values: fields.map((field) => field.start()) }
        groups.set(key, found)
      }
      for (const [index, field] of fields.entries()) found.values[index]?.add(field.value(document))
    }
    for (const found of groups.values()) {
      const made: Document = { _id: found.id }
      for (const [index, field] of fields.entries()) setField(made, field.key, found.values[index]?.result())
      yield made
    }
  }
}

function compileAccumulated(key: string, operand: unknown, scope: ExpressionScope) {
  const [name = ''] = isDocument(operand) ? Object.keys(operand) : []
  if (!isDocument(operand) || Object.keys(operand).length !== 1 || key.includes('.')) {
    throw badValue(`The field '${key}' must be an accumulator object`)
  }
  const value: Expression = name === '$count' ? () => 1 : compileExpression(operand[name], scope)
  return { key, value, start: accumulatorFor(name) }
}

const stages: Readonly<Record<string, CompileStage>> = {
  $match: match,
  $project: compileProject,
  $addFields: compileAddFields,
  $group: group,
  $sort: sort,
  $skip: skip,
  $limit: limit,
  $unwind: unwind,
  $count: countAll,
}
