/** The update operators, each turning one `path: operand` into a change of a document. */
import { Timestamp } from 'bson'
import { calculate } from './arithmetic.ts'
import { compareValues, equalValues } from './compare.ts'
import { isOperatorDocument } from './conditions.ts'
import { describe } from './describe.ts'
import { badValue, CommandError } from './errors.ts'
import { compileFilter } from './query.ts'
import { existingPlace, type Place, placeOf, setAt, unsetAt, valueAt } from './update_paths.ts'
import { copyValue, type Document, isDocument, isNumeric, numberOf, typeOf } from './values.ts'

/** The change answers whether it made a difference. Done twice to equal documents it does the same. */
type Operator = (path: string, operand: unknown) => (document: Document) => boolean

const set: Operator = (path, operand) => (document) => setAt(placeOf(document, path), copyValue(operand))

const unset: Operator = (path) => (document) => {
  const place = existingPlace(document, path)
  return place !== undefined && unsetAt(place)
}

const increment: Operator = (path, operand) => {
  if (!isNumeric(operand)) {
    throw new CommandError(
      'TypeMismatch',
      `Cannot increment with non-numeric argument: {${path}: ${describe(operand)}}`,
    )
  }
  return (document) => {
    const place = placeOf(document, path)
    const value = valueAt(place)
    if (value === undefined) return setAt(place, operand)
    if (!isNumeric(value)) {
      throw new CommandError(
        'TypeMismatch',
        `Cannot apply $inc to a value of non-numeric type. {_id: ${describe(document._id)}} has the field '${path}' of non-numeric type ${typeOf(value)}`,
      )
    }
    const sum = calculate('add', value, operand)
    if (sum === undefined) {
      throw badValue(
        `Failed to apply $inc operations to current value ((NumberLong)${value}) for document {_id: ${describe(document._id)}}`,
      )
    }
    return setAt(place, sum)
  }
}

/** Direction 1 keeps the smaller of the two, -1 the larger. */
const keepBy =
  (direction: 1 | -1): Operator =>
  (path, operand) =>
  (document) => {
    const place = placeOf(document, path)
    const value = valueAt(place)
    const better = value === undefined || compareValues(operand, value) * direction < 0
    return better && setAt(place, copyValue(operand))
  }

const push: Operator = (path, operand) => {
  const { values, slice } = readPush(operand)
  return (document) => {
    const place = placeOf(document, path)
    const array = arrayAt(place)
    if (!Array.isArray(array)) throw notArray(document, path, array)
    const longer = [...array, ...values.map(copyValue)]
    return setAt(place, slice === undefined ? longer : slice < 0 ? longer.slice(slice) : longer.slice(0, slice))
  }
}

function readPush(operand: unknown): { values: unknown[]; slice: number | undefined } {
  if (!isDocument(operand) || !isOperatorDocument(operand)) return { values: [operand], slice: undefined }
  for (const key of Object.keys(operand)) {
    if (key !== '$each' && key !== '$slice') throw badValue(`Unrecognized clause in $push: ${key}`)
  }
  if (!Array.isArray(operand.$each)) throw badValue('The argument to $each in $push must be an array')
  if (operand.$slice === undefined) return { values: operand.$each, slice: undefined }
  const slice = Number(numberOf(operand.$slice))
  if (!Number.isInteger(slice)) throw badValue('The value for $slice must be an integer')
  return { values: operand.$each, slice }
}

const pull: Operator = (path, operand) => {
  const matches = pullTest(operand)
  return (document) => {
    const place = existingPlace(document, path)
    const array = place && valueAt(place)
    if (place === undefined || array === undefined) return false
    if (!Array.isArray(array)) throw badValue('Cannot apply $pull to a non-array value')
    const left = array.filter((value) => !matches(value))
    return left.length < array.length && setAt(place, left)
  }
}

/** A document is a filter for elements that are documents; operators are a condition on the element itself. */
function pullTest(operand: unknown): (value: unknown) => boolean {
  if (isOperatorDocument(operand)) {
    const { test } = compileFilter({ element: operand })
    return (element) => test({ element })
  }
  if (isDocument(operand)) {
    const { test } = compileFilter(operand)
    return (element) => isDocument(element) && test(element)
  }
  if (typeOf(operand) === 'regex') {
    const { test } = compileFilter({ element: operand })
    return (element) => test({ element })
  }
  return (element) => equalValues(element, operand)
}

const addToSet: Operator = (path, operand) => {
  const values = isOperatorDocument(operand) ? eachOf(operand) : [operand]
  return (document) => {
    const place = placeOf(document, path)
    const array = arrayAt(place)
    if (!Array.isArray(array)) throw notArray(document, path, array)
    const longer = [...array]
    for (const value of values) {
      if (!longer.some((other) => equalValues(other, value))) longer.push(copyValue(value))
    }
    return setAt(place, longer)
  }
}

function eachOf(operand: Document): unknown[] {
  if (Object.keys(operand).length !== 1 || !Array.isArray(operand.$each)) {
    throw badValue('$addToSet takes a value or { $each: [<values>] }')
  }
  return operand.$each
}

const currentDate: Operator = (path, operand) => {
  const type = isDocument(operand) ? operand.$type : operand === true ? 'date' : undefined
  if (type !== 'date' && type !== 'timestamp') {
    throw badValue("The '$currentDate' operand must be true or { $type: 'date' | 'timestamp' }")
  }
  const now = type === 'date' ? new Date() : new Timestamp({ t: Math.floor(Date.now() / 1000), i: 1 })
  return (document) => setAt(placeOf(document, path), now)
}

/** What is missing becomes an array; null is no array, to MongoDB as well. */
function arrayAt(place: Place): unknown {
  const value = valueAt(place)
  return value === undefined ? [] : value
}

const notArray = (document: Document, path: string, value: unknown): CommandError =>
  badValue(
    `The field '${path}' must be an array but is of type ${typeOf(value)} in document {_id: ${describe(document._id)}}`,
  )

export const operators: Readonly<Record<string, Operator | undefined>> = {
  __proto__: null as never,
  $set: set,
  $setOnInsert: set,
  $unset: unset,
  $inc: increment,
  $min: keepBy(1),
  $max: keepBy(-1),
  $push: push,
  $pull: pull,
  $addToSet: addToSet,
  $currentDate: currentDate,
}
