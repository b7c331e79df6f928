// What fal's refusals mean: `{detail}` is a sentence, or a list of {loc, msg, type}. https://fal.ai/docs/errors (2026-11-21)
import { type ErrorKind, ProviderError } from '../../contract.ts'
import { parseJson } from '../faults.ts'
import { isRecord, record } from '../lenient.ts'
import { httpError, scrub } from '../status.ts'

export const FAL = 'fal'

/** The types that say more than the status, which is 422 for most of them. */
const KINDS: Record<string, ErrorKind> = {
  content_policy_violation: 'content_policy',
  internal_server_error: 'unavailable',
  downstream_service_error: 'unavailable',
  downstream_service_unavailable: 'unavailable',
  no_media_generated: 'unavailable',
  generation_timeout: 'timeout',
}
const LOCKED = /exhausted balance|user is locked/i

export function falRefusal(status: number, headers: Record<string, string>, body: string): ProviderError {
  const id = headers['x-fal-request-id'] ?? headers['x-request-id']
  const known = id === undefined ? headers : { ...headers, 'x-request-id': id }
  const error = httpError(status, known, body, FAL)
  const { detail } = record(parseJson(body))
  const [first] = Array.isArray(detail) ? detail.filter(isRecord) : []
  const kind = LOCKED.test(typeof detail === 'string' ? detail : '') ? 'quota' : KINDS[String(first?.type)]
  if (kind === undefined || kind === error.kind) return error
  if (kind === 'content_policy') return new ProviderError(kind, wordsOf(first), error.detail)
  const message = kind === 'quota' ? `Our account at ${FAL} is out of credit or quota.` : `${FAL} could not make it.`
  return new ProviderError(kind, message, error.detail)
}

const wordsOf = (item: Record<string, unknown> | undefined) =>
  typeof item?.msg === 'string' && item.msg !== '' ? scrub(item.msg) : `${FAL} refused the content of the request.`

/** Whether a refusal is the model's own word on the work, or only of the way to it: then the work may still be well. */
export function isVerdict(status: number, headers: Record<string, string>, body: string): boolean {
  if (status === 401 || status === 403 || status === 404 || status === 429) return false
  if (status < 500) return true
  return headers['x-fal-error-type'] !== undefined || record(parseJson(body)).detail !== undefined
}
