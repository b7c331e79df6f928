// Failures in the caller's own wire format: as a body, as headers, and as the last event of a stream. Never a stack, a
// secret or an address: only what the Failure says.
import { ERROR_KINDS, type ErrorKind } from '../contract.ts'
import type { Failure } from '../flow/failure.ts'
import { errorType } from '../protocols/anthropic-messages/errors.ts'
import { errorBody } from '../protocols/gemini/errors.ts'
import type { ErrorFormat } from './context.ts'

/** The body of an error. Facts stand beside the keys of each format's error, which are there always. */
export function errorEnvelope(format: ErrorFormat, failure: Failure, request_id?: string): Record<string, unknown> {
  return ENVELOPES[format](failure, request_id)
}

/** The event that ends a stream whose answer has begun; no end marker follows it. */
export function errorEvent(format: ErrorFormat, failure: Failure): string {
  const name = format === 'anthropic' ? 'event: error\n' : ''
  return `${name}data: ${JSON.stringify(errorEnvelope(format, failure))}\n\n`
}

const ENVELOPES: Record<ErrorFormat, (failure: Failure, request_id?: string) => Record<string, unknown>> = {
  openai: ({ status, code, message, param, facts }) => ({
    error: { message, type: openaiType(status), param: param ?? null, code, ...facts },
  }),
  anthropic: ({ status, code, message, param, facts }, request_id) => ({
    type: 'error',
    error: { type: errorType(code, status), message, code, ...(param !== undefined && { param }), ...facts },
    ...(request_id !== undefined && { request_id }),
  }),
  gemini: errorBody,
}

function openaiType(status: number): string {
  if (status === 402) return 'insufficient_quota'
  if (status === 403) return 'permission_error'
  if (status === 429) return 'rate_limit_error'
  return status >= 500 ? 'server_error' : 'invalid_request_error'
}

/**
 * `retry-after`, and `x-should-retry: false` where another try cannot help: without it the SDKs of OpenAI and Anthropic
 * repeat every 408, 409, 429 and 5xx (openai 7.55.0, 2026-11).
 */
export function errorHeaders(failure: Failure): Record<string, string> {
  const { status, retry_after_ms } = failure
  return {
    ...(retry_after_ms !== undefined && {
      'retry-after': String(Math.ceil(retry_after_ms / 1000)),
      'retry-after-ms': String(Math.ceil(retry_after_ms)),
    }),
    ...(!mayHelp(failure) && { 'x-should-retry': 'false' }),
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
  }
}

const NEVER = new Set([
  'internal_error',
  'insufficient_quota',
  'insufficient_credits',
  'key_budget_exhausted',
  'account_budget_exhausted',
  'request_exceeds_rate_limit',
])

function mayHelp({ status, code, retry_after_ms, facts }: Failure): boolean {
  if (NEVER.has(code)) return false
  if (isKind(facts.kind) && ERROR_KINDS[facts.kind].retry === 'never') return false
  if (retry_after_ms !== undefined) return true
  return status === 408 || status === 429 || status >= 500
}

const isKind = (kind: unknown): kind is ErrorKind => typeof kind === 'string' && Object.hasOwn(ERROR_KINDS, kind)
