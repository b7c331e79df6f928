// Fits the shape that a caller asked for into what a model makes. What it cannot honour is refused by the field's name,
// never made into something near it.
import type { ImageRequest } from '../../contract.ts'
import { refuse } from '../faults.ts'
import { nearestRatio, type Pixels, pixelsOf, ratioOf, type Shape, squareEdge } from '../shape.ts'

/** Edges are rounded to steps of 8 or 16, so that 1360x768 counts as 16:9. */
const RATIO_TOLERANCE = 0.02

/** The one of `ratios` (`16:9`) that has the shape's ratio; undefined where it says nothing of it. */
export function fitRatio<Ratio extends string>(
  shape: Shape,
  ratios: readonly [Ratio, ...Ratio[]],
  model: string,
): Ratio | undefined {
  const { size, aspect_ratio } = shape
  const pixels = pixelsOf(size)
  const wanted = pixels ? pixels.width / pixels.height : ratioOf(aspect_ratio)
  if (wanted === undefined) {
    if (aspect_ratio === undefined || aspect_ratio === 'auto') return undefined
    throw refuse('aspect_ratio', `'aspect_ratio' is a width and a height, like "16:9".`)
  }
  const nearest = nearestRatio(shape, ratios)
  if (Math.abs(wanted / (ratioOf(nearest) ?? 1) - 1) <= RATIO_TOLERANCE) return nearest
  const param = pixels ? 'size' : 'aspect_ratio'
  throw refuse(param, `${model} makes ${ratios.join(', ')}; '${param}' ${size ?? aspect_ratio} is none of these.`)
}

/** The one of `sizes` (`1024:1024`) with this size or, without one, this ratio and the area nearest to the resolution's. */
export function fitSize<Size extends string>(
  { size, aspect_ratio, resolution }: Shape,
  sizes: readonly [Size, ...Size[]],
  model: string,
): Size | undefined {
  const area = (each: string) => {
    const { width, height } = parts(each)
    return width * height
  }
  const pixels = pixelsOf(size)
  if (pixels) {
    const same = sizes.find((each) => parts(each).width === pixels.width && parts(each).height === pixels.height)
    if (same) return same
    throw refuse('size', `${model} makes ${sizes.join(', ').replaceAll(':', 'x')}, not ${size}.`)
  }
  if (aspect_ratio === undefined && resolution === undefined) return undefined
  const wanted = (pictureEdge(resolution, model) ?? Math.sqrt(area(sizes[0]))) ** 2
  const fitting = sizes.filter((each) => agrees(each, aspect_ratio ?? sizes[0]))
  const [first, ...rest] = fitting
  if (!first) throw refuse('aspect_ratio', `${model} makes ${sizes.join(', ')}, none of which is ${aspect_ratio}.`)
  const distance = (each: string) => Math.abs(Math.log(area(each) / wanted))
  const best = rest.reduce((found, each) => (distance(each) < distance(found) ? each : found), first)
  // Twice the area, or half of it, is another resolution than was asked for.
  if (resolution === undefined || distance(best) < Math.LN2) return best
  throw refuse('resolution', `${model} makes ${fitting.join(', ')}, which is not ${resolution}.`)
}

const parts = (size: string): Pixels => {
  const [width = 0, height = 0] = size.split(/[:x]/).map(Number)
  return { width, height }
}

function agrees(size: string, aspect_ratio: string): boolean {
  const { width, height } = parts(size)
  const wanted = ratioOf(aspect_ratio) ?? parts(aspect_ratio).width / parts(aspect_ratio).height
  return Math.abs(width / height / wanted - 1) <= RATIO_TOLERANCE
}

/** The edge of a square of this resolution of pictures; undefined where none is asked for. */
export function pictureEdge(resolution: string | undefined, model: string): number | undefined {
  if (resolution === undefined) return undefined
  const edge = squareEdge(resolution)
  if (edge && edge >= 1024) return edge
  throw refuse('resolution', `${model} takes 'resolution' 1K, 2K or 4K, not ${resolution.slice(0, 20)}.`)
}

/** The share of an octave of area by which a size may be off its class: 1536x1024 counts as 1K. */
const OCTAVE = 1.05

/** The one of `resolutions` (`1K`) that is named, or that a size is nearest to by its area; the first where neither is said. */
export function fitResolution<Name extends string>(
  { size, resolution }: Shape,
  resolutions: readonly [Name, ...Name[]],
  model: string,
): Name {
  const pixels = pixelsOf(size)
  const named = resolutions.find((each) => each === (resolution?.toUpperCase() ?? resolutions[0]))
  if (!pixels && named !== undefined) return named
  const area = pixels ? pixels.width * pixels.height : 0
  const distance = (each: Name) => Math.abs(Math.log2(area / (squareEdge(each) ?? 1024) ** 2))
  const nearest = resolutions.reduce((best, each) => (distance(each) < distance(best) ? each : best))
  if (pixels && distance(nearest) <= OCTAVE) return nearest
  const [param, asked] = pixels ? ['size', size] : ['resolution', resolution]
  throw refuse(param ?? 'size', `${model} makes pictures of ${resolutions.join(', ')}, not ${asked?.slice(0, 20)}.`)
}

/** What the vendor has no field for, and what would be lost in silence: asked for, it is a 400. */
export function refuseLook({ quality, background }: ImageRequest, model: string): void {
  if (quality !== undefined && quality !== 'auto') throw refuse('quality', `${model} knows no 'quality'. Leave it out.`)
  if (background === 'transparent') throw refuse('background', `${model} makes no transparent pictures.`)
}
