/**
 * MongoDB's wire messages: cutting a byte stream into them, reading OP_MSG and the old OP_QUERY greeting, writing
 * answers. No compression: none is offered in `hello`.
 */
import { decodeDocument, RawDocument } from './decode.ts'
import { max_document_bytes } from './encode.ts'
import { badValue, CommandError } from './errors.ts'
import type { Document } from './values.ts'

const op_reply = 1
const op_query = 2004
const op_msg = 2013
const header_bytes = 16
export const max_message_bytes = 48_000_000
/** A command is a document too, and may be a little longer than one that is stored. */
const max_section_bytes = max_document_bytes + 16 * 1024

/** Documents of these are decoded one by one, when their turn comes, or not at all. */
export const raw_arrays: ReadonlySet<string> = new Set(['documents', 'updates'])

/** What drivers send with every command and this store has no use for: there is one copy, and it is always the newest. */
const unread: ReadonlySet<string> = new Set(['lsid', 'readConcern', 'writeConcern', '$readPreference', '$clusterTime'])

const checksum_present = 1
const more_to_come = 2
/** The lower sixteen flags must be understood by whoever reads a message. */
const unknown_required_flags = 0xfffc

export type Request = {
  id: number
  /** `query` is the greeting of old drivers: it is answered by OP_REPLY. */
  kind: 'message' | 'query'
  command: Document
  database: string
  /** False where the client said that it does not wait (w: 0). */
  wants_answer: boolean
}

/** Cuts what arrives on one connection into whole messages. */
export class MessageCutter {
  #chunks: Buffer[] = []
  #length = 0

  /** The messages that are complete now. Throws when a length is impossible: the connection cannot be understood. */
  push(chunk: Buffer): Buffer[] {
    let pending = chunk
    if (this.#length > 0) {
      this.#chunks.push(chunk)
      this.#length += chunk.length
      const [first] = this.#chunks
      if (first !== undefined && first.length >= 4 && this.#length < messageLength(first)) return []
      pending = Buffer.concat(this.#chunks)
    }
    const messages: Buffer[] = []
    while (pending.length >= 4) {
      const length = messageLength(pending)
      if (pending.length < length) break
      messages.push(pending.subarray(0, length))
      pending = pending.subarray(length)
    }
    this.#chunks = pending.length > 0 ? [pending] : []
    this.#length = pending.length
    return messages
  }
}

function messageLength(bytes: Buffer): number {
  const length = bytes.readInt32LE(0)
  if (length < header_bytes || length > max_message_bytes) throw badValue(`A message of ${length} bytes is impossible`)
  return length
}

export const requestId = (message: Buffer): number => message.readInt32LE(4)

/** Throws BadValue for an operation or a flag that the store does not know. */
export function readRequest(message: Buffer): Request {
  const operation = message.readInt32LE(12)
  if (operation === op_msg) return readMessage(message)
  if (operation === op_query) return readQuery(message)
  throw badValue(`Operation ${operation} is not supported: this server speaks OP_MSG`)
}

function readMessage(message: Buffer): Request {
  const flags = message.readUInt32LE(header_bytes)
  if ((flags & unknown_required_flags) !== 0) throw badValue(`Message flags ${flags} contain one that is not known`)
  const end = message.length - ((flags & checksum_present) !== 0 ? 4 : 0)
  let command: Document | undefined
  const sequences: { name: string; documents: RawDocument[] }[] = []
  let at = header_bytes + 4
  while (at < end) {
    const kind = message[at++]
    const length = message.readInt32LE(at)
    if (length < 5 || at + length > end) throw badValue('A section runs past the end of its message')
    const section = message.subarray(at, at + length)
    if (kind === 0) checkLength(length)
    if (kind === 0) command = decodeDocument(section, { raw_arrays, unread })
    else if (kind === 1) sequences.push(readSequence(section))
    else throw badValue(`Unknown section kind ${kind}`)
    at += length
  }
  if (command === undefined) throw badValue('The message has no body')
  for (const { name, documents } of sequences) {
    command[name] = raw_arrays.has(name) ? documents : documents.map(({ bytes }) => decodeDocument(bytes))
  }
  return {
    id: requestId(message),
    kind: 'message',
    command,
    database: typeof command.$db === 'string' ? command.$db : '',
    wants_answer: (flags & more_to_come) === 0,
  }
}

function readSequence(section: Buffer): { name: string; documents: RawDocument[] } {
  const name_end = section.indexOf(0, 4)
  if (name_end < 0) throw badValue('A document sequence has no name')
  const documents: RawDocument[] = []
  let at = name_end + 1
  while (at + 4 <= section.length) {
    const length = section.readInt32LE(at)
    if (length < 5 || at + length > section.length) throw badValue('A document runs past the end of its sequence')
    checkLength(length)
    documents.push(new RawDocument(section.subarray(at, at + length)))
    at += length
  }
  return { name: section.toString('utf8', 4, name_end), documents }
}

function checkLength(length: number): void {
  if (length <= max_section_bytes) return
  throw new CommandError(
    'BSONObjectTooLarge',
    `BSONObj size: ${length} is invalid. Size must be between 0 and ${max_section_bytes}`,
  )
}

/** Flags, `<database>.$cmd`, two numbers, then the command. */
function readQuery(message: Buffer): Request {
  const name_end = message.indexOf(0, header_bytes + 4)
  if (name_end < 0) throw badValue('The query has no collection name')
  const [database = ''] = message.toString('utf8', header_bytes + 4, name_end).split('.')
  const at = name_end + 1 + 8
  const command = decodeDocument(message.subarray(at, at + message.readInt32LE(at)))
  return { id: requestId(message), kind: 'query', command, database, wants_answer: true }
}

let last_id = 0

/** The bytes of an answer around a document that is BSON already. */
export function writeAnswer(request: Pick<Request, 'id' | 'kind'>, body: Buffer): Buffer {
  const prefix = request.kind === 'message' ? header_bytes + 5 : header_bytes + 20
  const bytes = Buffer.allocUnsafe(prefix + body.length)
  last_id = (last_id + 1) & 0x7fff_ffff
  bytes.fill(0, header_bytes, prefix)
  bytes.writeInt32LE(bytes.length, 0)
  bytes.writeInt32LE(last_id, 4)
  bytes.writeInt32LE(request.id, 8)
  bytes.writeInt32LE(request.kind === 'message' ? op_msg : op_reply, 12)
  if (request.kind === 'query') {
    bytes.writeInt32LE(8, header_bytes)
    bytes.writeInt32LE(1, header_bytes + 16)
  }
  body.copy(bytes, prefix)
  return bytes
}
