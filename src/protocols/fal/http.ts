// One JSON call to fal's queue or its store of files. It never retries. (@fal-ai/client 1.10.1 is not used: its queue
// tries again by itself, up to five times, and cannot be pointed at another address.)
import type { z } from 'zod'
import type { ProviderFetch } from '../../contract.ts'
import { parseJson, readAnswer } from '../faults.ts'
import { readBody } from '../transport.ts'
import { FAL, falRefusal } from './errors.ts'

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

/** What a call that went well says. Throws ProviderError for any other. */
export function readFal<Schema extends z.ZodType>(schema: Schema, answer: FalAnswer): z.output<Schema> {
  const { status, headers, text, is_ok } = answer
  if (!is_ok) throw falRefusal(status, headers, text)
  return readAnswer(schema, parseJson(text), FAL)
}
