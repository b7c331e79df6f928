// What a failed connection or an aborted call is called. No address, header or body ever gets into a message.
import { ProviderError } from '../contract.ts'

/** A network failure in words fit for anybody. `provider` is its name for people. */
export function networkError(cause: unknown, provider: string): ProviderError {
  if (cause instanceof ProviderError) return cause
  const chain = causes(cause)
  const codes = chain.map((error) => String(Reflect.get(error, 'code') ?? ''))
  const names = chain.map((error) => error.name)
  if (names.includes('TimeoutError') || codes.some((code) => TIMEOUT_CODES.has(code))) {
    return new ProviderError('timeout', `${provider} did not answer in time.`, { cause })
  }
  if (names.includes('AbortError')) return new ProviderError('canceled', 'The call was canceled.', { cause })
  if (names.includes('HTTPParserError') || codes.some((code) => BAD_ANSWER_CODES.has(code))) {
    return new ProviderError('bad_response', `${provider} answered with something that is not HTTP.`, { cause })
  }
  return new ProviderError('unavailable', `${provider} could not be reached, or broke off the connection.`, { cause })
}

const TIMEOUT_CODES = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
])
const BAD_ANSWER_CODES = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_RES_EXCEEDED_MAX_SIZE',
])

function causes(error: unknown): Error[] {
  const chain: Error[] = []
  for (let at = error; at instanceof Error && chain.length < 5; at = at.cause) chain.push(at)
  return chain
}

/** What an aborted signal means: the reason where it is one of ours, a passed deadline, else a cancellation. */
export function abortError(signal: AbortSignal, provider: string): ProviderError {
  const reason: unknown = signal.reason
  if (reason instanceof ProviderError) return reason
  if (reason instanceof Error && reason.name === 'TimeoutError') return networkError(reason, provider)
  return new ProviderError('canceled', 'The call was canceled.', { cause: reason })
}
