/**
 * Compiles a MongoDB filter into a test for documents, and lists the plain conditions in it that an index may answer.
 * It never reads data. An operator it does not know is MongoDB's BadValue.
 */
import { compileCondition, isOperatorDocument } from './conditions.ts'
import { badValue } from './errors.ts'
import { headOf, splitPath } from './paths.ts'
import { type Document, isDocument } from './values.ts'

/** One condition on one path which every match fulfils. */
export type Predicate = { path: string; operator: string; operand: unknown }

export type Filter = {
  test: (document: Document) => boolean
  /** What holds for every match (the conditions joined by AND). */
  predicates: Predicate[]
  /** Alternatives of each `$or` joined to the rest by AND. */
  alternatives: Filter[][]
  /** True when `predicates` says all there is, so that an exact index answer needs no test. */
  complete: boolean
  /** The top-level fields that the test reads. */
  fields: Set<string>
}

type Test = (document: Document) => boolean

/** Throws BadValue for an operator or operand that the store does not know. */
export function compileFilter(filter: Document): Filter {
  const compiled: Filter = { test: always, predicates: [], alternatives: [], complete: true, fields: new Set() }
  const tests: Test[] = []
  for (const key of Object.keys(filter)) addClause(key, filter[key], compiled, tests)
  compiled.test = allOf(tests)
  return compiled
}

const always: Test = () => true

function allOf(tests: readonly Test[]): Test {
  const [first, second] = tests
  if (first === undefined) return always
  if (second === undefined) return first
  if (tests.length === 2) return (document) => first(document) && second(document)
  return (document) => {
    for (const test of tests) if (!test(document)) return false
    return true
  }
}

function addClause(key: string, operand: unknown, into: Filter, tests: Test[]): void {
  if (!key.startsWith('$')) {
    addField(key, operand, into, tests)
    return
  }
  const branches = compileBranches(key, operand)
  for (const branch of branches) for (const field of branch.fields) into.fields.add(field)
  if (key === '$and') {
    for (const branch of branches) {
      into.predicates.push(...branch.predicates)
      into.alternatives.push(...branch.alternatives)
      into.complete &&= branch.complete
      tests.push(branch.test)
    }
    return
  }
  into.complete = false
  if (key === '$or') {
    into.alternatives.push(branches)
    tests.push((document) => branches.some((branch) => branch.test(document)))
  } else tests.push((document) => !branches.some((branch) => branch.test(document)))
}

function compileBranches(key: string, operand: unknown): Filter[] {
  if (key !== '$and' && key !== '$or' && key !== '$nor') {
    throw badValue(
      `unknown top level operator: ${key}. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.`,
    )
  }
  if (!Array.isArray(operand)) throw badValue(`${key} must be an array`)
  if (operand.length === 0) throw badValue('$and/$or/$nor must be a nonempty array')
  return operand.map((entry) => {
    if (!isDocument(entry)) throw badValue('$or/$and/$nor entries need to be full objects')
    return compileFilter(entry)
  })
}

function addField(path: string, operand: unknown, into: Filter, tests: Test[]): void {
  into.fields.add(headOf(path))
  const parts = splitPath(path)
  if (!isOperatorDocument(operand)) {
    const regex = isRegex(operand)
    into.complete &&= !regex
    if (!regex) into.predicates.push({ path, operator: '$eq', operand })
    tests.push(compileCondition(parts, regex ? '$regex' : '$eq', operand, {}))
    return
  }
  for (const operator of Object.keys(operand)) {
    const value = operand[operator]
    if (operator === '$options' && '$regex' in operand) continue
    into.predicates.push({ path, operator, operand: value })
    into.complete &&= indexable.has(operator)
    tests.push(compileCondition(parts, operator, value, operand))
  }
}

const indexable: ReadonlySet<string> = new Set(['$eq', '$in', '$gt', '$gte', '$lt', '$lte'])

const isRegex = (value: unknown): boolean => (value as { _bsontype?: unknown } | null)?._bsontype === 'BSONRegExp'
