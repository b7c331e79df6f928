/** The small steps of reading BSON: lengths, names, texts, skipping. Values are decode.ts's work. */
import { badValue } from './errors.ts'

const max_short_text = 24

/** Where reading has come to. */
export type Cursor = { bytes: Buffer; at: number }

export function checkLength(bytes: Buffer, at: number, end: number): number {
  if (at + 5 > end) throw badValue('Invalid BSON: too short for a document')
  const length = bytes.readInt32LE(at)
  if (length < 5 || at + length > end || bytes[at + length - 1] !== 0) {
    throw badValue(`Invalid BSON: a document of ${length} bytes does not fit or has no end`)
  }
  return length
}

export function readText(cursor: Cursor): string {
  const length = cursor.bytes.readInt32LE(take(cursor, 4))
  const start = take(cursor, length)
  return textBetween(cursor.bytes, start, start + length - 1)
}

/** Short plain text is built here: crossing into C++ for it costs several times as much. */
function textBetween(bytes: Buffer, start: number, end: number): string {
  if (end - start > max_short_text) return bytes.toString('utf8', start, end)
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    if (byte > 127) return bytes.toString('utf8', start, end)
    text += String.fromCharCode(byte)
  }
  return text
}

const known_names: (string | undefined)[] = new Array(4096)

/** Field names repeat from document to document, so they are remembered by a hash of their bytes. */
export function readName(cursor: Cursor): string {
  const { bytes } = cursor
  const start = cursor.at
  let at = start
  let hash = 7
  for (let byte = bytes[at]; byte !== 0; byte = bytes[++at]) {
    if (byte === undefined) throw badValue('Invalid BSON: a field name has no end')
    hash = (hash * 31 + byte) | 0
  }
  cursor.at = at + 1
  const slot = hash & 4095
  const known = known_names[slot]
  if (known !== undefined && sameAscii(known, bytes, start, at)) return known
  const name = textBetween(bytes, start, at)
  known_names[slot] = name
  return name
}

function sameAscii(text: string, bytes: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code > 127 || code !== bytes[start + index]) return false
  }
  return true
}

export function endOfName(cursor: Cursor): number {
  const end = cursor.bytes.indexOf(0, cursor.at)
  if (end < 0) throw badValue('Invalid BSON: a field name has no end')
  return end
}

/** Moves past `length` bytes and answers where they began. */
export function take(cursor: Cursor, length: number): number {
  const start = cursor.at
  if (length < 0 || start + length > cursor.bytes.length) throw badValue('Invalid BSON: a value runs past the end')
  cursor.at = start + length
  return start
}

const fixed_lengths: Record<number, number> = {
  1: 8,
  6: 0,
  7: 12,
  8: 1,
  9: 8,
  10: 0,
  16: 4,
  17: 8,
  18: 8,
  19: 16,
  127: 0,
  255: 0,
}

export function skipValue(cursor: Cursor, type: number): void {
  const fixed = fixed_lengths[type]
  if (fixed !== undefined) take(cursor, fixed)
  else if (type === 2 || type === 13 || type === 14) take(cursor, cursor.bytes.readInt32LE(take(cursor, 4)))
  else if (type === 5) take(cursor, cursor.bytes.readInt32LE(take(cursor, 4)) + 1)
  else if (type === 3 || type === 4) take(cursor, checkLength(cursor.bytes, cursor.at, cursor.bytes.length))
  else if (type === 11) {
    cursor.at = endOfName(cursor) + 1
    cursor.at = endOfName(cursor) + 1
  } else if (type === 15) take(cursor, cursor.bytes.readInt32LE(cursor.at))
  else throw badValue(`Unrecognized BSON type ${type}`)
}
