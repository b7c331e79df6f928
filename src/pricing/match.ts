// Which rate prices a meter: the fallbacks between kinds of token and the conditions of rates. Pure; it does no sums of money.
import type { Meter, Meters } from '../contract.ts'
import type { Rate } from './schema.ts'

/**
 * Where the price of a kind of token is looked for when it has no rate of its own: ever plainer kinds, and for the
 * plain kinds themselves the kinds beside them, so that no token is free because nobody wrote a rate for it.
 */
const FALLBACKS: Partial<Record<Meter, Meter[]>> = {
  input_tokens: ['input_image_tokens', 'input_audio_tokens'],
  cached_input_tokens: ['input_tokens', 'input_image_tokens', 'input_audio_tokens'],
  cache_write_tokens: ['input_tokens', 'input_image_tokens', 'input_audio_tokens'],
  cache_write_1h_tokens: ['cache_write_tokens', 'input_tokens', 'input_image_tokens', 'input_audio_tokens'],
  input_image_tokens: ['input_tokens', 'input_audio_tokens'],
  input_audio_tokens: ['input_tokens', 'input_image_tokens'],
  cached_input_image_tokens: ['input_image_tokens', 'cached_input_tokens', 'input_tokens', 'input_audio_tokens'],
  cached_input_audio_tokens: ['input_audio_tokens', 'cached_input_tokens', 'input_tokens', 'input_image_tokens'],
  output_tokens: ['output_image_tokens', 'output_audio_tokens', 'output_video_tokens'],
  output_image_tokens: ['output_tokens', 'output_audio_tokens'],
  output_audio_tokens: ['output_tokens', 'output_image_tokens'],
  output_video_tokens: ['output_tokens'],
}

/** Everything that a model reads: what `context_over` compares. */
export const INPUT_METERS = [
  'input_tokens',
  'cached_input_tokens',
  'cache_write_tokens',
  'cache_write_1h_tokens',
  'input_image_tokens',
  'cached_input_image_tokens',
  'input_audio_tokens',
  'cached_input_audio_tokens',
] as const satisfies Meter[]

export const contextOf = (meters: Meters): number =>
  INPUT_METERS.reduce((total, meter) => total + (meters[meter] ?? 0), 0)

/** The rates that price a meter: its own, else those of the next kind that has some; empty if it is not priced. */
export function ratesOf(meter: Meter, rates: readonly Rate[]): readonly Rate[] {
  for (const kind of [meter, ...(FALLBACKS[meter] ?? [])]) {
    const own = rates.filter((rate) => rate.meter === kind)
    if (own.length > 0) return own
  }
  return []
}

export interface Circumstances {
  attributes: Record<string, string>
  context: number
}

/** The most specific of one meter's rates whose conditions hold; undefined if none does. */
export function bestRate(rates: readonly Rate[], circumstances: Circumstances): Rate | undefined {
  let best: Rate | undefined
  for (const rate of rates) {
    if (holds(rate, circumstances) && (!best || isMoreSpecific(rate, best))) best = rate
  }
  return best
}

function holds({ when }: Rate, { attributes, context }: Circumstances): boolean {
  for (const [name, value] of Object.entries(when)) {
    if (name === 'context_over') {
      if (!(context > Number(value))) return false
    } else if (attributes[name] !== String(value)) return false
  }
  return true
}

/** More conditions are more specific; of as many, the higher `context_over`. Ties are refused when prices are loaded. */
export function isMoreSpecific(a: Rate, b: Rate): boolean {
  const difference = Object.keys(a.when).length - Object.keys(b.when).length
  return difference === 0 ? contextOver(a) > contextOver(b) : difference > 0
}

export const contextOver = ({ when }: Rate): number =>
  when.context_over === undefined ? -1 : Number(when.context_over)

/** What is free is free at every tier. */
const ZERO = /^0(\.0+)?$/
const PLAIN_TIERS = new Set(['auto', 'default', 'standard', 'standard_only', 'on_demand'])

/**
 * The tier of service that has no rate of its own here, if the usage has such a tier. Every other attribute may be
 * passed over by a rate without conditions, but a tier is sold at another price: `priority` at the plain one is a loss.
 */
export function unpricedTier(attributes: Record<string, string>, rates: readonly Rate[]): string | undefined {
  const { tier } = attributes
  if (tier === undefined || PLAIN_TIERS.has(tier)) return undefined
  const isPriced = rates.some(({ when }) => when.tier === tier)
  return isPriced || rates.every(({ usd }) => ZERO.test(usd)) ? undefined : tier
}
