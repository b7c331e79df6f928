// How far a caller's limits a minute are, in the headers that the SDKs of its format know. It counts and refuses nothing.
import type { RateStanding } from '../flow/account/limits.ts'
import type { Caller } from '../flow/services.ts'
import type { Context } from './context.ts'

/** The caller of one request: what is told of its limits goes into the headers of that request's answer. */
export const withRateHeaders = (context: Context, caller: Caller): Caller => ({
  ...caller,
  tellRates(standings) {
    if (!context.headerSent) context.set(rateHeaders(context.state.request.error_format === 'anthropic', standings))
  },
  withdrawn() {
    context.remove('x-job-id')
    delete context.state.request.job_id
  },
})

/**
 * OpenAI: `x-ratelimit-limit-requests: 60`, `-remaining-requests: 59`, `-reset-requests: 59.5s`, and the same for tokens.
 * Anthropic: `anthropic-ratelimit-requests-limit`, `-remaining`, and `-reset` as a time (RFC 3339). Google tells none.
 */
function rateHeaders(anthropic: boolean, standings: RateStanding[]): Record<string, string> {
  return Object.fromEntries(
    standings.flatMap(({ kind, limit, remaining, resets_at }) =>
      anthropic
        ? [
            [`anthropic-ratelimit-${kind}-limit`, String(limit)],
            [`anthropic-ratelimit-${kind}-remaining`, String(remaining)],
            [`anthropic-ratelimit-${kind}-reset`, resets_at.toISOString().replace(/\.\d+Z$/, 'Z')],
          ]
        : [
            [`x-ratelimit-limit-${kind}`, String(limit)],
            [`x-ratelimit-remaining-${kind}`, String(remaining)],
            [`x-ratelimit-reset-${kind}`, duration(resets_at.getTime() - Date.now())],
          ],
    ),
  )
}

/** As OpenAI writes them: "120ms", "1s", "59.5s", "6m0s". */
export function duration(ms: number): string {
  const whole_ms = Math.max(0, Math.round(ms))
  if (whole_ms < 1000) return `${whole_ms}ms`
  const minutes = Math.floor(whole_ms / 60_000)
  const seconds = (whole_ms % 60_000) / 1000
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`
}
