/**
 * Reads BSON into the store's values (values.ts) with every number's type kept, and can skip the fields nobody asked
 * for. bson's own reader makes Int32 and whole doubles one type or wraps every number, and turns `$ref` into objects.
 */
import { Binary, BSONRegExp, BSONSymbol, Code, Decimal128, Long, MaxKey, MinKey, ObjectId, Timestamp } from 'bson'
import { type Cursor, checkLength, endOfName, readName, readText, skipValue, take } from './bson_bytes.ts'
import { badValue } from './errors.ts'
import { type Document, setField, toDouble } from './values.ts'

/** A document as bytes, read only where needed. */
export class RawDocument {
  readonly bytes: Buffer
  constructor(bytes: Buffer) {
    this.bytes = bytes
  }
}

export type DecodeOptions = {
  /** Decode only these top-level fields. */
  only?: ReadonlySet<string> | undefined
  /** Leave the documents of these top-level arrays as bytes (`insert` carries them so to the file). */
  raw_arrays?: ReadonlySet<string> | undefined
  /** Give null for the value of these top-level fields: they may stand there, and nobody reads them. */
  unread?: ReadonlySet<string> | undefined
}

const max_depth = 180

/** Reads one document. Throws BadValue when the bytes are no BSON document. */
export function decodeDocument(bytes: Buffer, options: DecodeOptions = {}): Document {
  checkLength(bytes, 0, bytes.length)
  const cursor: Cursor = { bytes, at: 4 }
  const document: Document = {}
  const { only, raw_arrays, unread } = options
  for (let type = bytes[cursor.at++]; type !== 0 && type !== undefined; type = bytes[cursor.at++]) {
    const name = readName(cursor)
    if (only !== undefined && !only.has(name)) skipValue(cursor, type)
    else if (unread?.has(name)) {
      skipValue(cursor, type)
      document[name] = null
    } else if (type === 4 && raw_arrays?.has(name)) document[name] = readRawArray(cursor)
    else setField(document, name, readValue(cursor, type, 1))
  }
  if (cursor.at !== bytes.length) throw badValue('Invalid BSON: a document ends before its length says')
  return document
}

/** Calls back for each top-level element with its name, type byte and [start, end) including type and name. */
export function eachElement(
  bytes: Buffer,
  visit: (name: string, type: number, start: number, value_start: number, end: number) => void,
): void {
  checkLength(bytes, 0, bytes.length)
  const cursor: Cursor = { bytes, at: 4 }
  for (;;) {
    const start = cursor.at
    const type = bytes[cursor.at++]
    if (type === 0 || type === undefined) break
    const name = readName(cursor)
    const value_start = cursor.at
    skipValue(cursor, type)
    visit(name, type, start, value_start, cursor.at)
  }
  if (cursor.at !== bytes.length) throw badValue('Invalid BSON: a document ends before its length says')
}

/** Reads one value that `eachElement` pointed at. */
export function decodeValue(bytes: Buffer, type: number, at: number): unknown {
  return readValue({ bytes, at }, type, 1)
}

function readRawArray(cursor: Cursor): RawDocument[] {
  const length = checkLength(cursor.bytes, cursor.at, cursor.bytes.length)
  const end = cursor.at + length - 1
  cursor.at += 4
  const documents: RawDocument[] = []
  while (cursor.at < end) {
    const type = cursor.bytes[cursor.at++]
    readName(cursor)
    if (type !== 3) throw badValue(`Element ${documents.length} of this array must be an object`)
    const size = checkLength(cursor.bytes, cursor.at, end)
    documents.push(new RawDocument(cursor.bytes.subarray(cursor.at, cursor.at + size)))
    cursor.at += size
  }
  cursor.at = end + 1
  return documents
}

function readDocument(cursor: Cursor, depth: number): Document {
  const end = nestedEnd(cursor, depth)
  const document: Document = {}
  while (cursor.at < end) {
    const type = cursor.bytes[cursor.at++] as number
    const name = readName(cursor)
    setField(document, name, readValue(cursor, type, depth + 1))
  }
  cursor.at = end + 1
  return document
}

