/** The expression operators, each compiling its operand. Dates are in expression_dates.ts. */
import { Decimal128, Double, ObjectId } from 'bson'
import { calculate, floating, isWhole, type Operation } from './arithmetic.ts'
import { compareValues, equalValues } from './compare.ts'
import { badValue, CommandError } from './errors.ts'
import { compileDateToString, compileDateTrunc } from './expression_dates.ts'
import type { Expression } from './expressions.ts'
import { type Document, isDocument, isNumeric, numberOf, setField, toDouble, toInteger, typeOf } from './values.ts'

export type Compile = (part: unknown) => Expression
type Operator = (operand: unknown, compile: Compile) => Expression

const isNothing = (value: unknown): boolean => value === null || value === undefined

/** MongoDB's truth: everything but false, null, missing and zero. */
function isTruthy(value: unknown): boolean {
  if (isNothing(value) || value === false) return false
  const number = numberOf(value)
  return number === undefined || Number(number) !== 0 || Number.isNaN(number)
}

/** An operator of so many arguments, given as an array (or bare where there is one). */
const withArguments =
  (name: string, least: number, most: number, run: (...values: unknown[]) => unknown): Operator =>
  (operand, compile) => {
    const parts = Array.isArray(operand) ? operand : [operand]
    if (parts.length < least || parts.length > most) {
      throw badValue(
        `Expression ${name} takes ${least === most ? least : `${least} to ${most}`} arguments. ${parts.length} were passed in.`,
      )
    }
    const compiled = parts.map(compile)
    return (document) => run(...compiled.map((part) => part(document)))
  }

const many = Number.POSITIVE_INFINITY

function calculateOrThrow(name: string, operation: Operation, left: unknown, right: unknown): unknown {
  if (!isNumeric(left) || !isNumeric(right)) {
    const odd = isNumeric(left) ? right : left
    throw new CommandError('TypeMismatch', `${name} only supports numeric or date types, not ${typeOf(odd)}`)
  }
  // An Int64 that overflows becomes a double in MongoDB's expressions; here it is an error, for money must never round.
  const result = calculate(operation, left, right)
  if (result === undefined) throw badValue(`${name} overflows Int64`)
  return result
}

const fold =
  (name: string, operation: Operation, start: number) =>
  (...values: unknown[]): unknown => {
    if (values.some(isNothing)) return null
    const dates = values.filter((value) => value instanceof Date)
    if (operation === 'add' && dates.length === 1) {
      const others = values.filter((value) => !(value instanceof Date)).map(floating)
      return new Date(others.reduce((sum, value) => sum + Math.round(value), (dates[0] as Date).getTime()))
    }
    return values.reduce((total, value) => calculateOrThrow(name, operation, total, value), start)
  }

function subtract(left: unknown, right: unknown): unknown {
  if (isNothing(left) || isNothing(right)) return null
  if (left instanceof Date && right instanceof Date) return BigInt(left.getTime() - right.getTime())
  if (left instanceof Date && isNumeric(right)) return new Date(left.getTime() - Math.round(floating(right)))
  return calculateOrThrow('$subtract', 'subtract', left, right)
}

function divide(left: unknown, right: unknown): unknown {
  if (isNothing(left) || isNothing(right)) return null
  if (!isNumeric(left) || !isNumeric(right) || left instanceof Decimal128 || right instanceof Decimal128) {
    throw new CommandError('TypeMismatch', '$divide only supports numeric types')
  }
  if (floating(right) === 0) throw badValue("can't $divide by zero")
  return toDouble(floating(left) / floating(right))
}

const comparison = (name: string, test: (order: number) => boolean): Operator =>
  withArguments(name, 2, 2, (left, right) => test(compareValues(left, right)))

const condition: Operator = (operand, compile) => {
  const parts = Array.isArray(operand) ? operand : isDocument(operand) ? [operand.if, operand.then, operand.else] : []
  if (parts.length !== 3 || (isDocument(operand) && Object.keys(operand).length !== 3)) {
    throw badValue('$cond needs if, then and else')
  }
  const [check, yes, no] = parts.map(compile) as [Expression, Expression, Expression]
  return (document) => (isTruthy(check(document)) ? yes(document) : no(document))
}

const choose: Operator = (operand, compile) => {
  if (!isDocument(operand) || !Array.isArray(operand.branches) || operand.branches.length === 0) {
    throw badValue('$switch requires at least one branch')
  }
  const branches = operand.branches.map((branch: Document) => ({
    test: compile(branch.case),
    value: compile(branch.then),
  }))
  const otherwise = 'default' in operand ? compile(operand.default) : undefined
  return (document) => {
    for (const { test, value } of branches) if (isTruthy(test(document))) return value(document)
    if (otherwise !== undefined) return otherwise(document)
    throw badValue('$switch could not find a matching branch for an input, and no default was specified')
  }
}

const every: Operator = (operand, compile) => {
  const parts = (Array.isArray(operand) ? operand : [operand]).map(compile)
  return (document) => parts.every((part) => isTruthy(part(document)))
}

const some: Operator = (operand, compile) => {
  const parts = (Array.isArray(operand) ? operand : [operand]).map(compile)
  return (document) => parts.some((part) => isTruthy(part(document)))
}

