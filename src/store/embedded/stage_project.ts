/** `$project` and `$addFields`: inclusion and exclusion of fields, and fields computed by expressions. */
import { badValue } from './errors.ts'
import { compileExpression, type Expression, type ExpressionScope } from './expressions.ts'
import { splitPath } from './paths.ts'
import { compileProjection } from './projection.ts'
import type { Stage } from './stages.ts'
import { placeOf, setAt } from './update_paths.ts'
import { copyValue, type Document, getField, isDocument, numberOf, setField } from './values.ts'

type Computed = { path: string; value: Expression }

/** `{ a: { b: 1 } }` means `a.b: 1`; an operator or a text is an expression. */
function flatten(given: Document, prefix: string, into: Map<string, unknown>): void {
  for (const key of Object.keys(given)) {
    const value = given[key]
    const path = prefix === '' ? key : `${prefix}.${key}`
    if (splitPath(path).some((part) => part === '' || part.startsWith('$')))
      throw badValue(`'${path}' is not a field path`)
    const nested = isDocument(value) && Object.keys(value).length > 0 && !Object.keys(value)[0]?.startsWith('$')
    if (nested) flatten(value, path, into)
    else into.set(path, value)
  }
}

const isFlag = (value: unknown): boolean => typeof value === 'boolean' || numberOf(value) !== undefined

const isOff = (value: unknown): boolean =>
  value === false || (numberOf(value) !== undefined && Number(numberOf(value)) === 0)

export function compileProject(operand: unknown, scope: ExpressionScope): Stage {
  if (!isDocument(operand) || Object.keys(operand).length === 0) {
    throw badValue('$project specification must be an object with at least one field')
  }
  const fields = new Map<string, unknown>()
  flatten(operand, '', fields)
  const computed: Computed[] = []
  const flags: Document = {}
  for (const [path, value] of fields) {
    if (isFlag(value)) flags[path] = value
    else computed.push({ path, value: compileExpression(value, scope) })
  }
  noteFields(flags, computed, scope)
  const names = Object.keys(flags).filter((name) => name !== '_id')
  if (computed.length > 0 && names.some((name) => isOff(flags[name]))) {
    throw badValue('Cannot mix exclusion and computed fields in a $project')
  }
  const keep = keeper(flags, computed)
  return function* projected(documents) {
    for (const document of documents) yield compute(document, keep(document), computed)
  }
}

/** With computed fields only, just `_id` is kept. */
function keeper(flags: Document, computed: readonly Computed[]): (document: Document) => Document {
  const including = Object.keys(flags).some((name) => name !== '_id' && !isOff(flags[name]))
  if (computed.length === 0 || including) return compileProjection(flags) ?? ((document) => document)
  if (isOff(flags._id) || computed.some(({ path }) => path === '_id')) return () => ({})
  return (document) => ('_id' in document ? { _id: document._id } : {})
}

/** An exclusion passes everything else on, so everything must be read. */
function noteFields(flags: Document, computed: readonly Computed[], scope: ExpressionScope): void {
  scope.fields.add('_id')
  const names = Object.keys(flags).filter((name) => name !== '_id')
  if (names.some((name) => isOff(flags[name])) || (names.length === 0 && computed.length === 0)) scope.everything = true
  for (const name of names) scope.fields.add(splitPath(name)[0] ?? name)
}

export function compileAddFields(operand: unknown, scope: ExpressionScope): Stage {
  if (!isDocument(operand) || Object.keys(operand).length === 0) {
    throw badValue('$addFields specification must be an object with at least one field')
  }
  scope.everything = true
  const fields = new Map<string, unknown>()
  flatten(operand, '', fields)
  const computed = [...fields].map(([path, value]) => ({ path, value: compileExpression(value, scope) }))
  return function* extended(documents) {
    for (const document of documents) yield compute(document, { ...document }, computed)
  }
}

function compute(document: Document, target: Document, computed: readonly Computed[]): Document {
  const results = computed.map(({ path, value }) => ({ path, value: value(document) }))
  for (const { path, value } of results) {
    if (value === undefined) continue
    if (!path.includes('.')) setField(target, path, value)
    else {
      const head = splitPath(path)[0] as string
      // The branch is shared with the document that came in, which others may still read.
      const branch = copyValue(getField(target, head))
      setField(target, head, isDocument(branch) ? branch : {})
      setAt(placeOf(target, path), value)
    }
  }
  return target
}
