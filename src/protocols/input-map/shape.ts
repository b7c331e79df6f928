// The shape of a picture or film in a model's own inputs: pixels where the model takes them, a ratio and a resolution
// where it takes those. What it cannot make is refused, never made into something near it. Pure.
import type { Json } from '../../contract.ts'
import { refuse } from '../faults.ts'
import {
  exactRatio,
  filmResolution,
  nearestRatio,
  type Pixels,
  pictureResolution,
  pixelsOf,
  ratioOf,
  type Shape,
  sizeOf,
} from '../shape.ts'
import { said } from './fields.ts'
import type { Fields, Rule } from './schema.ts'

/** Edges are rounded to steps of 8 or 16, so that 1360x768 counts as 16:9. */
const RATIO_TOLERANCE = 0.03

/** Values for those of size, width, height, aspect_ratio and resolution that the map has. */
export function shapeOf(request: object, input: Fields, film: boolean): Record<string, Json> {
  const shape: Shape = {
    size: text(said(request, 'size')),
    aspect_ratio: text(said(request, 'aspect_ratio')),
    resolution: text(said(request, 'resolution')),
  }
  const { size, aspect_ratio, resolution } = shape
  const by_pixels = Boolean(input.size || (input.width && input.height))
  if (size !== undefined && by_pixels) return inPixels(readPixels(size))
  if (size !== undefined && !input.aspect_ratio && !input.resolution)
    throw refuse('size', "This model takes no 'size': leave it out.")
  // A ratio is made into pixels where the model knows nothing else.
  const unknown = (aspect_ratio !== undefined && !input.aspect_ratio) || (resolution !== undefined && !input.resolution)
  if (unknown && by_pixels && !film) return inPixels(readPixels(sizeOf({ aspect_ratio, resolution })))
  if (unknown) {
    const param = aspect_ratio !== undefined && !input.aspect_ratio ? 'aspect_ratio' : 'resolution'
    throw refuse(param, `This model takes no '${param}'.`)
  }
  if (size !== undefined) readPixels(size)
  const ratio = input.aspect_ratio ? ratioFor(shape, input.aspect_ratio) : undefined
  const named = input.resolution ? resolutionFor(shape, input.resolution, film) : undefined
  return { ...(ratio !== undefined && { aspect_ratio: ratio }), ...(named !== undefined && { resolution: named }) }
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

function readPixels(size: string): Pixels {
  const pixels = pixelsOf(size)
  if (!pixels) throw refuse('size', "'size' is a width and a height, like 1024x1024.")
  return pixels
}

const inPixels = ({ width, height }: Pixels) => ({ size: `${width}x${height}`, width, height })

/** What a rule lets callers choose of, in our words. */
export const choicesOf = ({ choices, values }: Rule): string[] | undefined => choices ?? (values && Object.keys(values))

function ratioFor(shape: Shape, rule: Rule): string | undefined {
  const { size, aspect_ratio } = shape
  if (size === undefined && aspect_ratio === undefined) return undefined
  const choices = choicesOf(rule)?.filter((choice) => ratioOf(choice) !== undefined)
  const [first, ...rest] = choices ?? []
  if (first === undefined) return exactRatio(shape)
  const wanted = ratioOf(exactRatio(shape))
  if (wanted === undefined) throw refuse('aspect_ratio', `'aspect_ratio' is a width and a height, like "16:9".`)
  const nearest = nearestRatio(shape, [first, ...rest])
  if (Math.abs(wanted / (ratioOf(nearest) ?? 1) - 1) <= RATIO_TOLERANCE) return nearest
  const param = size === undefined ? 'aspect_ratio' : 'size'
  throw refuse(param, `'${param}' may be ${[first, ...rest].join(', ')}; ${size ?? aspect_ratio} is none of these.`)
}

function resolutionFor(shape: Shape, rule: Rule, film: boolean): string | undefined {
  const { size, resolution } = shape
  if (size === undefined && resolution === undefined) return undefined
  const [first, ...rest] = choicesOf(rule) ?? []
  if (first === undefined) return resolution ?? (film ? undefined : pictureResolution(shape))
  if (resolution === undefined && film) return filmResolution(shape, [first, ...rest])
  const wanted = resolution ?? pictureResolution(shape)
  const named = [first, ...rest].find((choice) => choice.toLowerCase() === wanted.toLowerCase())
  if (named !== undefined) return named
  const param = resolution === undefined ? 'size' : 'resolution'
  throw refuse(param, `'resolution' may be ${[first, ...rest].join(', ')}; ${wanted} is none of these.`)
}
