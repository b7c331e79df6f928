// `data:` URLs, decoded here with a limit. They never reach a network client.
import { FileTooLarge, MediaError } from './media_error.ts'

/** Types with parameters are short; a comma further out belongs to something else. */
const HEAD_LENGTH_MAX = 1024

export const isDataUrl = (url: string): boolean => /^data:/i.test(url.slice(0, 5))

/** Throws FileTooLarge before anything is decoded, MediaError 'unreadable_file' for what is not base64 or percent-encoded. */
export function decodeDataUrl(url: string, max_bytes: number): { media_type: string; data: Buffer } {
  const comma = url.slice(0, HEAD_LENGTH_MAX).indexOf(',')
  if (comma < 0) throw broken('no comma is between its type and its data')
  const head = url.slice('data:'.length, comma)
  const text = url.slice(comma + 1)
  const base64 = /;\s*base64\s*$/i.test(head)
  if ((base64 ? text.length * 0.75 - 2 : text.length / 3) > max_bytes) throw new FileTooLarge(max_bytes)
  const data = base64 ? decodeBase64(text) : decodePercent(text)
  if (data.length > max_bytes) throw new FileTooLarge(max_bytes)
  return { media_type: (head.split(';')[0] ?? '').trim().toLowerCase() || 'text/plain', data }
}

function decodeBase64(text: string): Buffer {
  const data = Buffer.from(text, 'base64')
  if (isWhole(text, data)) return data
  // Some tools break lines, and some escape + and /.
  const mended = decodePercent(text).toString('latin1').replace(/\s+/g, '')
  const again = Buffer.from(mended, 'base64')
  if (!isWhole(mended, again)) throw broken('its data is not base64')
  return again
}

/** Buffer skips what is not base64 in silence; then it is shorter than the text's length says. */
function isWhole(text: string, data: Buffer): boolean {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  return data.length === Math.floor((text.length - padding) * 0.75)
}

function decodePercent(text: string): Buffer {
  const bytes = text.replace(/%([0-9a-f]{2})/gi, (_match, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1')
}

const broken = (why: string) => new MediaError('unreadable_file', `The data: URL cannot be read: ${why}.`)
