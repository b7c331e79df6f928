/**
 * Compiles aggregation expressions (`$add`, `$cond`, field paths, …) into functions of a document. A missing value is
 * `undefined`. An operator it does not know is MongoDB's own error.
 */
import { badValue, CommandError } from './errors.ts'
import { expression_operators } from './expression_operators.ts'
import { splitPath } from './paths.ts'
import { type Document, getField, isDocument, setField } from './values.ts'

export type Expression = (document: Document) => unknown

/** What the expressions of one command share. */
export type ExpressionScope = {
  /** `$$NOW`: one moment for the whole command. */
  now: Date
  /** The top-level fields read so far; `$$ROOT` sets `everything`. */
  fields: Set<string>
  everything: boolean
}

export const newScope = (): ExpressionScope => ({ now: new Date(), fields: new Set(), everything: false })

/** Throws BadValue or InvalidPipelineOperator for what the store does not know. */
export function compileExpression(given: unknown, scope: ExpressionScope): Expression {
  if (typeof given === 'string' && given.startsWith('$')) return compilePath(given, scope)
  if (Array.isArray(given)) {
    const parts = given.map((part) => compileExpression(part, scope))
    return (document) => parts.map((part) => part(document) ?? null)
  }
  if (!isDocument(given)) return () => given
  const [operator] = Object.keys(given)
  if (operator?.startsWith('$')) return compileOperator(operator, given, scope)
  return compileObject(given, scope)
}

function compileOperator(operator: string, given: Document, scope: ExpressionScope): Expression {
  if (Object.keys(given).length !== 1) {
    throw badValue(
      `an expression specification must contain exactly one field, the name of the expression, found ${Object.keys(given).length} at ${operator}`,
    )
  }
  if (operator === '$literal') return () => given.$literal
  const compile = expression_operators[operator]
  if (compile === undefined) throw new CommandError('InvalidPipelineOperator', `Unrecognized expression '${operator}'`)
  return compile(given[operator], (part) => compileExpression(part, scope))
}

function compileObject(given: Document, scope: ExpressionScope): Expression {
  const fields = Object.keys(given).map((key) => ({ key, value: compileExpression(given[key], scope) }))
  return (document) => {
    const made: Document = {}
    for (const { key, value } of fields) {
      const result = value(document)
      if (result !== undefined) setField(made, key, result)
    }
    return made
  }
}

/** `$a.b`, `$$ROOT`, `$$ROOT.a`, `$$CURRENT.a`, `$$NOW`. */
function compilePath(path: string, scope: ExpressionScope): Expression {
  if (!path.startsWith('$$')) return compileFieldPath(path.slice(1), scope)
  const [variable = '', ...rest] = path.slice(2).split('.')
  if (variable === 'NOW' && rest.length === 0) return () => scope.now
  if (variable === 'REMOVE' && rest.length === 0) return () => undefined
  if (variable !== 'ROOT' && variable !== 'CURRENT') throw badValue(`Use of undefined variable: ${variable}`)
  if (rest.length > 0) return compileFieldPath(rest.join('.'), scope)
  scope.everything = true
  return (document) => document
}

function compileFieldPath(path: string, scope: ExpressionScope): Expression {
  const parts = splitPath(path)
  if (parts.some((part) => part === '' || part.startsWith('$'))) throw badValue(`'$${path}' is not a field path`)
  const [first] = parts as [string, ...string[]]
  scope.fields.add(first)
  if (parts.length === 1) return (document) => getField(document, first)
  return (document) => follow(document, parts, 0)
}

/** Through an array a path gives the array of what its elements have. */
function follow(value: unknown, parts: readonly string[], from: number): unknown {
  let current = value
  for (let index = from; index < parts.length; index++) {
    if (Array.isArray(current)) {
      return current.map((element) => follow(element, parts, index)).filter((found) => found !== undefined)
    }
    if (!isDocument(current)) return undefined
    current = getField(current, parts[index] as string)
  }
  return current
}
