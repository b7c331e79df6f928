/** The conditions a filter may put on one path (`$eq`, `$in`, `$elemMatch`, …), each compiled into a test of a document. */
import { BSONRegExp } from 'bson'
import { compareValues, equalValues } from './compare.ts'
import { badValue } from './errors.ts'
import { encodeKey } from './keys.ts'
import { someValue } from './paths.ts'
import { compileFilter } from './query.ts'
import {
  type Document,
  isDocument,
  isNumeric,
  numberOf,
  type TypeName,
  type_numbers,
  type_order,
  typeOf,
} from './values.ts'

type ValueTest = (value: unknown) => boolean
type DocumentTest = (document: Document) => boolean

/** True for `{ $gt: 1, … }`; a document whose first field has no dollar is a value to be equal to. */
export function isOperatorDocument(value: unknown): value is Document {
  if (!isDocument(value)) return false
  const [first] = Object.keys(value)
  return first?.startsWith('$') === true && first !== '$ref' && first !== '$id' && first !== '$db'
}

/** The test of `{ path: { operator: operand } }`; `siblings` are the operators beside it ($options beside $regex). */
export function compileCondition(
  parts: readonly string[],
  operator: string,
  operand: unknown,
  siblings: Document,
): DocumentTest {
  if (operator === '$all') return compileAll(parts, operand)
  if (operator === '$exists' && !isTrue(operand)) return not(compileCondition(parts, '$exists', true, {}))
  const negated = negations[operator]
  if (negated !== undefined) return not(negated(parts, operand))
  const test = compileValueTest(operator, operand, siblings)
  const [only] = parts
  if (parts.length === 1 && only !== undefined && only !== '__proto__') {
    // `constructor` and its like are inherited functions, never values: the slow way knows.
    return (document) => (Object.hasOwn(document, only) ? test(document[only]) : test(undefined))
  }
  return (document) => someValue(document, parts, test)
}

const not =
  (test: DocumentTest): DocumentTest =>
  (document) =>
    !test(document)

const negations: Record<string, (parts: readonly string[], operand: unknown) => DocumentTest> = {
  $ne: (parts, operand) => compileCondition(parts, '$eq', operand, {}),
  $nin: (parts, operand) => compileCondition(parts, '$in', operand, {}),
  $not: compileNot,
}

function compileNot(parts: readonly string[], operand: unknown): DocumentTest {
  if (operand instanceof BSONRegExp) return compileCondition(parts, '$regex', operand, {})
  if (!isOperatorDocument(operand)) throw badValue('$not needs a regex or a document')
  const tests = Object.keys(operand)
    .filter((operator) => operator !== '$options')
    .map((operator) => compileCondition(parts, operator, operand[operator], operand))
  return (document) => tests.every((test) => test(document))
}

/** The test of one value at the end of the path, elements of an array included where MongoDB includes them. */
function compileValueTest(operator: string, operand: unknown, siblings: Document): ValueTest {
  switch (operator) {
    case '$eq':
      return orElement(equalTo(operand))
    case '$in':
      return orElement(oneOf(operand))
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return orElement(inRange(operator, operand))
    case '$regex':
      return orElement(matching(operand, siblings.$options))
    case '$type':
      return orElement(ofType(operand))
    case '$exists':
      return (value) => value !== undefined
    case '$size':
      return ofSize(operand)
    case '$elemMatch':
      return withElement(operand)
    default:
      throw badValue(`unknown operator: ${operator}`)
  }
}

const orElement =
  (test: ValueTest): ValueTest =>
  (value) =>
    test(value) || (Array.isArray(value) && value.some(test))

function equalTo(operand: unknown): ValueTest {
  if (operand === null || operand === undefined) return (value) => value === null || value === undefined
  if (typeof operand === 'string' || typeof operand === 'boolean') return (value) => value === operand
  return (value) => value !== undefined && equalValues(value, operand)
}

const few = 8

function oneOf(operand: unknown): ValueTest {
  if (!Array.isArray(operand)) throw badValue('$in needs an array')
  if (operand.some(isOperatorDocument)) throw badValue('cannot nest $ under $in')
  const tests = operand.map((entry) => (entry instanceof BSONRegExp ? matching(entry, undefined) : equalTo(entry)))
  if (tests.length <= few || operand.some((entry) => entry instanceof BSONRegExp || entry === null)) {
    return (value) => tests.some((test) => test(value))
  }
  const keys = new Set(operand.map((entry) => encodeKey(entry).toString('latin1')))
  return (value) => value !== undefined && keys.has(encodeKey(value).toString('latin1'))
}

