// Sends a body to an address that came from outside, through the guard: one request, no redirect followed, no word of the
// answer kept but its status.
import { Agent, type Dispatcher } from 'undici'
import { FetchFailed } from './fetch.ts'
import { checkUrl, guardedConnector, type Resolve, UnsafeUrl } from './guard.ts'

export interface PostOptions {
  headers: Record<string, string>
  body: string
  /** For everything together. */
  timeout_ms: number
  /** The operator's own choice of host, which may be private. */
  trusted: boolean
  signal?: AbortSignal
  /** How names become addresses, where the system's way is not wanted. */
  resolve?: Resolve
}

export interface Posted {
  status: number
  /** What the receiver asked for. */
  retry_after_ms?: number
}

/** Read for politeness, so that the receiver is not cut off in its answer. */
const ANSWER_BYTES_MAX = 16 * 1024

/** Throws UnsafeUrl and FetchFailed (timeout, network), or the reason of `signal`. */
export async function guardedPost(text: string, options: PostOptions): Promise<Posted> {
  const { headers, body, timeout_ms, trusted, resolve } = options
  const url = checkUrl(text)
  const deadline = AbortSignal.timeout(timeout_ms)
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline
  const agent = new Agent({ connect: guardedConnector({ trusted, timeout_ms, resolve }), headersTimeout: timeout_ms })
  try {
    const path = url.pathname + url.search
    const answer = await agent.request({ origin: url.origin, path, method: 'POST', headers, body, signal })
    await readSome(answer.body)
    const retry_after_ms = retryAfter(answer.headers['retry-after'])
    return { status: answer.statusCode, ...(retry_after_ms !== undefined && { retry_after_ms }) }
  } catch (error) {
    if (error instanceof UnsafeUrl) throw error
    if (options.signal?.aborted) throw options.signal.reason
    const code = error instanceof Error ? String(Reflect.get(error, 'code') ?? '') : ''
    if (deadline.aborted || /TIMEOUT|ETIMEDOUT/.test(code))
      throw new FetchFailed('timeout', `No answer within ${timeout_ms / 1000} seconds.`, { cause: error })
    throw new FetchFailed('network', 'The receiver cannot be reached, or broke off.', { cause: error })
  } finally {
    await agent.destroy()
  }
}

/** The status has come and counts, whatever happens to the rest. */
async function readSome(body: Dispatcher.ResponseData['body']): Promise<void> {
  let bytes = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > ANSWER_BYTES_MAX) return
    }
  } catch {
    return
  }
}

/** Seconds, or a date (RFC 9110, section 10.2.3). */
function retryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}