function contains(value: unknown, array: unknown): boolean {
  if (!Array.isArray(array)) throw badValue('$in requires an array as a second argument')
  return array.some((element) => equalValues(element, value))
}

function concat(...texts: unknown[]): unknown {
  if (texts.some(isNothing)) return null
  const odd = texts.find((text) => typeof text !== 'string')
  if (odd !== undefined) throw badValue(`$concat only supports strings, not ${typeOf(odd)}`)
  return texts.join('')
}

function toText(value: unknown): unknown {
  if (isNothing(value)) return null
  if (value instanceof Date) return value.toISOString()
  if (value instanceof ObjectId) return value.toHexString()
  if (typeof value === 'string' || typeof value === 'boolean' || isNumeric(value))
    return String(value instanceof Double ? value.value : value)
  throw new CommandError('ConversionFailure', `Unsupported conversion from ${typeOf(value)} to string in $convert`)
}

function toLong(value: unknown): unknown {
  if (isNothing(value)) return null
  if (isWhole(value)) return BigInt(value)
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (value instanceof Date) return BigInt(value.getTime())
  const number = numberOf(value)
  if (typeof number === 'number' && Math.abs(number) < 2 ** 63) return BigInt(Math.trunc(number))
  if (typeof value === 'string' && /^[+-]?\d{1,19}$/.test(value)) {
    const parsed = BigInt(value.replace(/^\+/, ''))
    if (BigInt.asIntN(64, parsed) === parsed) return parsed
  }
  throw new CommandError('ConversionFailure', `Failed to convert ${typeOf(value)} to long in $convert`)
}

function sizeOfArray(array: unknown): unknown {
  if (!Array.isArray(array)) throw badValue(`The argument to $size must be an array, but was of type: ${typeOf(array)}`)
  return toInteger(array.length)
}

function elementAt(array: unknown, index: unknown): unknown {
  if (isNothing(array) || isNothing(index)) return null
  if (!Array.isArray(array)) throw badValue(`$arrayElemAt's first argument must be an array, but is ${typeOf(array)}`)
  const at = numberOf(index)
  if (at === undefined || !Number.isInteger(Number(at)))
    throw badValue("$arrayElemAt's second argument must be a whole number")
  return array.at(Number(at))
}

function objectToArray(value: unknown): unknown {
  if (isNothing(value)) return null
  if (!isDocument(value)) throw badValue(`$objectToArray requires a document input, found: ${typeOf(value)}`)
  return Object.keys(value).map((key) => {
    const pair: Document = { k: key }
    setField(pair, 'v', value[key])
    return pair
  })
}

/** `$sum`, `$min` and their like over the elements of an array or over the arguments. */
const over =
  (run: (values: unknown[]) => unknown): Operator =>
  (operand, compile) => {
    const compiled = (Array.isArray(operand) ? operand : [operand]).map(compile)
    return (document) => {
      const values = compiled.map((part) => part(document))
      const [only] = values
      return run(values.length === 1 && Array.isArray(only) ? only : values)
    }
  }

const total = (values: unknown[]): unknown =>
  values.filter(isNumeric).reduce((sum, value) => calculateOrThrow('$sum', 'add', sum, value), 0)

function average(values: unknown[]): unknown {
  const numbers = values.filter(isNumeric)
  return numbers.length === 0 ? null : toDouble(floating(total(numbers)) / numbers.length)
}

const extreme =
  (direction: 1 | -1) =>
  (values: unknown[]): unknown => {
    const present = values.filter((value) => !isNothing(value))
    return present.reduce(
      (best, value) => (compareValues(value, best) * direction < 0 ? value : best),
      present[0] ?? null,
    )
  }

export const expression_operators: Readonly<Record<string, Operator | undefined>> = {
  $add: withArguments('$add', 0, many, fold('$add', 'add', 0)),
  $multiply: withArguments('$multiply', 0, many, fold('$multiply', 'multiply', 1)),
  $subtract: withArguments('$subtract', 2, 2, subtract),
  $divide: withArguments('$divide', 2, 2, divide),
  $cond: condition,
  $switch: choose,
  $ifNull: withArguments('$ifNull', 2, many, (...values) => values.find((value) => !isNothing(value)) ?? values.at(-1)),
  $eq: comparison('$eq', (order) => order === 0),
  $ne: comparison('$ne', (order) => order !== 0),
  $gt: comparison('$gt', (order) => order > 0),
  $gte: comparison('$gte', (order) => order >= 0),
  $lt: comparison('$lt', (order) => order < 0),
  $lte: comparison('$lte', (order) => order <= 0),
  $and: every,
  $or: some,
  $not: withArguments('$not', 1, 1, (value) => !isTruthy(value)),
  $in: withArguments('$in', 2, 2, contains),
  $concat: withArguments('$concat', 0, many, concat),
  $toString: withArguments('$toString', 1, 1, toText),
  $toLong: withArguments('$toLong', 1, 1, toLong),
  $size: withArguments('$size', 1, 1, sizeOfArray),
  $arrayElemAt: withArguments('$arrayElemAt', 2, 2, elementAt),
  $objectToArray: withArguments('$objectToArray', 1, 1, objectToArray),
  $sum: over(total),
  $avg: over(average),
  $min: over(extreme(1)),
  $max: over(extreme(-1)),
  $dateToString: compileDateToString,
  $dateTrunc: compileDateTrunc,
}
