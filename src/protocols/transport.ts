// The HTTP client of one provider: pooled connections, time limits, network failures as ProviderError. It never retries
// and never puts an address, a header or a body into an error message.
import { Agent, fetch as undiciFetch } from 'undici'
import { ProviderError, type ProviderFetch, type WireAnswer, type WireRequest } from '../contract.ts'
import { exchange } from './exchange.ts'

/** The longest answer that an SDK is handed: a film. */
const ANSWER_BYTES_MAX = 512 * 2 ** 20
/** Of one that comes packed, though nobody asked for that: a small answer can unpack to any length. */
const UNPACKED_BYTES_MAX = 16 * 2 ** 20

export interface TransportOptions {
  /** The provider's name for people; the only thing that error messages name. */
  provider: string
  connect_timeout_ms?: number
  headers_timeout_ms?: number
  body_timeout_ms?: number
}

/** One pool of connections for one provider. `close` lets running calls end; call it when the registry is replaced. */
export function makeProviderFetch(options: TransportOptions): ProviderFetch & { close(): Promise<void> } {
  const limits = {
    headers: options.headers_timeout_ms ?? 600_000,
    body: options.body_timeout_ms ?? 300_000,
  }
  const agent = new Agent({
    connect: { timeout: options.connect_timeout_ms ?? 10_000 },
    headersTimeout: limits.headers,
    bodyTimeout: limits.body,
    // Long enough to save the TLS handshake between calls, short enough to leave before a load balancer's 60 s does.
    keepAliveTimeout: 30_000,
    pipelining: 1,
    allowH2: false,
  })
  const call = (input: string | URL | Request, init?: RequestInit) => fetchThrough(agent, input, init)
  const send = (request: WireRequest) => exchange(agent, request, limits, options.provider)
  // The openai SDK asks a fetch for its Response, to see whether it takes Node's FormData: it does, see fetchThrough.
  return Object.assign(call, { send, close: () => agent.close(), Response })
}

/** Reads a whole body of at most `limit_bytes`; a longer one is a bad response. */
export async function readBody(answer: WireAnswer, limit_bytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let total_bytes = 0
  for await (const chunk of answer.body) {
    total_bytes += chunk.byteLength
    if (total_bytes > limit_bytes) throw tooMuch()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/**
 * The vendors' SDKs build their requests with Node's own FormData and Request, which the npm undici does not know as
 * its own (undici 8.12, 2026-11): what is not text or bytes is therefore encoded by Node's own classes first.
 */
async function fetchThrough(agent: Agent, input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const request = input instanceof Request ? new Request(input, init) : undefined
  const headers = new Headers(request?.headers ?? init?.headers)
  headers.set('accept-encoding', 'identity')
  let body: unknown = request ? request.body : init?.body
  if (body instanceof FormData || body instanceof URLSearchParams || body instanceof Blob) {
    const encoded = new Response(body)
    const content_type = encoded.headers.get('content-type')
    if (content_type) headers.set('content-type', content_type)
    body = new Uint8Array(await encoded.arrayBuffer())
  }
  const response = await undiciFetch(request?.url ?? String(input), {
    method: request?.method ?? init?.method ?? 'GET',
    headers: [...headers],
    // biome-ignore lint/suspicious/noExplicitAny: two copies of the same web types, Node's and undici's
    ...(body === null || body === undefined ? {} : { body: body as any, duplex: 'half' as const }),
    signal: request?.signal ?? init?.signal ?? null,
    redirect: 'manual',
    dispatcher: agent,
  })
  return limited(response as unknown as Response)
}

/** SDKs read answers whole: what is too long breaks off, so that no provider fills our memory. */
function limited(response: Response): Response {
  const { body, status, statusText, headers } = response
  if (!body) return response
  const limit_bytes = headers.has('content-encoding') ? UNPACKED_BYTES_MAX : ANSWER_BYTES_MAX
  let total_bytes = 0
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      total_bytes += chunk.byteLength
      if (total_bytes > limit_bytes) throw tooMuch()
      controller.enqueue(chunk)
    },
  })
  return new Response(body.pipeThrough(counter), { status, statusText, headers: [...headers] })
}

const tooMuch = () => new ProviderError('bad_response', 'The provider answered with too much data.')
