// The shape of a picture or film: sizes in pixels, ratios and named resolutions, made into one another for providers that
// know only some of them. It never decides what a model allows.

/** Any of them may be absent; `size` wins over the other two, `auto` says nothing. */
export interface Shape {
  size?: string | undefined
  aspect_ratio?: string | undefined
  resolution?: string | undefined
}

export interface Pixels {
  width: number
  height: number
}

/** Edges are multiples of this: what picture models make inside. */
const EDGE_STEP = 16
/** A resolution of pictures is the area of a square of this edge. */
const SQUARE_EDGES: Record<string, number> = { '512': 512, '1K': 1024, '2K': 2048, '4K': 4096 }
/** The edge of a square of this resolution of pictures: 1024 for `1K`. Undefined for what is none. */
export const squareEdge = (resolution: string): number | undefined => SQUARE_EDGES[resolution.toUpperCase()]
/** A resolution of films is their shorter edge. */
const SHORT_EDGES: Record<string, number> = {
  '360p': 360,
  '480p': 480,
  '540p': 540,
  '720p': 720,
  '768p': 768,
  '1080p': 1080,
  '1440p': 1440,
  '4k': 2160,
}

const SIZE = /^([1-9]\d{0,4})[xX*]([1-9]\d{0,4})$/
const RATIO = /^([1-9]\d{0,2}(?:\.\d{1,3})?):([1-9]\d{0,2}(?:\.\d{1,3})?)$/

/** `1280x720` as numbers; undefined for `auto` and for anything else. */
export function pixelsOf(size: string | undefined): Pixels | undefined {
  const [, width, height] = SIZE.exec(size ?? '') ?? []
  return width && height ? { width: Number(width), height: Number(height) } : undefined
}

/** `16:9` as width over height; undefined for anything else. */
export function ratioOf(aspect_ratio: string | undefined): number | undefined {
  const [, width, height] = RATIO.exec(aspect_ratio ?? '') ?? []
  return width && height ? Number(width) / Number(height) : undefined
}

/** Width over height, 1 where the shape says nothing. */
function proportion({ size, aspect_ratio }: Shape): number {
  const pixels = pixelsOf(size)
  return pixels ? pixels.width / pixels.height : (ratioOf(aspect_ratio) ?? 1)
}

/** The `WIDTHxHEIGHT` of a picture of this ratio (1:1 if absent) and resolution (1K if absent). */
export function sizeOf({ aspect_ratio, resolution }: Omit<Shape, 'size'>): string {
  const edge = squareEdge(resolution ?? '1K') ?? 1024
  const stretch = Math.sqrt(ratioOf(aspect_ratio) ?? 1)
  return `${stepped(edge * stretch)}x${stepped(edge / stretch)}`
}

const stepped = (edge: number) => Math.max(EDGE_STEP, Math.round(edge / EDGE_STEP) * EDGE_STEP)

/** The one of `ratios` (`16:9`, …; at least one) that comes nearest to the shape. */
export function nearestRatio<Ratio extends string>(shape: Shape, ratios: readonly [Ratio, ...Ratio[]]): Ratio {
  const wanted = Math.log(proportion(shape))
  const distance = (ratio: Ratio) => Math.abs(Math.log(ratioOf(ratio) ?? 1) - wanted)
  return ratios.reduce((best, each) => (distance(each) < distance(best) ? each : best))
}

/** The ratio of a shape in the smallest whole numbers: `1280x720` is `16:9`. Undefined where it says nothing. */
export function exactRatio({ size, aspect_ratio }: Shape): string | undefined {
  const pixels = pixelsOf(size)
  if (!pixels) return aspect_ratio
  const divisor = commonDivisor(pixels.width, pixels.height)
  return `${pixels.width / divisor}:${pixels.height / divisor}`
}

const commonDivisor = (one: number, other: number): number => (other === 0 ? one : commonDivisor(other, one % other))

/** The smallest named resolution of pictures that is as large as the shape; the largest where none is. */
export function pictureResolution({ size, resolution }: Shape): '1K' | '2K' | '4K' {
  const pixels = pixelsOf(size)
  const asked = resolution?.toUpperCase()
  if (!pixels) return asked === '2K' || asked === '4K' ? asked : '1K'
  const area = pixels.width * pixels.height
  // Providers round edges to their own steps: a tenth over is still the same class.
  return area <= 1.1 * 1024 ** 2 ? '1K' : area <= 1.1 * 2048 ** 2 ? '2K' : '4K'
}

/** The one of `resolutions` (`720p`, …; at least one) whose shorter edge comes nearest to the film's; the first where nothing is said. */
export function filmResolution<Name extends string>(
  { size, resolution }: Shape,
  resolutions: readonly [Name, ...Name[]],
): Name {
  const named = resolutions.find((each) => each.toLowerCase() === resolution?.toLowerCase())
  if (named !== undefined) return named
  const pixels = pixelsOf(size)
  if (!pixels) return resolutions[0]
  const edge = Math.min(pixels.width, pixels.height)
  const distance = (name: Name) => Math.abs((SHORT_EDGES[name.toLowerCase()] ?? 720) - edge)
  return resolutions.reduce((best, each) => (distance(each) < distance(best) ? each : best))
}

/** Sizes of films are rounded to even edges, and old names for wide screens are a little off: so much passes for the same. */
const RATIO_TOLERANCE = 0.015

/** The shorter edge of films of this resolution: 720 for `720p`, 2160 for `4k`. Undefined for what is none. */
function shortEdge(resolution: string): number | undefined {
  const name = resolution.toLowerCase()
  const [, lines] = /^([1-9]\d{2,3})p$/.exec(name) ?? []
  return SHORT_EDGES[name] ?? (lines === undefined ? undefined : Number(lines))
}

/** The usual name of a film's resolution, by its shorter edge: `720p` for 1280x720. Undefined where there is none. */
export function resolutionName(size: string | undefined): string | undefined {
  const pixels = pixelsOf(size)
  const edge = pixels && Math.min(pixels.width, pixels.height)
  return Object.keys(SHORT_EDGES).find((name) => SHORT_EDGES[name] === edge)
}

/** The name of the resolution of films that a shape says, as it was given or by its size; `usual` where it says none. */
export const filmResolutionName = ({ size, resolution }: Shape, usual = '720p'): string =>
  resolution ?? resolutionName(size) ?? usual

/** Whether a size has this ratio and this resolution of films; what is not asked for agrees. */
export function sizeAgrees(size: string, { aspect_ratio, resolution }: Omit<Shape, 'size'>): boolean {
  const pixels = pixelsOf(size)
  if (!pixels) return false
  const { width, height } = pixels
  const ratio = ratioOf(aspect_ratio)
  if (aspect_ratio !== undefined && !(ratio && Math.abs(width / height / ratio - 1) <= RATIO_TOLERANCE)) return false
  return resolution === undefined || Math.min(width, height) === shortEdge(resolution)
}

/** The `WIDTHxHEIGHT` of a film of this ratio (16:9 if absent) and resolution (720p if absent); undefined for what is none. */
export function filmSize({ aspect_ratio = '16:9', resolution = '720p' }: Omit<Shape, 'size'>): string | undefined {
  const ratio = ratioOf(aspect_ratio)
  const edge = shortEdge(resolution)
  if (ratio === undefined || edge === undefined) return undefined
  // Encoders want even edges.
  const longer = 2 * Math.round((edge * Math.max(ratio, 1 / ratio)) / 2)
  return ratio >= 1 ? `${longer}x${edge}` : `${edge}x${longer}`
}
