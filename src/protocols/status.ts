// What a provider's refusal means: HTTP status and error body to ProviderError. It never lets a key, an address or an
// account name of ours into a message.
import { type ErrorDetail, type ErrorKind, ProviderError } from '../contract.ts'

const MAX_MESSAGE = 1_000

const SECRETS: [RegExp, string][] = [
  [/\b(?:https?|wss?):\/\/[^\s"'<>)\]}]+/gi, '[address]'],
  [/\b(bearer)\s+[\w.~+/=-]{8,}/gi, '$1 [key]'],
  [/\b(api[_-]?key|secret|password|signature|authorization)(["']?\s*[=:]\s*["']?)[^\s"'&,;}]{4,}/gi, '$1$2[key]'],
  [/\b((?:key|token)=)[^\s"'&,;}]{4,}/gi, '$1[key]'],
  // The shapes of the vendors' keys, whole or masked in the middle as OpenAI does.
  [/\b(?:sk|pk|rk|gsk|xai|csk|fw|r8|hf|tgp|key|nvapi|pplx)[-_][\w*.-]{6,}/gi, '[key]'],
  [/\bAIza[\w*-]{10,}/g, '[key]'],
  [/\beyJ[\w-]{10,}\.[\w-]{5,}(?:\.[\w-]*)?/g, '[key]'],
  // Those of vendors whose keys have no shape but their length (Deepgram, Mistral, Together), and AWS's.
  [/\b(?=[a-z]*\d)(?=\d*[a-z])[a-z\d]{32,}\b/gi, '[key]'],
  [/\b(?:org|proj|user|acct|account)[-_](?=[\w-]*\d)[\w-]{8,}/gi, '[account]'],
]

/** The text without keys, addresses and account ids, at most 1,000 characters. */
export function scrub(text: string): string {
  const clean = withoutSecrets(text.slice(0, MAX_MESSAGE * 4))
  return clean.length > MAX_MESSAGE ? `${clean.slice(0, MAX_MESSAGE)}…` : clean
}

/** For our log: whatever looks like a key, an address or an account of ours at a provider is replaced. */
export function withoutSecrets(text: string): string {
  return SECRETS.reduce((clean, [pattern, instead]) => clean.replace(pattern, instead), text)
}

/** `messages[0].content`: what is no name of a field is words, and those belong into the message. */
const FIELD = /^[\w.[\]-]{1,100}$/

/** What an error body says, in the dialects of OpenAI and its likes. */
interface ErrorBody {
  message?: string
  codes: string[]
  param?: string
  retry_after_ms?: number
}

function readErrorBody(body: string): ErrorBody {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    return { codes: [] }
  }
  if (Array.isArray(json)) json = json[0]
  const outer = asRecord(json)
  const error = asRecord(outer.error ?? outer.errors ?? json)
  // ElevenLabs has a code and a message in `detail`; Deepgram `err_code` and `err_msg`, or `category` and `details`.
  const detail = asRecord(outer.detail)
  const text = [
    error.message,
    outer.error,
    outer.message,
    outer.detail,
    error.detail,
    detail.message,
    outer.err_msg,
  ].find(isText)
  // FastAPI servers answer 422 with a list of {loc, msg}: vLLM in `detail`, Mistral in `message.detail`.
  const list = outer.detail ?? asRecord(outer.message).detail
  const listed = Array.isArray(list) ? list.map(asRecord) : []
  const listedText = listed.map((item) => `${place(item.loc)}${item.msg ?? ''}`).join('; ')
  const message = text ?? (listedText || undefined)
  const google = readGoogleDetails(error.details)
  const theirs = [detail.status, detail.code, outer.err_code, outer.category]
  const codes = [error.code, error.type, error.status, outer.code, outer.type, ...theirs, ...google.reasons]
    .filter((code) => isText(code) || typeof code === 'number')
    .map((code) => String(code).toLowerCase())
  const param = [error.param, google.field].find((field) => isText(field) && FIELD.test(field)) as string | undefined
  return {
    codes,
    ...(message === undefined ? {} : { message }),
    ...(param === undefined ? {} : { param }),
    ...(google.retry_after_ms === undefined ? {} : { retry_after_ms: google.retry_after_ms }),
  }
}

/** Google tells why, which field and how long to wait in a list of `google.rpc` forms (https://google.aip.dev/193). */
function readGoogleDetails(details: unknown): { reasons: unknown[]; field?: unknown; retry_after_ms?: number } {
  const forms = Array.isArray(details) ? details.map(asRecord) : []
  const violations = forms.map((form) => form.fieldViolations).find(Array.isArray)
  const delay = forms.map(({ retryDelay }) => /^([\d.]+)s$/.exec(String(retryDelay))?.[1]).find(isText)
  return {
    reasons: forms.map(({ reason }) => reason),
    field: asRecord(violations?.[0]).field,
    ...(delay === undefined ? {} : { retry_after_ms: Math.ceil(Number(delay) * 1000) }),
  }
}

const place = (loc: unknown) => (Array.isArray(loc) ? `${loc.filter((part) => part !== 'body').join('.')}: ` : '')
const isText = (value: unknown): value is string => typeof value === 'string' && value.length > 0
const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

const POLICY =
  /content_policy|content_filter|moderation_blocked|policy_violation|safety|sensitive_content|data_inspection_failed|against_policy/
const QUOTA = /insufficient_quota|quota_exceeded|billing|insufficient_balance|payment_required|credit|hard_limit/
const LENGTH = /context_length|string_above_max_length|max_tokens_exceeded/

function kindOf(status: number, { codes, message = '' }: ErrorBody): ErrorKind {
  const said = codes.join(' ')
  if (POLICY.test(said)) return 'content_policy'
  if (QUOTA.test(said)) return 'quota'
  if (LENGTH.test(said)) return 'invalid_request'
  switch (status) {
    case 401:
      return 'authentication'
    case 402:
      return 'quota'
    case 403:
      // OpenRouter answers 403 with this text when the input was flagged (its docs, 2026-07).
      return /flagged|moderation/i.test(message) ? 'content_policy' : 'permission'
    case 404:
      return 'not_found'
    case 408:
    case 504:
    case 524:
      return 'timeout'
    case 409:
    case 429:
      return 'rate_limit'
    case 503:
    case 529:
      return 'overloaded'
  }
  if (status >= 500) return 'unavailable'
  // Google refuses a wrong key with 400 and reason API_KEY_INVALID, and a country it does not serve with FAILED_PRECONDITION.
  if (/invalid_api_key|api_key_invalid|authentication/.test(said)) return 'authentication'
  if (/failed_precondition/.test(said) && /location/i.test(message)) return 'permission'
  if (status >= 400) return 'invalid_request'
  return 'bad_response'
}

/** The delay a provider asks for, in milliseconds: `retry-after-ms`, `retry-after` in seconds or as a date. */
export function retryAfter(headers: Record<string, string>): number | undefined {
  const exact = Number(headers['retry-after-ms'])
  if (headers['retry-after-ms'] && Number.isFinite(exact) && exact >= 0) return Math.ceil(exact)
  const value = headers['retry-after']
  if (!value) return undefined
  const seconds = Number(value)
  const delay_ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(delay_ms) ? Math.max(0, Math.ceil(delay_ms)) : undefined
}

/**
 * A refusal as a ProviderError. The provider's own words are kept, scrubbed, only where the caller is at fault and
 * needs them; otherwise the message is ours. `headers` have lower-case names.
 */
export function httpError(
  status: number,
  headers: Record<string, string>,
  body: string,
  provider: string,
): ProviderError {
  const said = readErrorBody(body)
  const kind = kindOf(status, said)
  const retry_after_ms = retryAfter(headers) ?? said.retry_after_ms
  const request_id = headers['x-request-id'] ?? headers['request-id']
  const detail: ErrorDetail = {
    ...(status > 0 ? { status } : {}),
    ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
    ...(request_id === undefined ? {} : { request_id }),
    ...(said.param === undefined ? {} : { param: said.param }),
    // For our log, never for the caller.
    cause: said.message === undefined ? undefined : new Error(scrub(said.message)),
  }
  return new ProviderError(kind, messageOf(kind, status, said, provider), detail)
}

function messageOf(kind: ErrorKind, status: number, said: ErrorBody, provider: string): string {
  const words = said.message === undefined ? undefined : scrub(said.message)
  switch (kind) {
    case 'invalid_request':
      return words ?? `${provider} refused the request with status ${status} and gave no reason.`
    case 'content_policy':
      return words ?? `${provider} refused the content of the request.`
    case 'authentication':
      return `${provider} refused our credential.`
    case 'permission':
      return `${provider} does not let our account do this.`
    case 'not_found':
      return `${provider} does not know the model or the address we called.`
    case 'quota':
      return `Our account at ${provider} is out of credit or quota.`
    case 'rate_limit':
      return `${provider} asks us to slow down.`
    case 'overloaded':
      return `${provider} is overloaded.`
    case 'timeout':
      return `${provider} took too long.`
    case 'bad_response':
      return `${provider} answered with status ${status}, which we did not expect.`
    default:
      return `${provider} failed with status ${status}.`
  }
}

/** An error told in the middle of a stream: the same reading, the status being in the body or unknown (then 500). */
export function streamError(event: Record<string, unknown>, provider: string): ProviderError {
  const error = asRecord(event.error)
  const code = Number(error.code ?? error.status_code ?? error.status)
  const status = Number.isInteger(code) && code >= 400 && code < 600 ? code : statusByType(String(error.type ?? ''))
  return httpError(status, {}, JSON.stringify({ error: event.error }), provider)
}

function statusByType(type: string): number {
  if (type === 'overloaded_error') return 529
  if (type === 'rate_limit_error' || type === 'rate_limit_exceeded') return 429
  if (type === 'invalid_request_error') return 400
  return 500
}
