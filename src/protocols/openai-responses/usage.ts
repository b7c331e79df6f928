// The usage object of the Responses API, to and from disjoint meters. It never estimates: what it cannot read is absent.
import type { Json, JsonObject, Meters, Usage } from '../../contract.ts'
import { exactNumber } from '../json.ts'
import { count, isRecord, record } from '../lenient.ts'

/** Reads the usage of a whole response. Undefined if there is none or if it makes no sense, which is the same as none. */
export function readUsage(response: Record<string, unknown>): Usage | undefined {
  const usage = record(response.usage)
  const input_total = count(usage.input_tokens)
  const output_tokens = count(usage.output_tokens)
  if (input_total === undefined || output_tokens === undefined) return undefined
  const details = record(usage.input_tokens_details)
  const cached = Math.min(input_total, count(details.cached_tokens) ?? 0)
  const written = Math.min(input_total - cached, count(details.cache_write_tokens) ?? 0)
  const searches = webSearches(response)
  const meters: Meters = {
    input_tokens: input_total - cached - written,
    ...(cached ? { cached_input_tokens: cached } : {}),
    ...(written ? { cache_write_tokens: written } : {}),
    output_tokens,
    ...(searches ? { web_searches: searches } : {}),
  }
  return { meters, source: 'reported', raw: response.usage as Json }
}

/** Told since 2026 in `tool_usage`, before that only by the calls themselves; opening a page found is no search. */
function webSearches({ tool_usage, output }: Record<string, unknown>): number {
  const told = count(record(record(tool_usage).web_search).num_requests)
  if (told !== undefined) return told
  const calls = Array.isArray(output) ? output.filter(isRecord).filter(({ type }) => type === 'web_search_call') : []
  return calls.filter(({ action }) => (record(action).type ?? 'search') === 'search').length
}

/** Meters as the usage object of a response. */
export function writeUsage({ meters, raw }: Usage): JsonObject {
  const sum = (...numbers: (number | undefined)[]) => numbers.reduce<number>((total, each) => total + (each ?? 0), 0)
  const cached = sum(meters.cached_input_tokens, meters.cached_input_image_tokens, meters.cached_input_audio_tokens)
  const written = sum(meters.cache_write_tokens, meters.cache_write_1h_tokens)
  const input = sum(meters.input_tokens, cached, written, meters.input_audio_tokens, meters.input_image_tokens)
  const output = sum(meters.output_tokens, meters.output_audio_tokens, meters.output_image_tokens)
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: Math.min(reasoningTokens(raw), output) },
    total_tokens: input + output,
  }
}

/** Thoughts are output tokens; how many of them only the provider's own usage tells, in its own words. */
function reasoningTokens(raw: Json | undefined): number {
  const { output_tokens_details, completion_tokens_details, thoughtsTokenCount } = record(raw)
  return (
    count(record(output_tokens_details).reasoning_tokens) ??
    count(record(completion_tokens_details).reasoning_tokens) ??
    count(thoughtsTokenCount) ??
    0
  )
}

/** The usage object with our price in it, printed exactly; the provider's own `cost` is in the raw usage only. */
export function withCost(usage: Record<string, unknown>, cost_usd: string | undefined): Record<string, unknown> {
  const { cost: _theirs, ...rest } = usage
  return cost_usd === undefined ? rest : { ...rest, cost: exactNumber(cost_usd) }
}
