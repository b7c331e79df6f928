// Looks over the bytes of a JSON text before it is parsed: how deep, how many members, which names. It decides nothing
// about validity, which is JSON.parse's.
import { RequestError } from './request_error.ts'

const DEPTH_MAX = 64
/** Objects of a hundred thousand different names take JSON.parse about 100 ms, in which nobody else is served. */
const NAMES_MAX = 100_000
const VALUES_MAX = 1_000_000

const WALK_BYTES = 1024
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const COLON = 0x3a
const COMMA = 0x2c
const NUL = '\\u0000'
/** Not where the backslash is itself a character of the name. */
const NUL_ESCAPED = /(?<!\\)(?:\\\\)*\\u0000/

/**
 * Throws RequestError 400 for more than 64 levels, too many members, names that could reach an object's prototype
 * (`__proto__`, `prototype` within `constructor`), and U+0000 in a name. The same inside strings is text and passes.
 */
export function scanJson(raw: Buffer): void {
  const names = nameCheck(raw)
  let depth = 0
  let values = 0
  let string_start = 0
  let string_end = 0
  for (let at = 0; at < raw.length; at++) {
    const byte = raw[at]
    if (byte === QUOTE) {
      string_start = at + 1
      string_end = endOfString(raw, string_start)
      at = string_end
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (++depth > DEPTH_MAX) throw refused(`The body is nested deeper than ${DEPTH_MAX} levels.`)
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth--
    else if (byte === COLON) names(string_start, string_end, depth)
    else if (byte === COMMA && ++values > VALUES_MAX) throw refused(`The body has more than ${VALUES_MAX} values.`)
  }
}

/**
 * Where the closing quote is. Byte by byte, which is fastest for text; what goes on for longer (base64) is jumped over by
 * a search, whose call alone costs as much as some hundred bytes.
 */
function endOfString(raw: Buffer, start: number): number {
  let at = start
  while (at < raw.length) {
    const jump = at + WALK_BYTES
    for (; at < jump && at < raw.length; at++) {
      const byte = raw[at]
      if (byte === QUOTE) return at
      if (byte === BACKSLASH) at++
    }
    const quote = raw.indexOf(QUOTE, at)
    if (quote < 0) return raw.length
    let slashes = 0
    while (quote - slashes > at && raw[quote - 1 - slashes] === BACKSLASH) slashes++
    if (slashes % 2 === 0) return quote
    at = quote + 1
  }
  return raw.length
}

/** Called with each name in order of writing. */
function nameCheck(raw: Buffer): (start: number, end: number, depth: number) => void {
  let count = 0
  // A string may hold it; as a name it cannot be kept in a store of documents.
  const may_have_nul = raw.includes(NUL)
  /** The depth of the members of the `constructor` at hand. */
  let suspect_depth = Number.POSITIVE_INFINITY
  return (start, end, depth) => {
    if (++count > NAMES_MAX) throw refused(`The body has more than ${NAMES_MAX} names.`)
    if (may_have_nul && NUL_ESCAPED.test(raw.toString('latin1', start, end)))
      throw refused('The body has a member whose name holds the character U+0000, which is not taken.')
    if (depth < suspect_depth) suspect_depth = Number.POSITIVE_INFINITY
    const name = shortName(raw, start, end)
    if (name === '__proto__' || (name === 'prototype' && depth === suspect_depth))
      throw refused(`The body has a member named '${name}', which is not taken.`, name)
    if (name === 'constructor') suspect_depth = depth + 1
  }
}

/** Only the three names matter: with escapes (six bytes a letter) they have at most 66 bytes. */
function shortName(raw: Buffer, start: number, end: number): string | undefined {
  const length = end - start
  if (length < 9 || length > 66) return undefined
  const text = raw.toString('latin1', start, end)
  return text.replace(/\\u00([0-9a-f]{2})/gi, (_match, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

const refused = (message: string, param?: string) => new RequestError(400, 'invalid_request', message, param)