const isNaNValue = (value: unknown): boolean => Number.isNaN(numberOf(value))

/** Only values of the operand's own type can match; NaN is neither above nor below a number. */
function inRange(operator: string, operand: unknown): ValueTest {
  const or_equal = operator === '$gte' || operator === '$lte'
  if (operand === null || operand === undefined) {
    return (value) => or_equal && (value === null || value === undefined)
  }
  if (isNaNValue(operand)) return (value) => or_equal && isNaNValue(value)
  const order = type_order[typeOf(operand)]
  const above = operator === '$gt' || operator === '$gte'
  return (value) => {
    if (value === undefined || type_order[typeOf(value)] !== order || isNaNValue(value)) return false
    const difference = compareValues(value, operand)
    return difference === 0 ? or_equal : above ? difference > 0 : difference < 0
  }
}

function matching(operand: unknown, options: unknown): ValueTest {
  const [pattern, flags] =
    operand instanceof BSONRegExp ? [operand.pattern, options ?? operand.options] : [operand, options ?? '']
  if (typeof pattern !== 'string') throw badValue('$regex has to be a string')
  if (typeof flags !== 'string' || /[^imsu]/.test(flags)) throw badValue('$options may be made of i, m, s and u')
  const regex = compileRegex(pattern, flags)
  return (value) => {
    if (value instanceof BSONRegExp) return value.pattern === pattern && value.options === flags
    return typeof value === 'string' && regex.test(value)
  }
}

function compileRegex(pattern: string, flags: string): RegExp {
  try {
    return new RegExp(pattern, flags.includes('u') ? flags : `${flags}u`)
  } catch {
    try {
      return new RegExp(pattern, flags.replace('u', ''))
    } catch (error) {
      throw badValue(`Regular expression is invalid: ${(error as Error).message}`)
    }
  }
}

function ofType(operand: unknown): ValueTest {
  const wanted = (Array.isArray(operand) ? operand : [operand]).map(typeTest)
  return (value) => value !== undefined && wanted.some((test) => test(value))
}

function typeTest(wanted: unknown): ValueTest {
  if (wanted === 'number') return isNumeric
  const number = numberOf(wanted)
  const name =
    typeof wanted === 'string' && wanted in type_numbers
      ? wanted
      : (Object.keys(type_numbers) as TypeName[]).find((key) => type_numbers[key] === Number(number))
  if (name === undefined) throw badValue(`Unknown type name alias: ${String(wanted)}`)
  return (value) => typeOf(value) === name
}

const isTrue = (value: unknown): boolean =>
  value !== false && value !== null && value !== undefined && Number(numberOf(value) ?? 1) !== 0

function ofSize(operand: unknown): ValueTest {
  const size = numberOf(operand)
  if (size === undefined || !Number.isInteger(Number(size)) || size < 0) {
    throw badValue('$size must be a whole number of at least 0')
  }
  return (value) => Array.isArray(value) && value.length === Number(size)
}

function compileAll(parts: readonly string[], operand: unknown): DocumentTest {
  if (!Array.isArray(operand)) throw badValue('$all needs an array')
  const tests = operand.map((entry) =>
    isOperatorDocument(entry) && '$elemMatch' in entry
      ? compileCondition(parts, '$elemMatch', entry.$elemMatch, {})
      : compileCondition(parts, '$eq', entry, {}),
  )
  return (document) => tests.length > 0 && tests.every((test) => test(document))
}

function withElement(operand: unknown): ValueTest {
  if (!isDocument(operand)) throw badValue('$elemMatch needs an Object')
  if (isOperatorDocument(operand) && !['$and', '$or', '$nor'].includes(Object.keys(operand)[0] ?? '')) {
    const tests = Object.keys(operand)
      .filter((operator) => operator !== '$options')
      .map((operator) => compileCondition(['element'], operator, operand[operator], operand))
    return (value) => Array.isArray(value) && value.some((element) => tests.every((test) => test({ element })))
  }
  const filter = compileFilter(operand)
  return (value) => Array.isArray(value) && value.some((element) => isDocument(element) && filter.test(element))
}
