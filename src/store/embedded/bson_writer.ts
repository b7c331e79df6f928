/**
 * Writes BSON from the store's values into one buffer that is used again and again; what is finished is copied out. It is
 * the counterpart of decode.ts: every number keeps its type. Types that are rare go through bson's own serializer.
 */
import { type Document as BsonDocument, Double, serialize } from 'bson'
import { type Document, isInt32 } from './values.ts'

let bytes = Buffer.allocUnsafe(64 * 1024)
let at = 0

/** A buffer that has grown beyond this for one large document is not kept for the next. */
const keep_max_bytes = 4 * 1024 * 1024

/** One document made of what `write` puts into it by `writeField` and `writeElements`. */
export function buildDocument(write: () => void): Buffer {
  at = 4
  write()
  writeByte(0)
  bytes.writeInt32LE(at, 0)
  const built = Buffer.from(bytes.subarray(0, at))
  if (bytes.length > keep_max_bytes) bytes = Buffer.allocUnsafe(64 * 1024)
  return built
}

/** Copies elements that are BSON already. */
export function writeElements(source: Buffer, start: number, end: number): void {
  reserve(end - start)
  at += source.copy(bytes, at, start, end)
}

/**
 * What a document in a large map of documents was written as. An account carries hundreds of holds, of which a write
 * changes a few: the others are copied. Whoever changes a document in place calls `forgetWritten` first.
 */
const written = Symbol('written')
type Remembering = { [written]?: Buffer | undefined }

/** A document of more fields than this is a map. */
const map_size = 8

export function forgetWritten(value: object): void {
  if ((value as Remembering)[written] !== undefined) (value as Remembering)[written] = undefined
}

/** `remember`: the value is kept and will be written again. */
export function writeField(name: string, value: unknown, remember = false): void {
  switch (typeof value) {
    case 'string':
      writeHead(0x02, name)
      writeText(value)
      return
    case 'number':
      writeNumber(name, value)
      return
    case 'bigint':
      writeHead(0x12, name)
      writeInt64(value)
      return
    case 'boolean':
      writeHead(0x08, name)
      writeByte(value ? 1 : 0)
      return
    case 'object':
      writeObject(name, value, remember)
      return
    default:
      // BSON's undefined, as bson writes it.
      writeHead(0x0a, name)
  }
}

function writeNumber(name: string, value: number): void {
  if (isInt32(value)) {
    writeHead(0x10, name)
    reserve(4)
    at = bytes.writeInt32LE(value, at)
  } else writeDouble(name, value)
}

function writeDouble(name: string, value: number): void {
  writeHead(0x01, name)
  reserve(8)
  at = bytes.writeDoubleLE(value, at)
}

function writeObject(name: string, value: object | null, remember: boolean): void {
  if (value === null) writeHead(0x0a, name)
  else if (Array.isArray(value)) {
    writeHead(0x04, name)
    const start = begin()
    for (let index = 0; index < value.length; index++) writeField(indexName(index), value[index])
    end(start)
  } else if (Object.getPrototypeOf(value) === Object.prototype) {
    writeHead(0x03, name)
    writeDocument(value as Document, remember)
  } else if (value instanceof Date) {
    writeHead(0x09, name)
    writeWhole(value.getTime())
  } else if (value instanceof Double) writeDouble(name, value.value)
  else {
    const rare = serialize({ [name]: value } as BsonDocument, { ignoreUndefined: false })
    const wrapped = Buffer.from(rare.buffer, rare.byteOffset, rare.byteLength)
    writeElements(wrapped, 4, wrapped.length - 1)
  }
}

function writeDocument(document: Document, remember: boolean): void {
  const known = (document as Remembering)[written]
  if (known !== undefined) {
    writeElements(known, 0, known.length)
    return
  }
  const start = begin()
  const keys = Object.keys(document)
  const is_map = remember && keys.length > map_size
  for (const key of keys) {
    const from = at
    writeField(key, document[key], remember)
    if (is_map && bytes[from] === 0x03) rememberFrom(from, document[key] as Remembering)
  }
  end(start)
}

/** What was written last, a document in a field that begins at `from`. */
function rememberFrom(from: number, value: Remembering): void {
  if (value[written] === undefined) value[written] = Buffer.from(bytes.subarray(bytes.indexOf(0, from + 1) + 1, at))
}

export function writeFields(document: Document): void {
  for (const key of Object.keys(document)) writeField(key, document[key])
}

/** Leaves room for the length of a nested document; `end` fills it in. */
function begin(): number {
  reserve(4)
  at += 4
  return at - 4
}

function end(start: number): void {
  writeByte(0)
  bytes.writeInt32LE(at - start, start)
}

function writeByte(value: number): void {
  reserve(1)
  bytes[at++] = value
}

function writeHead(type: number, name: string): void {
  writeByte(type)
  writeUtf8(name)
  if (name.includes('\0')) throw new Error(`A field name holds a zero byte: ${JSON.stringify(name)}`)
  writeByte(0)
}

function writeText(text: string): void {
  reserve(4)
  const start = at
  at += 4
  writeUtf8(text)
  writeByte(0)
  bytes.writeInt32LE(at - start - 4, start)
}

const max_short_text = 48

/** Short plain text is written here: crossing into C++ for it costs several times as much. */
function writeUtf8(text: string): void {
  reserve(text.length * 3)
  const start = at
  if (text.length <= max_short_text) {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > 127) {
        at = start + bytes.write(text, start)
        return
      }
      bytes[at++] = code
    }
  } else at += bytes.write(text, at)
}

const two_32 = 2 ** 32

function writeInt64(value: bigint): void {
  const plain = Number(value)
  if (Number.isSafeInteger(plain)) writeWhole(plain)
  else {
    reserve(8)
    at = bytes.writeBigInt64LE(value, at)
  }
}

/** A whole number that a double holds exactly, in two halves: arithmetic with bigint costs ten times as much. */
function writeWhole(value: number): void {
  reserve(8)
  const high = Math.floor(value / two_32)
  bytes.writeUInt32LE(value - high * two_32, at)
  at = bytes.writeInt32LE(high, at + 4)
}

const index_names: string[] = Array.from({ length: 1000 }, (_, index) => String(index))

const indexName = (index: number): string => index_names[index] ?? String(index)

function reserve(length: number): void {
  if (at + length <= bytes.length) return
  const larger = Buffer.allocUnsafe(Math.max(bytes.length * 2, at + length))
  bytes.copy(larger, 0, 0, at)
  bytes = larger
}
