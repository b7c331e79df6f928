// How many tokens a picture of OpenAI's models is, from above. Pure: numbers from the vendor's tables, with their dates.
import type { ImageRequest, Meters } from '../../contract.ts'

type Quality = 'low' | 'medium' | 'high'

/** gpt-image-1, 1-mini and 1.5 (image generation guide, 2026-08): tokens by size and quality. */
const TABLE: Record<string, Record<Quality, number>> = {
  '1024x1024': { low: 272, medium: 1056, high: 4160 },
  '1024x1536': { low: 408, medium: 1584, high: 6240 },
  '1536x1024': { low: 400, medium: 1568, high: 6208 },
}

/**
 * gpt-image-2 and later take any size. Found in the vendor's own calculator (community.openai.com/t/1382699, 2026-06):
 * factor × round(factor × short edge ÷ long edge) × (2,000,000 + pixels) ÷ 4,000,000. It gives 7,024 for 1024x1024 at
 * high, as the price page does. The factors of xhigh and max (2.5 and later) are not published; twice the one of high
 * is four times its tokens.
 */
const FACTORS: Record<string, number> = { low: 16, medium: 48, high: 96, xhigh: 192, max: 192 }
const MAX_PIXELS = 3840 * 2160

/** The largest that `auto` could be: a square of the most pixels. */
const LARGEST = { width: 2880, height: 2880 }

/** Each unfinished picture costs so much (same guide). */
const TOKENS_PER_PARTIAL = 100

/** Words that a model writes beside the picture: its thoughts, and all of an SVG. */
const TEXT_TOKENS = 2_048
const TEXT_TOKENS_THINKING = 32_768

/**
 * A picture sent along: at most 4 tiles of 129 and 65 (the short side is scaled to 512, the ratio is at most 3:1), and at
 * high fidelity, which gpt-image-2 always uses, another 6,240.
 */
const INPUT_TOKENS_LOW = 65 + 4 * 129
const INPUT_TOKENS_HIGH = INPUT_TOKENS_LOW + 6_240

/** Tokens of one finished picture at most. */
export function outputImageTokens(upstream: string, size = 'auto', quality = 'auto'): number {
  return /gpt-image-1(?!\d)/.test(upstream) ? tokensByTable(size, quality) : tokensByArea(size, quality)
}

function tokensByTable(size: string, quality: string): number {
  const rows = TABLE[size] ? [TABLE[size]] : Object.values(TABLE)
  return Math.max(...rows.map((row) => row[quality as Quality] ?? row.high))
}

function tokensByArea(size: string, quality: string): number {
  const [, width = 0, height = 0] = /^(\d+)x(\d+)$/.exec(size)?.map(Number) ?? []
  const { width: long, height: short } =
    width && height ? { width: Math.max(width, height), height: Math.min(width, height) } : LARGEST
  // What auto may choose has not been said to go beyond high.
  const factor = FACTORS[quality] ?? FACTORS.high ?? 0
  const pixels = Math.min(long * short, MAX_PIXELS)
  return Math.ceil((factor * Math.round((factor * short) / long) * (2_000_000 + pixels)) / 4_000_000)
}

/** Everything that a request may be billed for, at most. */
export function imageMeters(request: ImageRequest, upstream: string): Meters {
  const { n, size, quality, partial_images = 0, images = [], mask, extra = {} } = request
  const each = outputImageTokens(upstream, size, quality) + partial_images * TOKENS_PER_PARTIAL
  const thinking = extra.complexity !== undefined || request.output_format === 'svg'
  const sent = images.length + (mask ? 1 : 0) + (extra.markup ? 1 : 0)
  const cheap = /gpt-image-1(?:-mini|\.5)?$/.test(upstream) && extra.input_fidelity !== 'high'
  return {
    images: n,
    // n pictures are n runs: each reads the whole input again (community.openai.com/t/1381388).
    input_tokens: n * (Buffer.byteLength(request.prompt) + 64),
    ...(sent ? { input_image_tokens: n * sent * (cheap ? INPUT_TOKENS_LOW : INPUT_TOKENS_HIGH) } : {}),
    output_image_tokens: n * each,
    output_tokens: n * (thinking ? TEXT_TOKENS_THINKING : TEXT_TOKENS),
  }
}
