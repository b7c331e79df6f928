/**
 * How BSON values look inside the store, and their types. Int32 and fractional doubles are plain numbers, a double that
 * a plain number would turn into an Int32 is a `Double`, Int64 is a bigint; so every number keeps its type and its value.
 */
import { type Code, Double } from 'bson'

export type Document = Record<string, unknown>

export type TypeName =
  | 'minKey'
  | 'undefined'
  | 'null'
  | 'int'
  | 'long'
  | 'double'
  | 'decimal'
  | 'string'
  | 'symbol'
  | 'object'
  | 'array'
  | 'binData'
  | 'objectId'
  | 'bool'
  | 'date'
  | 'timestamp'
  | 'regex'
  | 'javascript'
  | 'javascriptWithScope'
  | 'dbPointer'
  | 'maxKey'

/** MongoDB's own `$type` aliases and numbers. */
export const type_numbers: Record<TypeName, number> = {
  double: 1,
  string: 2,
  object: 3,
  array: 4,
  binData: 5,
  undefined: 6,
  objectId: 7,
  bool: 8,
  date: 9,
  null: 10,
  regex: 11,
  dbPointer: 12,
  javascript: 13,
  symbol: 14,
  javascriptWithScope: 15,
  int: 16,
  timestamp: 17,
  long: 18,
  decimal: 19,
  minKey: -1,
  maxKey: 127,
}

/**
 * Order of the types among each other (MongoDB's comparison order), which is also the first byte of an encoded key: so
 * none is 0x00 or 0xff. All numbers share one place.
 */
export const type_order: Record<TypeName, number> = {
  minKey: 0x05,
  undefined: 0x08,
  null: 0x10,
  int: 0x20,
  long: 0x20,
  double: 0x20,
  decimal: 0x20,
  string: 0x30,
  symbol: 0x30,
  object: 0x40,
  array: 0x50,
  binData: 0x60,
  objectId: 0x68,
  bool: 0x70,
  date: 0x78,
  timestamp: 0x80,
  regex: 0x88,
  dbPointer: 0x90,
  javascript: 0x98,
  javascriptWithScope: 0xa0,
  maxKey: 0xf0,
}

const int32_min = -0x8000_0000
const int32_max = 0x7fff_ffff

export const isInt32 = (value: number): boolean => (value | 0) === value && !Object.is(value, -0)

const bson_types: Record<string, TypeName> = {
  Double: 'double',
  Int32: 'int',
  Long: 'long',
  Decimal128: 'decimal',
  ObjectId: 'objectId',
  Binary: 'binData',
  Timestamp: 'timestamp',
  BSONRegExp: 'regex',
  BSONSymbol: 'symbol',
  MinKey: 'minKey',
  MaxKey: 'maxKey',
  DBRef: 'object',
}

/** The BSON type of a decoded value; `undefined` means a missing value or BSON's undefined. */
export function typeOf(value: unknown): TypeName {
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'number':
      return isInt32(value) ? 'int' : 'double'
    case 'bigint':
      return 'long'
    case 'boolean':
      return 'bool'
    case 'undefined':
      return 'undefined'
    default:
  }
  if (value === null) return 'null'
  if (Object.getPrototypeOf(value) === Object.prototype) return 'object'
  if (Array.isArray(value)) return 'array'
  if (value instanceof Date) return 'date'
  const marker = (value as { _bsontype?: unknown })._bsontype
  if (typeof marker !== 'string') return 'object'
  if (marker === 'Code') return (value as Code).scope === null ? 'javascript' : 'javascriptWithScope'
  return bson_types[marker] ?? 'object'
}

export function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && typeOf(value) === 'object'
}

/** A double as the store holds it: wrapped where a plain number would read as an Int32. */
export const toDouble = (value: number): number | Double => (isInt32(value) ? new Double(value) : value)

/** A computed count or size as MongoDB gives it: Int32 while it fits, else Int64. */
export const toInteger = (value: number): number | bigint =>
  value >= int32_min && value <= int32_max ? value : BigInt(value)

/** The plain number or bigint inside a numeric value; undefined for what is no number (Decimal128 has its own way). */
export function numberOf(value: unknown): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  if (value instanceof Double) return value.value
  return undefined
}

export function isNumeric(value: unknown): boolean {
  const type = typeOf(value)
  return type === 'int' || type === 'long' || type === 'double' || type === 'decimal'
}

/** A deep copy, for the few places that put one value into a document twice. BSON's own objects are shared: never changed. */
export function copyValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyValue)
  if (!isDocument(value)) return value
  const copy: Document = {}
  for (const key of Object.keys(value)) setField(copy, key, copyValue(value[key]))
  return copy
}

/** Sets a field even if it is called `__proto__`, which an assignment would take for the prototype. */
export function setField(target: Document, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
  else target[key] = value
}

/** Reads a field the document itself has; an inherited `constructor` or `toString` is no field. */
export function getField(target: Document, key: string): unknown {
  const value = target[key]
  if (value === undefined || typeof value === 'function') return undefined
  return key === '__proto__' && !Object.hasOwn(target, key) ? undefined : value
}
