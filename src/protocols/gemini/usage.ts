// Google's usageMetadata to and from disjoint meters. It never estimates: what it cannot read is absent.
import type { Json, JsonObject, Meters, Usage } from '../../contract.ts'
import { exactNumber } from '../json.ts'
import { count, isRecord, record } from '../lenient.ts'

/**
 * Reads the usageMetadata of an answer or of a stream's last chunk; undefined if there is none or if it makes no sense.
 * The prompt includes what was cached, the candidates do not include thoughts, and what Google's own tools put into the
 * prompt is counted apart (vendor's reference and recordings, 2026-11). Films and documents cost what text costs.
 */
export function readUsage(raw: unknown, searches = 0): Usage | undefined {
  const usage = record(raw)
  const prompt = count(usage.promptTokenCount)
  if (prompt === undefined) return undefined
  const meters: Meters = {
    ...inputMeters(prompt, usage),
    ...outputMeters(usage),
    ...some('web_searches', searches),
  }
  return { meters, source: 'reported', raw: raw as Json }
}

/** Where the details leave tokens out, as they do for functions, these are text. */
function inputMeters(prompt: number, usage: Record<string, unknown>): Meters {
  const told = byModality(usage.promptTokensDetails)
  const cached = byModality(usage.cacheTokensDetails)
  const audio = Math.min(prompt, told.AUDIO ?? 0)
  const image = Math.min(prompt - audio, told.IMAGE ?? 0)
  const text = prompt - audio - image
  const cached_all = Math.min(prompt, count(usage.cachedContentTokenCount) ?? 0)
  const cached_audio = Math.min(audio, cached_all, cached.AUDIO ?? 0)
  const cached_image = Math.min(image, cached_all - cached_audio, cached.IMAGE ?? 0)
  const cached_text = Math.min(text, cached_all - cached_audio - cached_image)
  return {
    input_tokens: text - cached_text + (count(usage.toolUsePromptTokenCount) ?? 0),
    ...some('cached_input_tokens', cached_text),
    ...some('input_audio_tokens', audio - cached_audio),
    ...some('cached_input_audio_tokens', cached_audio),
    ...some('input_image_tokens', image - cached_image),
    ...some('cached_input_image_tokens', cached_image),
  }
}

function outputMeters(usage: Record<string, unknown>): Meters {
  const written = count(usage.candidatesTokenCount) ?? 0
  const told = byModality(usage.candidatesTokensDetails)
  const audio = Math.min(written, told.AUDIO ?? 0)
  const image = Math.min(written - audio, told.IMAGE ?? 0)
  const film = Math.min(written - audio - image, told.VIDEO ?? 0)
  return {
    output_tokens: written - audio - image - film + (count(usage.thoughtsTokenCount) ?? 0),
    ...some('output_audio_tokens', audio),
    ...some('output_image_tokens', image),
    ...some('output_video_tokens', film),
  }
}

const some = (meter: keyof Meters, quantity: number): Meters => (quantity > 0 ? { [meter]: quantity } : {})

/** [{modality:'AUDIO', tokenCount:12}] as {AUDIO: 12}; a count of zero is left out by Google. */
function byModality(details: unknown): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { modality, tokenCount } of Array.isArray(details) ? details.filter(isRecord) : []) {
    const name = String(modality)
    sums[name] = (sums[name] ?? 0) + (count(tokenCount) ?? 0)
  }
  return sums
}

/**
 * How many searches a candidate tells of. Gemini 3 is priced by the query, earlier models by the prompt that was searched
 * for at all (vendor's pricing page, 2026-10-07).
 */
export function searchesOf(candidate: Record<string, unknown>, model: unknown): number {
  const queries = record(candidate.groundingMetadata).webSearchQueries
  if (!Array.isArray(queries) || queries.length === 0) return 0
  return /gemini-[12]\b/.test(String(model ?? '')) ? 1 : queries.length
}

/** Meters as usageMetadata. */
export function writeUsage({ meters, raw }: Usage): JsonObject {
  const cached = sum(meters.cached_input_tokens, meters.cached_input_image_tokens, meters.cached_input_audio_tokens)
  const written = sum(meters.cache_write_tokens, meters.cache_write_1h_tokens)
  const fresh = sum(meters.input_tokens, meters.input_image_tokens, meters.input_audio_tokens)
  const prompt = fresh + cached + written
  const output = sum(meters.output_tokens, meters.output_audio_tokens, meters.output_image_tokens)
  const thoughts = Math.min(output, thoughtTokens(raw))
  return {
    promptTokenCount: prompt,
    ...(cached ? { cachedContentTokenCount: cached } : {}),
    candidatesTokenCount: output - thoughts,
    ...(thoughts ? { thoughtsTokenCount: thoughts } : {}),
    totalTokenCount: prompt + output,
  }
}

const sum = (...numbers: (number | undefined)[]) => numbers.reduce<number>((total, each) => total + (each ?? 0), 0)

/** Reasoning as other formats tell it. */
function thoughtTokens(raw: unknown): number {
  const usage = record(raw)
  const details = record(usage.completion_tokens_details ?? usage.output_tokens_details)
  return count(details.reasoning_tokens) ?? count(usage.thoughtsTokenCount) ?? 0
}

/** The usage with our price in it, printed exactly. */
export const withCost = (usage: Record<string, unknown>, cost_usd: string | undefined): Record<string, unknown> =>
  cost_usd === undefined ? usage : { ...usage, cost: exactNumber(cost_usd) }
