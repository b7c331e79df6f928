// The shape of a picture as the model knows it: a ratio and a resolution made into a size for providers that know sizes
// alone. What the model does not make is refused by name. Pure.
import type { ImageRequest } from '../../contract.ts'
import type { Limits } from '../../pricing/schema.ts'
import { exactRatio, pictureResolution, pixelsOf, sizeOf } from '../../protocols/shape.ts'
import { Failure } from '../failure.ts'

export interface PictureMaker {
  model: string
  limits: Limits
  /** Generator.takes. */
  takes: readonly string[]
  takes_extra?: true | undefined
}

/** So much off passes for the same ratio: edges are rounded to steps of 16. */
const RATIO_TOLERANCE = 0.03
/** A size of twice or half the asked area is still of its class: 1536x1024 is what '1K' of 3:2 is at OpenAI. */
const AREA_FACTOR = 2
/** Not of OpenAI's format; providers that speak it otherwise may know them all the same, and judge for themselves. */
const UNKNOWN_TO_OPENAI = ['negative_prompt', 'seed'] as const

/** The request in the terms that the generator knows. Throws Failure naming the field. */
export function pictureFor(maker: PictureMaker, request: ImageRequest): ImageRequest {
  const { takes, takes_extra } = maker
  const known = takes_extra ? withExtra(request, takes) : request
  const { aspect_ratio, resolution, ...rest } = known
  if (aspect_ratio === undefined && resolution === undefined) return known
  if (takes.includes('aspect_ratio')) return known
  return { ...rest, size: sizeFor(maker, { aspect_ratio, resolution }) }
}

function withExtra(request: ImageRequest, takes: readonly string[]): ImageRequest {
  const { extra, ...fields } = request
  const moved = UNKNOWN_TO_OPENAI.filter((name) => fields[name] !== undefined && !takes.includes(name))
  if (moved.length === 0) return request
  const more = Object.fromEntries(moved.map((name) => [name, fields[name] ?? null]))
  for (const name of moved) delete fields[name]
  return { ...fields, extra: { ...extra, ...more } }
}

interface Wanted {
  aspect_ratio: string | undefined
  resolution: string | undefined
}

function sizeFor({ model, limits }: PictureMaker, wanted: Wanted): string {
  const exact = sizeOf(wanted)
  const listed = limits.size?.filter((size) => pixelsOf(size))
  if (!listed || listed.length === 0 || listed.includes(exact)) return exact
  const ratio = ratioOfSize(exact)
  const alike = listed.filter((size) => Math.abs(ratioOfSize(size) / ratio - 1) <= RATIO_TOLERANCE)
  const [nearest] = alike.sort((one, other) => areaFactor(one, exact) - areaFactor(other, exact))
  const param = wanted.aspect_ratio === undefined ? 'resolution' : 'aspect_ratio'
  if (nearest === undefined)
    throw refusal(model, param, `ratio ${wanted.aspect_ratio ?? exactRatio({ size: exact })}`, listed)
  if (wanted.resolution !== undefined && areaFactor(nearest, exact) > AREA_FACTOR)
    throw refusal(model, 'resolution', `${wanted.resolution} of this ratio`, listed)
  return nearest
}

function refusal(model: string, param: string, asked: string, sizes: string[]): Failure {
  const message = `${model} makes no picture of ${asked}; it makes ${sizes.join(', ')}.`
  return new Failure(400, 'invalid_value', message, { param })
}

const ratioOfSize = (size: string): number => {
  const { width, height } = pixelsOf(size) ?? { width: 1, height: 1 }
  return width / height
}
const areaOf = (size: string): number => {
  const { width, height } = pixelsOf(size) ?? { width: 1, height: 1 }
  return width * height
}
/** 1 for the same area, 2 for twice or half of it. */
const areaFactor = (one: string, other: string): number =>
  Math.max(areaOf(one) / areaOf(other), areaOf(other) / areaOf(one))

/** The facts of a picture that choose its rate: always a resolution, by its size where that is what was asked for. */
export function pictureFacts(request: ImageRequest): Record<string, string> {
  const { size, quality, aspect_ratio } = request
  return {
    ...(size !== undefined && { size }),
    ...(quality !== undefined && { quality }),
    ...(aspect_ratio !== undefined && { aspect_ratio }),
    resolution: pictureResolution(request),
  }
}