function readArray(cursor: Cursor, depth: number): unknown[] {
  const end = nestedEnd(cursor, depth)
  const values: unknown[] = []
  while (cursor.at < end) {
    const type = cursor.bytes[cursor.at++] as number
    cursor.at = endOfName(cursor) + 1
    values.push(readValue(cursor, type, depth + 1))
  }
  cursor.at = end + 1
  return values
}

function nestedEnd(cursor: Cursor, depth: number): number {
  if (depth > max_depth) throw badValue(`Invalid BSON: nested deeper than ${max_depth} levels`)
  const end = cursor.at + checkLength(cursor.bytes, cursor.at, cursor.bytes.length) - 1
  cursor.at += 4
  return end
}

function readValue(cursor: Cursor, type: number, depth: number): unknown {
  const { bytes } = cursor
  switch (type) {
    case 0x01:
      return toDouble(bytes.readDoubleLE(take(cursor, 8)))
    case 0x02:
      return readText(cursor)
    case 0x03:
      return readDocument(cursor, depth)
    case 0x04:
      return readArray(cursor, depth)
    case 0x08:
      return bytes[take(cursor, 1)] === 1
    case 0x09:
      return readDate(cursor)
    case 0x0a:
      return null
    case 0x10:
      return bytes.readInt32LE(take(cursor, 4))
    case 0x12:
      return readInt64(cursor)
    default:
      return readRareValue(cursor, type, depth)
  }
}

function readRareValue(cursor: Cursor, type: number, depth: number): unknown {
  const { bytes } = cursor
  switch (type) {
    case 0x05:
      return readBinary(cursor)
    case 0x06:
      return undefined
    case 0x07:
      return new ObjectId(Buffer.from(bytes.subarray(take(cursor, 12), cursor.at)))
    case 0x0b: {
      const pattern = readName(cursor)
      return new BSONRegExp(pattern, readName(cursor))
    }
    case 0x0d:
      return new Code(readText(cursor))
    case 0x0e:
      return new BSONSymbol(readText(cursor))
    case 0x0f: {
      take(cursor, 4)
      const code = readText(cursor)
      return new Code(code, readDocument(cursor, depth))
    }
    case 0x11:
      return new Timestamp(Long.fromBigInt(bytes.readBigInt64LE(take(cursor, 8)), true))
    case 0x13:
      return new Decimal128(Buffer.from(bytes.subarray(take(cursor, 16), cursor.at)))
    case 0x7f:
      return new MaxKey()
    case 0xff:
      return new MinKey()
    default:
      throw badValue(`Unrecognized BSON type ${type}`)
  }
}

const two_32 = 2 ** 32
/** Below this upper half a double holds the whole Int64 exactly. */
const exact_high = 2 ** 21

/** By way of a double where that is exact: putting halves together as bigint costs several times as much. */
function readInt64(cursor: Cursor): bigint {
  const { bytes } = cursor
  const start = take(cursor, 8)
  const high = bytes.readInt32LE(start + 4)
  if (high >= exact_high || high < -exact_high) return bytes.readBigInt64LE(start)
  return BigInt(high * two_32 + bytes.readUInt32LE(start))
}

/** Every date that JavaScript has is exact as a double; one that is not lies beyond all of them. */
function readDate(cursor: Cursor): Date {
  const start = take(cursor, 8)
  const date = new Date(cursor.bytes.readInt32LE(start + 4) * two_32 + cursor.bytes.readUInt32LE(start))
  if (Number.isNaN(date.getTime())) throw badValue('A date beyond the year 275760 is not supported by this store')
  return date
}

function readBinary(cursor: Cursor): Binary {
  const length = cursor.bytes.readInt32LE(take(cursor, 4))
  const subtype = cursor.bytes[take(cursor, 1)] as number
  const start = take(cursor, length)
  return new Binary(Buffer.from(cursor.bytes.subarray(start, cursor.at)), subtype)
}
