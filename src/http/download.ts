// Serves a stored file: whole, a part of it, or "you have it". Whatever the file is, a browser runs nothing of it.
import { Failure } from '../flow/failure.ts'
import type { Services } from '../flow/services.ts'
import type { Context } from './context.ts'
import { errorEnvelope } from './envelope.ts'
import { parseRange } from './range.ts'
import { RequestError } from './request_error.ts'

export interface DownloadOptions {
  media_type: string
  /** Offered to whoever saves it. */
  filename?: string
  bytes: number
  /** Of the content; its ETag. */
  sha256?: string
}

/** Shown in the browser; anything else is offered for saving. SVG is XML with scripts, so it is saved. */
const SHOWN = /^(image\/(?!svg)[\w.-]+|audio\/[\w.-]+|video\/[\w.-]+)$/

/**
 * 200, 206, 304 or 416. Throws RequestError 404 where the file is no longer kept. A caller who leaves early closes the
 * file.
 */
export async function sendFile(
  context: Context,
  storage: Pick<Services['storage'], 'open'>,
  key: string,
  { media_type, filename, bytes, sha256 }: DownloadOptions,
): Promise<void> {
  const etag = sha256 === undefined ? undefined : `"${sha256}"`
  const range = rangeOf(context, etag, bytes)
  const file = await storage.open(key, typeof range === 'object' ? range : { start: 0 })
  if (!file) throw new RequestError(404, 'not_found', 'This file is no longer kept.')
  if (file.bytes !== bytes) {
    file.body.destroy()
    throw new Error(`The stored file ${key} has ${file.bytes} bytes; its record says ${bytes}.`)
  }
  setHeaders(context, media_type, filename, etag)
  const wants_body = context.method !== 'HEAD' && range !== 'none' && !isKnown(context, etag)
  if (!wants_body) file.body.destroy()
  if (isKnown(context, etag)) context.status = 304
  else if (range === 'none') refuseRange(context, bytes)
  else {
    context.status = range === 'whole' ? 200 : 206
    if (wants_body) context.body = file.body
    context.type = media_type
    context.length = range === 'whole' ? bytes : range.end - range.start + 1
    if (range !== 'whole') context.set('content-range', `bytes ${range.start}-${range.end}/${bytes}`)
  }
}

/** Ranges are for GET alone, and hold only for the very file that the caller has a part of. */
function rangeOf(context: Context, etag: string | undefined, bytes: number) {
  const condition = context.get('if-range')
  if (context.method !== 'GET' || (condition !== '' && condition !== etag)) return 'whole'
  return parseRange(context.get('range'), bytes)
}

function isKnown(context: Context, etag: string | undefined): boolean {
  const known = context.get('if-none-match')
  if (known === '') return false
  return known.trim() === '*' || known.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}

function setHeaders(context: Context, media_type: string, filename: string | undefined, etag: string | undefined) {
  context.attachment(filename, { type: SHOWN.test(media_type) ? 'inline' : 'attachment' })
  context.set({
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-cache',
    'content-security-policy': "sandbox; default-src 'none'",
    'x-content-type-options': 'nosniff',
    ...(etag !== undefined && { etag }),
  })
}

/** Answered here, because an error loses the header that says how large the file is. */
function refuseRange(context: Context, bytes: number): void {
  const message = `The range lies outside the file, which has ${bytes} bytes.`
  context.remove('content-disposition')
  context.set('content-range', `bytes */${bytes}`)
  context.status = 416
  context.body = errorEnvelope(context.state.request.error_format, new Failure(416, 'invalid_range', message))
}
