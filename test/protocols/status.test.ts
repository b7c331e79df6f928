// What a provider's refusal is called, and what of its words a caller may read.
import { describe, expect, it } from 'vitest'
import { httpError, retryAfter, scrub, streamError } from '../../src/protocols/status.ts'

const refusal = (status: number, error: object = {}, headers: Record<string, string> = {}) =>
  httpError(status, headers, JSON.stringify({ error }), 'Acme')

describe('httpError', () => {
  it.each([
    [400, {}, 'invalid_request'],
    [400, { code: 'context_length_exceeded' }, 'invalid_request'],
    [400, { code: 'content_policy_violation' }, 'content_policy'],
    [400, { code: 'moderation_blocked' }, 'content_policy'],
    [400, { code: 'data_inspection_failed' }, 'content_policy'],
    [401, { code: 'invalid_api_key' }, 'authentication'],
    [402, {}, 'quota'],
    [403, {}, 'permission'],
    [403, { message: 'Your input was flagged' }, 'content_policy'],
    [404, { code: 'model_not_found' }, 'not_found'],
    [408, {}, 'timeout'],
    [409, {}, 'rate_limit'],
    [413, {}, 'invalid_request'],
    [422, {}, 'invalid_request'],
    [429, { code: 'rate_limit_exceeded' }, 'rate_limit'],
    [429, { code: 'insufficient_quota' }, 'quota'],
    [429, { code: 429, message: 'Provider returned error' }, 'rate_limit'],
    [500, {}, 'unavailable'],
    [502, {}, 'unavailable'],
    [503, {}, 'overloaded'],
    [504, {}, 'timeout'],
    [529, {}, 'overloaded'],
    [302, {}, 'bad_response'],
  ])('%i %j is %s', (status, error, kind) => {
    expect(refusal(status, error)).toMatchObject({ kind, detail: { status } })
  })

  it('keeps the words of the provider where the caller is at fault, and only there', () => {
    const error = { message: "Unsupported parameter: 'max_tokens'. See https://acme.test/d?k=1", param: 'max_tokens' }
    expect(refusal(400, error)).toMatchObject({
      message: "Unsupported parameter: 'max_tokens'. See [address]",
      detail: { param: 'max_tokens' },
    })
    expect(refusal(401, { message: 'Bad key sk-proj-abcdef123456' }).message).toBe('Acme refused our credential.')
    expect(refusal(500, { message: 'host db7.internal' }).message).toBe('Acme failed with status 500.')
  })

  it('reads the lists of FastAPI servers, bare messages and what is not JSON', () => {
    const detail = [{ loc: ['body', 'messages', 0, 'role'], msg: 'Input should be user' }]
    expect(httpError(422, {}, JSON.stringify({ detail }), 'Acme').message).toBe('messages.0.role: Input should be user')
    const mistral = { object: 'error', message: { detail: [{ loc: ['body', 'n'], msg: 'not permitted' }] } }
    expect(httpError(422, {}, JSON.stringify(mistral), 'Acme').message).toBe('n: not permitted')
    expect(httpError(400, {}, '{"object":"error","message":"too long"}', 'Acme').message).toBe('too long')
    expect(httpError(400, {}, '{"error":"no such voice"}', 'Acme').message).toBe('no such voice')
    expect(httpError(400, {}, '<html>', 'Acme').message).toMatch(/status 400 and gave no reason/)
    expect(httpError(400, {}, '{"err_code":"Bad Request","err_msg":"no such model"}', 'Acme').message).toBe(
      'no such model',
    )
    expect(httpError(400, {}, '{"detail":{"status":"voice_not_found","message":"no voice"}}', 'Acme').message).toBe(
      'no voice',
    )
  })

  it.each([
    [401, { status: 'quota_exceeded', message: 'You have 0 credits remaining.' }, 'quota'],
    [401, { status: 'invalid_api_key', message: 'Invalid API key' }, 'authentication'],
    [403, { status: 'content_against_policy', message: 'It may violate our Terms of Service.' }, 'content_policy'],
  ])('reads from a detail what status %i means: %j', (status, detail, kind) => {
    expect(httpError(status, {}, JSON.stringify({ detail }), 'Acme').kind).toBe(kind)
  })

  it('reads when to come back', () => {
    expect(refusal(429, {}, { 'retry-after-ms': '250', 'retry-after': '9' }).detail.retry_after_ms).toBe(250)
    expect(retryAfter({ 'retry-after': '1.5' })).toBe(1500)
    expect(retryAfter({ 'retry-after': new Date(Date.now() + 60_000).toUTCString() })).toBeGreaterThan(55_000)
    expect(retryAfter({ 'retry-after': 'soon' })).toBeUndefined()
    expect(refusal(429, {}, { 'x-request-id': 'req_1' }).detail.request_id).toBe('req_1')
  })
})

describe('streamError', () => {
  it('takes the status from the error where it is told', () => {
    expect(streamError({ error: { code: 429, message: 'slow' } }, 'Acme').kind).toBe('rate_limit')
    expect(streamError({ error: { type: 'overloaded_error' } }, 'Acme').kind).toBe('overloaded')
    expect(streamError({ error: { message: 'x', type: 'server_error' } }, 'Acme').kind).toBe('unavailable')
    expect(streamError({ error: 'boom' }, 'Acme').kind).toBe('unavailable')
    expect(streamError({ error: { code: 400, message: 'Token limit reached' } }, 'Acme').message).toBe(
      'Token limit reached',
    )
  })
})

describe('scrub', () => {
  it.each([
    'sk-proj-abc123def456ghi',
    'sk-ab***********xyz1',
    'gsk_abcdefgh12345678',
    'xai-abcdefgh12345678',
    'AIzaSyA1234567890abcdef',
    'r8_abcdefghijk123',
    'Bearer abcdefgh.ijkl',
    'https://user:pass@internal.acme.test/v1?key=1',
    'org-AbC123dEf456',
    'key=abcdef123',
    'api_key: "abcdef123"',
  ])('hides %s', (secret) => {
    const clean = scrub(`before ${secret} after`)
    expect(clean).toMatch(/^before .*\[(?:key|address|account)\].* after$/)
    expect(clean).not.toMatch(/[a-z]{3}123|pass@|ijkl|xyz1/i)
  })

  it('leaves ordinary words alone and cuts what is too long', () => {
    const words =
      "This model's maximum context length is 8192 tokens; max_tokens=4096 is too large for user-facing basics."
    expect(scrub(words)).toBe(words)
    expect(scrub('x'.repeat(5000)).length).toBe(1001)
  })
})
