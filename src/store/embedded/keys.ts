/**
 * Order-preserving keys: any BSON values become bytes that compare (memcmp) exactly as MongoDB compares the values, in
 * ascending or descending fields. Equal values of different number types get equal bytes.
 */
import {
  type Binary,
  type BSONRegExp,
  type Code,
  type Decimal128,
  Double,
  type Long,
  type ObjectId,
  type Timestamp,
} from 'bson'
import { doubleBelow, fractionAbove } from './decimal.ts'
import { type Document, type TypeName, type_order, typeOf } from './values.ts'

export type Direction = 1 | -1

let bytes = Buffer.allocUnsafe(4096)
let at = 0

/** The key of one value. */
export function encodeKey(value: unknown): Buffer {
  at = 0
  writeValue(value)
  return finish(0)
}

/** The key of a compound index entry; a descending field has its bytes inverted. */
export function encodeCompoundKey(values: readonly unknown[], directions: readonly Direction[]): Buffer {
  at = 0
  for (let index = 0; index < values.length; index++) {
    const start = at
    writeValue(values[index])
    if (directions[index] === -1) invertRange(start, at)
  }
  return finish(0)
}

export function invert(key: Buffer): Buffer {
  const inverted = Buffer.allocUnsafe(key.length)
  for (let index = 0; index < key.length; index++) inverted[index] = ~(key[index] as number)
  return inverted
}

/** The smallest bytes above everything that begins with these. */
export function successor(key: Buffer): Buffer {
  let end = key.length
  while (end > 0 && key[end - 1] === 0xff) end--
  const next = Buffer.from(key.subarray(0, end))
  if (end > 0) next[end - 1] = (next[end - 1] as number) + 1
  return next
}

function finish(start: number): Buffer {
  return Buffer.from(bytes.subarray(start, at))
}

function invertRange(start: number, end: number): void {
  for (let index = start; index < end; index++) bytes[index] = ~(bytes[index] as number)
}

function reserve(length: number): void {
  if (at + length <= bytes.length) return
  const larger = Buffer.allocUnsafe(Math.max(bytes.length * 2, at + length))
  bytes.copy(larger, 0, 0, at)
  bytes = larger
}

function writeByte(value: number): void {
  reserve(1)
  bytes[at++] = value
}

function writeValue(value: unknown): void {
  writeByte(type_order[typeOf(value)])
  writePayload(value)
}

function writePayload(value: unknown): void {
  if (typeof value === 'string') writeText(value)
  else if (typeof value === 'number' || typeof value === 'bigint') writeNumber(value)
  else if (typeof value === 'boolean') writeByte(value ? 1 : 0)
  else writers[typeOf(value)]?.(value)
}

/** The types that are objects in JavaScript; those missing here have no content. */
const writers: { [type in TypeName]?: (value: unknown) => void } = {
  double: (value) => writeNumber(value as Double),
  int: (value) => writeNumber(Number(value)),
  long: (value) => writeNumber((value as Long).toBigInt()),
  decimal: (value) => writeNumber(value as Decimal128),
  date: (value) => writeUint64(BigInt((value as Date).getTime()) + int64_offset),
  objectId: (value) => writeBytes((value as ObjectId).id),
  object: (value) => writeDocument(value as Document),
  array: (value) => writeArray(value as unknown[]),
  binData: (value) => writeBinary(value as Binary),
  timestamp: (value) => writeUint64((value as Timestamp).toBigInt()),
  symbol: (value) => writeText(String(value)),
  regex: (value) => {
    writeText((value as BSONRegExp).pattern)
    writeText((value as BSONRegExp).options)
  },
  javascript: (value) => writeText((value as Code).code),
  javascriptWithScope: (value) => {
    writeText((value as Code).code)
    writeDocument((value as Code).scope as Document)
  },
}

/** UTF-8 with 0x00 written as 0x00 0xff and 0x00 0x00 at the end, so that no text is a prefix of another's key. */
function writeText(text: string): void {
  reserve(text.length * 3 + 2)
  const start = at
  at += bytes.write(text, at)
  if (text.includes('\0')) escapeZeros(start)
  writeByte(0)
  writeByte(0)
}

function escapeZeros(start: number): void {
  const plain = Buffer.from(bytes.subarray(start, at))
  at = start
  for (const byte of plain) {
    writeByte(byte)
    if (byte === 0) writeByte(0xff)
  }
}

/** The double at or below the value, then how far above it the value lies (only what a double cannot hold). */
function writeNumber(value: number | bigint | Double | Decimal128): void {
  const plain = value instanceof Double ? value.value : value
  if (typeof plain === 'number') writeDouble(plain, 0n)
  else if (typeof plain === 'bigint' && plain >= -9007199254740992n && plain <= 9007199254740992n) {
    writeDouble(Number(plain), 0n)
  } else {
    const below = doubleBelow(plain)
    writeDouble(below, Number.isFinite(below) ? fractionAbove(plain, below) : 0n)
  }
}

function writeDouble(value: number, fraction: bigint): void {
  reserve(25)
  if (Number.isNaN(value)) bytes.fill(0, at, at + 8)
  else {
    bytes.writeDoubleBE(value === 0 ? 0 : value, at)
    if (value < 0) invertRange(at, at + 8)
    else bytes[at] = (bytes[at] as number) ^ 0x80
  }
  at += 8
  writeByte(fraction === 0n ? 0 : 1)
  if (fraction === 0n) return
  writeUint64(fraction >> 64n)
  writeUint64(fraction & 0xffff_ffff_ffff_ffffn)
}

const int64_offset = 1n << 63n

function writeUint64(value: bigint): void {
  reserve(8)
  bytes.writeBigUInt64BE(value, at)
  at += 8
}

function writeBytes(value: Uint8Array): void {
  reserve(value.length)
  bytes.set(value, at)
  at += value.length
}

/** Length, then subtype, then bytes: the length in front also says where they end. */
function writeBinary(value: Binary): void {
  reserve(5)
  at = bytes.writeUInt32BE(value.position, at)
  writeByte(value.sub_type)
  writeBytes(value.value())
}

function writeDocument(value: Document): void {
  for (const key of Object.keys(value)) {
    const field = value[key]
    writeByte(type_order[typeOf(field)])
    writeText(key)
    writePayload(field)
  }
  writeByte(0)
}

function writeArray(values: readonly unknown[]): void {
  for (const value of values) writeValue(value)
  writeByte(0)
}
