// Reads JSON bodies: whole, limited, and refused before parsing where parsing them would hurt.
import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { JsonObject } from '../contract.ts'
import { type ByteLimits, readBytes } from './body_bytes.ts'
import { jsonFault } from './json_fault.ts'
import { scanJson } from './json_scan.ts'
import { RequestError } from './request_error.ts'

/** For a whole request, uploads included, where nothing else is configured. */
export const BODY_BYTES_MAX = 64 * 2 ** 20

/** Whoever sends more of what is no JSON is not told where: looking for the place holds up the others. */
const LOCATED_LENGTH_MAX = 2 ** 20

const BYTE_ORDER_MARK = '\ufeff'

/**
 * The body and its bytes as they were parsed. Throws RequestError 400 (not JSON, not an object, too deep, forbidden
 * names), 408, 413, 415, 499.
 */
export async function readJson(
  request: IncomingMessage,
  max_bytes: number = BODY_BYTES_MAX,
  { idle_timeout_ms }: Pick<ByteLimits, 'idle_timeout_ms'> = {},
): Promise<{ value: JsonObject; raw: Buffer }> {
  const chunks: Buffer[] = []
  await readBytes(request, { max_bytes, idle_timeout_ms }, (chunk) => chunks.push(chunk))
  requireJson(request.headers['content-type'])
  const [only] = chunks
  const raw = only && chunks.length === 1 ? only : Buffer.concat(chunks)
  return { value: parseObject(raw), raw }
}

/**
 * A body without a type is taken for JSON, as small clients forget it; so is what `curl -d` calls a form where nobody says
 * otherwise. (No browser can be tricked by that: keys travel in headers of their own.) `application/*+json` is JSON too.
 */
function requireJson(type: string | undefined): void {
  const [media_type = '', ...parameters] = (type ?? 'application/json').toLowerCase().split(';')
  const charset = parameters.map((text) => /^\s*charset="?([\w-]+)/.exec(text)?.[1]).find((name) => name !== undefined)
  if (!/^\s*application\/(([\w.-]+\+)?json|x-www-form-urlencoded)\s*$/.test(media_type)) {
    throw new RequestError(415, 'unsupported_media_type', 'Send the body as JSON, with content-type: application/json.')
  }
  if (charset !== undefined && !['utf-8', 'utf8', 'us-ascii'].includes(charset)) {
    throw new RequestError(415, 'unsupported_media_type', 'Send the JSON body in UTF-8.')
  }
}

function parseObject(raw: Buffer): JsonObject {
  if (raw.length === 0) throw invalid('The body is empty; it should be a JSON object.')
  if (!isUtf8(raw)) throw invalid('The body is not valid UTF-8.')
  scanJson(raw)
  const decoded = raw.toString('utf8')
  const text = decoded.startsWith(BYTE_ORDER_MARK) ? decoded.slice(1) : decoded
  const value = parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('The body should be a JSON object, in { }.')
  }
  return value as JsonObject
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid(
      text.length > LOCATED_LENGTH_MAX
        ? 'The body is not valid JSON.'
        : `The body is not valid JSON: ${jsonFault(text)}.`,
    )
  }
}

const invalid = (message: string) => new RequestError(400, 'invalid_json', message)
