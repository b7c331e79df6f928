// The bytes of a request's body: with a limit on what arrives and on what it unpacks to, and an end to waiting. It knows
// no format.
import type { IncomingMessage } from 'node:http'
import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { RequestError } from './request_error.ts'

export interface ByteLimits {
  /** Of what arrives, and of what it unpacks to. */
  max_bytes: number
  /** Nothing arrived for this long: 408. 30 s if absent. */
  idle_timeout_ms?: number | undefined
}

const IDLE_TIMEOUT_MS = 30_000
/** After a refusal the rest is read and thrown away for so long: a caller that still writes does not read the answer. */
const LINGER_MS = 2000

const DECODERS: Record<string, () => Transform> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}

/** Bodies that were read before their route asks for them, unpacked. */
const read = new WeakMap<IncomingMessage, Buffer>()

/** Reads a body and puts it back: whoever reads the request after this gets it from memory. Rejects as readBytes does. */
export async function peekBody(request: IncomingMessage, limits: ByteLimits): Promise<Buffer> {
  const chunks: Buffer[] = []
  await readBytes(request, limits, (chunk) => chunks.push(chunk))
  const body = Buffer.concat(chunks)
  read.set(request, body)
  return body
}

/**
 * Hands every chunk to `take`, whose errors end the reading. Rejects with RequestError: 400 broken compression, 408, 413,
 * 415 unknown compression, 499 when the caller left. The connection stays usable for the answer.
 */
export async function readBytes(
  request: IncomingMessage,
  { max_bytes, idle_timeout_ms = IDLE_TIMEOUT_MS }: ByteLimits,
  take: (chunk: Buffer) => void,
): Promise<void> {
  const body = read.get(request)
  if (body) {
    if (body.length > max_bytes) throw tooLarge(max_bytes)
    return take(body)
  }
  try {
    const decoder = decoderOf(request)
    if (Number(request.headers['content-length']) > max_bytes) throw tooLarge(max_bytes)
    await pump(request, decoder, { max_bytes, idle_timeout_ms }, take)
  } catch (error) {
    linger(request)
    throw error
  }
}

function pump(
  request: IncomingMessage,
  decoder: Transform | undefined,
  { max_bytes, idle_timeout_ms }: { max_bytes: number; idle_timeout_ms: number },
  take: (chunk: Buffer) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let open = true
    const end = (error?: unknown) => {
      if (!open) return
      open = false
      clearTimeout(timer)
      request.off('data', arrive).off('end', finish).off('close', leave).off('error', leave)
      if (decoder) request.unpipe(decoder)
      if (error !== undefined) decoder?.destroy()
      if (error === undefined) resolve()
      else reject(error)
    }
    const timer = setTimeout(() => end(stalled(idle_timeout_ms)), idle_timeout_ms)
    /** Adds up chunks and passes them on while the sum is within the limit. */
    const counter = (pass: (chunk: Buffer) => void) => {
      let bytes = 0
      return (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > max_bytes) return end(tooLarge(max_bytes))
        try {
          if (open) pass(chunk)
        } catch (error) {
          end(error)
        }
      }
    }
    const arrive = counter((chunk) => {
      timer.refresh()
      if (!decoder) take(chunk)
    })
    const finish = () => {
      if (!decoder) end()
    }
    const leave = () => {
      if (!request.complete) end(new RequestError(499, 'canceled', 'The caller left before the body was complete.'))
    }
    request.on('data', arrive).on('end', finish).on('close', leave).on('error', leave)
    if (!decoder) return
    decoder.on('data', counter(take))
    decoder.on('end', () => end())
    decoder.on('error', () => end(new RequestError(400, 'invalid_request', 'The compressed body is broken.')))
    request.pipe(decoder)
  })
}

function decoderOf({ headers }: IncomingMessage): Transform | undefined {
  const encoding = (headers['content-encoding'] ?? '').trim().toLowerCase()
  if (encoding === '' || encoding === 'identity') return undefined
  const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined
  if (decoder) return decoder()
  throw new RequestError(
    415,
    'unsupported_media_type',
    `A body with this content-encoding cannot be read; use ${Object.keys(DECODERS).join(', ')} or none.`,
  )
}

/** For a request that is answered before its body is read: what still comes is thrown away for a moment, then the line is cut. */
export function linger(request: IncomingMessage): void {
  request.on('error', () => undefined).resume()
  // A complete request has given its connection back: it may carry the next one by now.
  const timer = setTimeout(() => request.complete || request.destroy(), LINGER_MS).unref()
  request.once('end', () => clearTimeout(timer))
}

const tooLarge = (max_bytes: number) =>
  new RequestError(413, 'request_too_large', `The body is larger than ${max_bytes} bytes, the most that is taken here.`)

const stalled = (idle_timeout_ms: number) =>
  new RequestError(408, 'timeout', `The body stopped arriving: nothing came for ${idle_timeout_ms / 1000} seconds.`)
