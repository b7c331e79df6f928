// One JSON call to a maker of pictures and films that works by task: its answer read, its refusal a ProviderError. It
// never waits for a task and never retries.
import type { z } from 'zod'
import {
  type Call,
  type ErrorKind,
  failed,
  type JsonObject,
  type Progress,
  ProviderError,
  type ProviderFetch,
} from '../../contract.ts'
import { parseJson, readAnswer } from '../faults.ts'
import { record } from '../lenient.ts'
import { httpError } from '../status.ts'
import { readBody } from '../transport.ts'

export interface TaskServer {
  /** For people: 'Acme'. */
  provider: string
  /** Without a slash at the end. */
  base_url: string
  fetch: ProviderFetch
  /** Asked for every call: a token that runs out is made anew. */
  headers(): Record<string, string>
  /** What an answer of any status means where the vendor's own codes say more than HTTP; undefined where they do not. */
  refusal?(body: Record<string, unknown>): Refusal | undefined
}

export interface Refusal {
  kind: ErrorKind
  /** The vendor's own words: they go to the caller, scrubbed, where the fault is the caller's. */
  message?: string | undefined
  retry_after_ms?: number
}

export interface Ask {
  method: 'GET' | 'POST' | 'DELETE'
  /** A path under the base URL, or a whole address that the adapter has checked. */
  path: string
  body?: JsonObject
}

/** Pictures may come as base64 within the answer, four of 4K at most. */
const ANSWER_BYTES_MAX = 256 * 2 ** 20

/** Throws ProviderError for every refusal, and 'bad_response' for what the schema cannot read. */
export async function ask<Schema extends z.ZodType>(
  server: TaskServer,
  call: Pick<Call, 'signal'>,
  { method, path, body }: Ask,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const answer = await server.fetch.send({
    method,
    url: path.startsWith('/') ? server.base_url.replace(/\/+$/, '') + path : path,
    headers: { ...server.headers(), ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
    signal: call.signal,
  })
  const text = (await readBody(answer, ANSWER_BYTES_MAX)).toString()
  const json = parseJson(text)
  const ok = answer.status >= 200 && answer.status < 300
  const refusal = server.refusal?.(record(json))
  if (refusal) throw refused(refusal, server.provider, ok ? undefined : answer)
  if (!ok) throw httpError(answer.status, answer.headers, text, server.provider)
  return readAnswer(schema, json, server.provider)
}

/** A look at work. Where the provider no longer knows it the work has failed: no later look can find it. */
export async function lookUnlessGone<Output>(
  provider: string,
  look: () => Promise<Progress<Output>>,
): Promise<Progress<Output>> {
  try {
    return await look()
  } catch (error) {
    if (!(error instanceof ProviderError) || error.kind !== 'not_found') throw error
    return failed(new ProviderError('unavailable', `${provider} no longer has the work.`))
  }
}

/** The status and code by which each kind is known over HTTP, so that a vendor's own codes read like everybody's. */
const AS_HTTP: Partial<Record<ErrorKind, [status: number, code?: string]>> = {
  invalid_request: [400],
  content_policy: [400, 'content_policy'],
  authentication: [401],
  quota: [402],
  permission: [403],
  not_found: [404],
  rate_limit: [429],
  overloaded: [503],
  timeout: [504],
}

/** What a vendor's code means, in our words or, where the caller is at fault, in the vendor's; for refusals and failed tasks. */
export function refused(
  { kind, message, retry_after_ms }: Refusal,
  provider: string,
  answer?: { status: number; headers: Record<string, string> },
): ProviderError {
  const [status, code] = AS_HTTP[kind] ?? [500]
  const error = httpError(status, answer?.headers ?? {}, JSON.stringify({ error: { message, code } }), provider)
  const { status: _made_up, ...detail } = error.detail
  return new ProviderError(kind, kind === 'unavailable' ? `${provider} could not do the work.` : error.message, {
    ...detail,
    ...(answer && { status: answer.status }),
    ...(retry_after_ms !== undefined && { retry_after_ms }),
    cause: error.cause,
  })
}
