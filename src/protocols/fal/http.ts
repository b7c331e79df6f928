// One JSON call to fal's queue or its store of files. It never retries. (@fal-ai/client 1.10.1 is not used: its queue
// tries again by itself, up to five times, and cannot be pointed at another address.)
import { ProviderError, type ProviderFetch } from '../../contract.ts'
import { readBody } from '../transport.ts'
import { FAL } from './errors.ts'

export interface FalServer {
  /** Of the queue; everything else of fal's is found from there. */
  base_url: string
  api_key: string
  fetch: ProviderFetch
}

export interface FalAnswer {
  status: number
  headers: Record<string, string>
  text: string
  is_ok: boolean
}

/** Models may answer with data: URLs. */
const ANSWER_BYTES_MAX = 256 * 2 ** 20
const QUEUE = 'https://queue.fal.run'
const REST = 'https://rest.fal.ai'

const trimmed = (url: string) => url.replace(/\/+$/, '')
export const queueUrl = ({ base_url }: FalServer): string => trimmed(base_url)
/** A stand-in of the queue stands in for the rest as well. */
export const restUrl = ({ base_url }: FalServer): string => (trimmed(base_url) === QUEUE ? REST : trimmed(base_url))

export async function askFal(
  { api_key, fetch }: FalServer,
  method: 'GET' | 'POST' | 'PUT',
  url: string,
  { body, signal }: { body?: unknown; signal: AbortSignal },
): Promise<FalAnswer> {
  const answer = await fetch.send({
    method,
    url,
    headers: {
      authorization: `Key ${api_key}`,
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal,
  })
  const { status, headers } = answer
  const text = (await readBody(answer, ANSWER_BYTES_MAX)).toString()
  return { status, headers, text, is_ok: status >= 200 && status < 300 }
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw unreadable(error)
  }
}

export const unreadable = (cause?: unknown): ProviderError =>
  new ProviderError('bad_response', `${FAL} answered in a form that we cannot read.`, { cause })
