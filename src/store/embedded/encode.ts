/**
 * Documents and answers as BSON. Answers that carry stored documents copy their bytes, so that what only passes through
 * is never decoded.
 */
import { Double } from 'bson'
import { buildDocument, writeFields } from './bson_writer.ts'
import type { Document } from './values.ts'

export const max_document_bytes = 16 * 1024 * 1024

export const encodeDocument = (document: Document): Buffer => buildDocument(() => writeFields(document))

const empty = Buffer.alloc(0)

/** A document made of elements of ours; each is given as bytes without the surrounding length and end. */
function wrap(elements: readonly Buffer[]): Buffer {
  let length = 5
  for (const element of elements) length += element.length
  const bytes = Buffer.allocUnsafe(length)
  bytes.writeInt32LE(length, 0)
  let at = 4
  for (const element of elements) at += element.copy(bytes, at)
  bytes[at] = 0
  return bytes
}

function head(type: number, name: string): Buffer {
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(name) + 2)
  bytes[0] = type
  bytes.write(name, 1)
  bytes[bytes.length - 1] = 0
  return bytes
}

/** The elements of an encoded document without its length and end. */
const elementsOf = (bytes: Buffer): Buffer => (bytes.length > 5 ? bytes.subarray(4, bytes.length - 1) : empty)

/** Merges encoded documents field after field. */
export const joinDocuments = (parts: readonly Buffer[]): Buffer => wrap(parts.map(elementsOf))

/**
 * The answer of a command that opens or continues a cursor, `{ cursor: { <batch_name>: [...], id, ns }, ok: 1 }`, with the
 * stored documents copied in once.
 */
export function encodeCursor(batch_name: string, documents: readonly Buffer[], id: bigint, namespace: string): Buffer {
  let array = 5
  for (const [index, document] of documents.entries()) array += indexHead(index).length + document.length
  const batch = head(4, batch_name)
  const tail = elementsOf(encodeDocument({ id, ns: namespace }))
  const cursor = 5 + batch.length + array + tail.length
  const bytes = Buffer.allocUnsafe(4 + cursor_head.length + cursor + ok.length + 1)
  let at = bytes.writeInt32LE(bytes.length, 0)
  at += cursor_head.copy(bytes, at)
  at = bytes.writeInt32LE(cursor, at)
  at += batch.copy(bytes, at)
  at = bytes.writeInt32LE(array, at)
  for (const [index, document] of documents.entries()) {
    at += indexHead(index).copy(bytes, at)
    at += document.copy(bytes, at)
  }
  bytes[at++] = 0
  at += tail.copy(bytes, at)
  bytes[at++] = 0
  at += ok.copy(bytes, at)
  bytes[at] = 0
  return bytes
}

const cursor_head = head(3, 'cursor')
const ok = elementsOf(encodeDocument({ ok: new Double(1) }))

const index_heads: Buffer[] = []

function indexHead(index: number): Buffer {
  const known = index_heads[index]
  if (known !== undefined) return known
  const made = head(3, String(index))
  if (index === index_heads.length && index < 4096) index_heads.push(made)
  return made
}
