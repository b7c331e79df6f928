// What Replicate's refusals and failed predictions mean. https://replicate.com/docs/reference/http (2026-11-21)
import { ProviderError } from '../../contract.ts'
import { parseJson } from '../faults.ts'
import { record } from '../lenient.ts'
import { httpError, scrub } from '../status.ts'

export const REPLICATE = 'Replicate'

/** How models there say that their filter refused: by sentence, for there is no code of it that all of them have. */
const POLICY = /\bnsfw\b|\(E005\)|flagged|sensitive content|moderat|safety (?:check|filter|system)|content polic/i

/** A refusal of the API: `{detail, status, title}`, and `retry_after` in seconds with 429. */
export function replicateRefusal(status: number, headers: Record<string, string>, body: string): ProviderError {
  const { detail, retry_after } = record(parseJson(body))
  const waiting = headers['retry-after'] ?? (typeof retry_after === 'number' ? String(retry_after) : undefined)
  const error = httpError(
    status,
    waiting === undefined ? headers : { ...headers, 'retry-after': waiting },
    body,
    REPLICATE,
  )
  if (error.kind !== 'invalid_request' || typeof detail !== 'string' || !POLICY.test(detail)) return error
  return new ProviderError('content_policy', scrub(detail), error.detail)
}

/** The `error` of a prediction that failed: a sentence of the model's, which only helps callers where it refuses them. */
export function predictionError(said: unknown): ProviderError {
  const words = typeof said === 'string' ? scrub(said) : ''
  if (POLICY.test(words)) return new ProviderError('content_policy', words)
  return new ProviderError('unavailable', `${REPLICATE} took the work and could not finish it.`, {
    cause: words === '' ? undefined : new Error(words),
  })
}
