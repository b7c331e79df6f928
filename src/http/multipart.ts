// Reads multipart/form-data bodies: fields as the JSON object they stand for, files in memory. It believes neither the
// names nor the types that files come with.
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import busboy from 'busboy'
import type { JsonObject } from '../contract.ts'
import { readBytes } from './body_bytes.ts'
import { setField } from './field_names.ts'
import { RequestError } from './request_error.ts'

export interface UploadedFile {
  /** Without brackets: `image` for `image[]`. */
  field: string
  filename?: string
  /** As declared by the caller: to be confirmed by the bytes. */
  media_type: string
  data: Buffer
}

export interface MultipartLimits {
  max_file_bytes: number
  max_files: number
  max_fields: number
  max_field_bytes: number
  /** Of the whole body. */
  max_total_bytes: number
  idle_timeout_ms?: number
}

export interface Multipart {
  fields: JsonObject
  /** In order of arrival. */
  files: UploadedFile[]
}

/** RFC 2046, section 5.1.1. */
const BOUNDARY = /^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/
const NAME_LENGTH_MAX = 200

/** Throws RequestError 400 (malformed, too many parts), 408, 413, 415, 499. Values of fields are strings. */
export async function readMultipart(request: IncomingMessage, limits: MultipartLimits): Promise<Multipart> {
  const parser = parserFor(request, limits)
  const form: Multipart = { fields: Object.create(null), files: [] }
  const progress = follow(parser, form, limits)
  const closed = new Promise<void>((resolve) => parser.once('close', resolve))
  const { max_total_bytes: max_bytes, idle_timeout_ms } = limits
  try {
    await readBytes(request, { max_bytes, idle_timeout_ms }, (chunk) => {
      parser.write(chunk)
      if (progress.fault !== undefined) throw progress.fault
    })
    parser.end()
    await closed
  } finally {
    parser.destroy()
  }
  if (progress.fault !== undefined) throw progress.fault
  if (progress.parts === 0) throw malformed()
  return form
}

interface Progress {
  parts: number
  /** The first thing that is wrong. */
  fault?: unknown
}

function follow(parser: busboy.Busboy, { fields, files }: Multipart, limits: MultipartLimits): Progress {
  const progress: Progress = { parts: 0 }
  const refuse = (error: unknown) => {
    progress.fault ??= error
  }
  const attempt = (work: () => void) => {
    progress.parts++
    try {
      work()
    } catch (error) {
      refuse(error)
    }
  }
  parser.on('field', (name, value, information) => attempt(() => addField(fields, name, value, information, limits)))
  parser.on('file', (name, stream, { filename, mimeType }) => {
    attempt(() => requireName(name))
    collect(stream, limits.max_file_bytes, name, refuse, (data) => addFile(files, { name, filename, mimeType, data }))
  })
  parser.on('filesLimit', () => refuse(tooMany('files', limits.max_files)))
  parser.on('fieldsLimit', () => refuse(tooMany('fields', limits.max_fields)))
  parser.on('error', () => refuse(malformed()))
  return progress
}

function parserFor({ headers }: IncomingMessage, limits: MultipartLimits): busboy.Busboy {
  const type = headers['content-type'] ?? ''
  if (!/^\s*multipart\/form-data\s*(;|$)/i.test(type)) {
    throw new RequestError(415, 'unsupported_media_type', 'Send the body as multipart/form-data.')
  }
  const boundary = /;\s*boundary=(?:"([^"]*)"|([^;\s]*))/i.exec(type)
  if (!BOUNDARY.test(boundary?.[1] ?? boundary?.[2] ?? '')) {
    throw new RequestError(400, 'invalid_request', 'The content-type has no valid boundary.')
  }
  return busboy({
    headers,
    defParamCharset: 'utf8',
    limits: {
      fieldSize: limits.max_field_bytes,
      fields: limits.max_fields,
      fileSize: limits.max_file_bytes,
      files: limits.max_files,
    },
  })
}

function addField(
  fields: JsonObject,
  name: string | undefined,
  value: string,
  { valueTruncated }: busboy.FieldInfo,
  { max_field_bytes }: MultipartLimits,
): void {
  const named = requireName(name)
  if (valueTruncated) throw tooLarge(named, max_field_bytes)
  setField(fields, named, value)
}

/** busboy limits the names of urlencoded fields alone. */
function requireName(name: string | undefined): string {
  if (!name) throw new RequestError(400, 'invalid_request', 'A part of the form has no name.')
  if (name.length <= NAME_LENGTH_MAX) return name
  throw new RequestError(400, 'invalid_request', `The name of a part is longer than ${NAME_LENGTH_MAX} characters.`)
}

function collect(
  stream: Readable,
  max_bytes: number,
  name: string,
  refuse: (error: unknown) => void,
  finish: (data: Buffer) => void,
): void {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('limit', () => refuse(tooLarge(name, max_bytes)))
  // An upload that breaks off is the parser's error as well.
  stream.on('error', () => undefined)
  stream.on('end', () => finish(Buffer.concat(chunks)))
}

interface FilePart {
  name: string
  filename: string | undefined
  mimeType: string
  data: Buffer
}

function addFile(files: UploadedFile[], { name, filename, mimeType, data }: FilePart): void {
  const shown = cleanName(filename)
  // What browsers send for a file input that was left empty.
  if (data.length === 0 && shown === undefined) return
  const field = name.replace(/\[\d*\]$/, '')
  files.push({ field, media_type: mimeType, data, ...(shown !== undefined && { filename: shown }) })
}

/** For people to see; files are kept under names of our own. busboy has taken the folders off. */
function cleanName(name: string | undefined): string | undefined {
  const clean = (name ?? '').replace(/[\p{Cc}\p{Cf}/\\]/gu, '').slice(0, 255)
  return clean === '' || /^\.+$/.test(clean) ? undefined : clean
}

const malformed = () =>
  new RequestError(
    400,
    'invalid_request',
    'The multipart body is malformed: a boundary, a header or the end is missing.',
  )

const tooMany = (what: string, most: number) =>
  new RequestError(400, 'invalid_request', `The form has more than ${most} ${what}.`)

const tooLarge = (name: string, max_bytes: number) =>
  new RequestError(413, 'request_too_large', `'${name}' is larger than ${max_bytes} bytes.`, name)
