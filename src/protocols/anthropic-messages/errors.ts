// The types by which Anthropic's API tells errors, from our codes and statuses. It words no message.

const BY_CODE: Record<string, string> = {
  rate_limit_exceeded: 'rate_limit_error',
  no_provider_available: 'overloaded_error',
  timeout: 'timeout_error',
}

const BY_STATUS: Record<number, string> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
}

/** `status` is what the answer had, or would have had. */
export function errorType(code: string, status: number): string {
  return BY_CODE[code] ?? BY_STATUS[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error')
}

/** A failure in the middle of a stream, after which nothing comes. Its status is known by its kind only. */
export function errorEvent({ message, type, code }: { message: string; type: string; code: string }): string {
  const error = { type: errorType(code, type === 'server_error' ? 500 : 400), message, code }
  return `event: error\ndata: ${JSON.stringify({ type: 'error', error })}\n\n`
}
