// Anthropic's usage object to and from disjoint meters. It never estimates: what it cannot read is absent.
import type { Json, JsonObject, Meters, Usage } from '../../contract.ts'
import { exactNumber } from '../json.ts'
import { count, record } from '../lenient.ts'

type JsonRecord = Record<string, unknown>

/**
 * Reads the `usage` of an answer, or of a stream's events merged into one. `input_tokens` has nothing of the cache in it
 * and `output_tokens` all of the thinking. Undefined if there is none or if it makes no sense, which is the same as none.
 */
export function readUsage(raw: unknown): Usage | undefined {
  const usage = record(raw)
  const parts = [usage, ...compactions(usage)].map(metersOf)
  const [first] = parts
  if (!first) return undefined
  const meters = parts.reduce<Meters>((total, part) => addMeters(total, part ?? {}), {})
  const searches = count(record(usage.server_tool_use).web_search_requests) ?? 0
  if (searches) meters.web_searches = searches
  return { meters, source: 'reported', raw: raw as Json }
}

/**
 * The work of shortening a long conversation stands beside the totals and is paid for like the rest (recording of
 * 2026-02: 60,385 tokens read by the compaction, 612 in the total). The other iterations are in the totals.
 */
function compactions({ iterations }: JsonRecord): JsonRecord[] {
  return (Array.isArray(iterations) ? iterations : []).map(record).filter(({ type }) => type === 'compaction')
}

function metersOf(usage: JsonRecord): Meters | undefined {
  const input = count(usage.input_tokens)
  const output = count(usage.output_tokens)
  if (input === undefined || output === undefined) return undefined
  const split = record(usage.cache_creation)
  const kept_1h = count(split.ephemeral_1h_input_tokens) ?? 0
  const kept_5m = count(split.ephemeral_5m_input_tokens) ?? 0
  const written = Math.max(count(usage.cache_creation_input_tokens) ?? 0, kept_1h + kept_5m)
  const cached = count(usage.cache_read_input_tokens) ?? 0
  return {
    input_tokens: input,
    ...(cached ? { cached_input_tokens: cached } : {}),
    ...(written - kept_1h ? { cache_write_tokens: written - kept_1h } : {}),
    ...(kept_1h ? { cache_write_1h_tokens: kept_1h } : {}),
    output_tokens: output,
  }
}

function addMeters(total: Meters, part: Meters): Meters {
  const sum = { ...total }
  for (const [meter, quantity] of Object.entries(part) as [keyof Meters, number][]) {
    sum[meter] = (sum[meter] ?? 0) + quantity
  }
  return sum
}

/** The usage of `message_start` with what a later event says: counts are cumulative, so the last one stands. */
export function mergeUsage(so_far: JsonRecord, later: unknown): JsonRecord {
  const said = Object.entries(record(later)).filter(([, value]) => value !== null && value !== undefined)
  return { ...so_far, ...Object.fromEntries(said) }
}

/** Meters as Anthropic's usage object. Its format has no word for tokens of pictures or sound: they are input. */
export function writeUsage({ meters }: Usage): JsonObject {
  const kept_5m = meters.cache_write_tokens ?? 0
  const kept_1h = meters.cache_write_1h_tokens ?? 0
  return {
    input_tokens: sum(meters.input_tokens, meters.input_image_tokens, meters.input_audio_tokens),
    cache_creation_input_tokens: kept_5m + kept_1h,
    cache_read_input_tokens: sum(
      meters.cached_input_tokens,
      meters.cached_input_image_tokens,
      meters.cached_input_audio_tokens,
    ),
    cache_creation: { ephemeral_5m_input_tokens: kept_5m, ephemeral_1h_input_tokens: kept_1h },
    output_tokens: sum(meters.output_tokens, meters.output_image_tokens, meters.output_audio_tokens),
    ...(meters.web_searches ? { server_tool_use: { web_search_requests: meters.web_searches } } : {}),
  }
}

/** The usage object with our price in it, printed exactly; a provider's own `cost` is in the raw usage only. */
export function withCost(usage: JsonRecord, cost_usd: string | undefined): JsonRecord {
  const { cost: _theirs, ...rest } = usage
  return cost_usd === undefined ? rest : { ...rest, cost: exactNumber(cost_usd) }
}

const sum = (...numbers: (number | undefined)[]) => numbers.reduce<number>((total, each) => total + (each ?? 0), 0)
