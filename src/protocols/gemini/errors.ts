// Errors as Google's API tells them: a number, a word for it, a message, and details for programs. It words no message.
import type { JsonObject } from '../../contract.ts'
import { present } from '../check_body.ts'

export interface ToldError {
  message: string
  /** Ours: `model_not_found`. */
  code: string
  /** In the middle of a stream only its kind is known: `server_error` or another. */
  type?: string
  status?: number
  param?: string | undefined
  retry_after_ms?: number | undefined
  facts?: Record<string, unknown>
}

const BY_STATUS: Record<number, string> = {
  401: 'UNAUTHENTICATED',
  402: 'FAILED_PRECONDITION',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'UNIMPLEMENTED',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  500: 'INTERNAL',
  504: 'DEADLINE_EXCEEDED',
}
const BY_CODE: Record<string, number> = {
  rate_limit_exceeded: 429,
  timeout: 504,
  provider_error: 502,
  no_provider_available: 503,
  canceled: 499,
}

export function errorBody(error: ToldError): JsonObject {
  const status = error.status ?? BY_CODE[error.code] ?? (error.type === 'server_error' ? 500 : 400)
  return {
    error: {
      code: status,
      message: error.message,
      status: BY_STATUS[status] ?? (status >= 500 ? 'UNAVAILABLE' : 'INVALID_ARGUMENT'),
      details: detailsOf(error),
    },
  }
}

const TYPE = 'type.googleapis.com/google.rpc.'

/** The forms of Google's own details, so that its clients find in them what they look for. */
function detailsOf({ code, message, param, retry_after_ms, facts = {} }: ToldError): JsonObject[] {
  // Metadata are texts by definition of the form.
  const metadata = Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  )
  return [
    {
      '@type': `${TYPE}ErrorInfo`,
      reason: code.toUpperCase(),
      domain: 'switchyard',
      metadata: present<JsonObject>(metadata),
    },
    ...(param === undefined
      ? []
      : [{ '@type': `${TYPE}BadRequest`, fieldViolations: [{ field: param, description: message }] }]),
    ...(retry_after_ms === undefined
      ? []
      : [{ '@type': `${TYPE}RetryInfo`, retryDelay: `${Math.ceil(retry_after_ms / 1000)}s` }]),
  ]
}
