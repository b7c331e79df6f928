// OpenAI's usage object and its dialects, to and from disjoint meters. It never estimates: what it cannot read is absent.
import type { Json, JsonObject, Meters, Usage } from '../../contract.ts'
import { exactNumber } from '../json.ts'
import { count, record } from '../lenient.ts'

/**
 * Reads the `usage` of an answer or of a stream's last chunk. Undefined if there is none or if it makes no sense
 * (negative, not a number, absurd), which is the same as none.
 */
export function readUsage(raw: unknown): Usage | undefined {
  const usage = record(raw)
  const prompt = record(usage.prompt_tokens_details)
  const completion = record(usage.completion_tokens_details)
  const input_total = count(usage.prompt_tokens)
  const output_total = outputTokens(usage, completion)
  if (input_total === undefined || output_total === undefined) return undefined
  const input = inputMeters(input_total, {
    // DeepSeek and Moonshot tell the cache's part beside the details, Mistral as num_cached_tokens (recordings, 2026).
    cached:
      count(prompt.cached_tokens) ??
      count(usage.prompt_cache_hit_tokens) ??
      count(usage.cached_tokens) ??
      count(usage.num_cached_tokens) ??
      0,
    written: count(prompt.cache_write_tokens) ?? count(prompt.cache_creation_tokens) ?? 0,
    audio: count(prompt.audio_tokens) ?? 0,
    image: count(prompt.image_tokens) ?? 0,
  })
  const audio = Math.min(output_total, count(completion.audio_tokens) ?? 0)
  const image = Math.min(output_total - audio, count(completion.image_tokens) ?? 0)
  const searches = webSearches(usage)
  const meters: Meters = {
    ...input,
    output_tokens: output_total - audio - image,
    ...(audio ? { output_audio_tokens: audio } : {}),
    ...(image ? { output_image_tokens: image } : {}),
    ...(searches ? { web_searches: searches } : {}),
  }
  return { meters, source: 'reported', raw: raw as Json }
}

/** `completion_tokens` includes reasoning everywhere but at xAI, whose total gives it away (recording of 2026-02). */
function outputTokens(usage: JsonRecord, details: JsonRecord): number | undefined {
  const output = count(usage.completion_tokens)
  // Embeddings and rerankers tell no output at all.
  if (usage.completion_tokens === undefined && count(usage.prompt_tokens) !== undefined) return 0
  if (output === undefined) return undefined
  const reasoning = count(details.reasoning_tokens) ?? 0
  const input = count(usage.prompt_tokens) ?? 0
  const apart = reasoning > 0 && count(usage.total_tokens) === input + output + reasoning
  return apart ? output + reasoning : output
}

/** Which of the cached tokens were text and which sound or picture is not told; they count as text, which is what vendors list. */
function inputMeters(total: number, parts: { cached: number; written: number; audio: number; image: number }): Meters {
  const audio = Math.min(total, parts.audio)
  const image = Math.min(total - audio, parts.image)
  const text = total - audio - image
  const cached = Math.min(text, parts.cached)
  const written = Math.min(text - cached, parts.written)
  return {
    input_tokens: text - cached - written,
    ...(cached ? { cached_input_tokens: cached } : {}),
    ...(written ? { cache_write_tokens: written } : {}),
    ...(audio ? { input_audio_tokens: audio } : {}),
    ...(image ? { input_image_tokens: image } : {}),
  }
}

/** OpenRouter counts searches in server_tool_use_details, Perplexity in num_search_queries. */
function webSearches(usage: JsonRecord): number {
  return (
    count(record(usage.server_tool_use_details).web_search_requests) ??
    count(record(usage.server_tool_use).web_search_requests) ??
    count(usage.num_search_queries) ??
    0
  )
}

/** The usage of a whole answer or chunk, wherever this provider puts it (Groq: also `x_groq.usage`). */
export function usageOf(answer: JsonRecord): unknown {
  if (answer.usage) return answer.usage
  return record(answer.x_groq).usage ?? undefined
}

/** Meters as OpenAI's usage object. */
export function writeUsage({ meters, raw }: Usage): JsonObject {
  const cached = sum(meters.cached_input_tokens, meters.cached_input_image_tokens, meters.cached_input_audio_tokens)
  const written = sum(meters.cache_write_tokens, meters.cache_write_1h_tokens)
  const audio_in = sum(meters.input_audio_tokens, meters.cached_input_audio_tokens)
  const image_in = sum(meters.input_image_tokens, meters.cached_input_image_tokens)
  const prompt = sum(meters.input_tokens, meters.cached_input_tokens, written, audio_in, image_in)
  const audio_out = sum(meters.output_audio_tokens)
  const output = sum(meters.output_tokens, audio_out, meters.output_image_tokens)
  const reasoning = reasoningTokens(raw)
  return {
    prompt_tokens: prompt,
    completion_tokens: output,
    total_tokens: prompt + output,
    prompt_tokens_details: {
      cached_tokens: cached,
      audio_tokens: audio_in,
      ...(written ? { cache_write_tokens: written } : {}),
      ...(image_in ? { image_tokens: image_in } : {}),
    },
    completion_tokens_details: { reasoning_tokens: Math.min(reasoning, output), audio_tokens: audio_out },
  }
}

/** As OpenAI's two formats and Google's tell it. */
function reasoningTokens(raw: unknown): number {
  const { completion_tokens_details, output_tokens_details, thoughtsTokenCount } = record(raw)
  const details = record(completion_tokens_details ?? output_tokens_details)
  return count(details.reasoning_tokens) ?? count(thoughtsTokenCount) ?? 0
}

/** The usage object with our price in it, printed exactly; the provider's own `cost` is in the raw usage only. */
export function withCost(usage: JsonRecord, cost_usd: string | undefined): JsonRecord {
  const { cost: _theirs, ...rest } = usage
  return cost_usd === undefined ? rest : { ...rest, cost: exactNumber(cost_usd) }
}

type JsonRecord = Record<string, unknown>

const sum = (...numbers: (number | undefined)[]) => numbers.reduce<number>((total, each) => total + (each ?? 0), 0)
