// The shape of a film as the model knows it: a size from a ratio and a resolution or the other way round, checked against
// the limits of the price file. What the model does not make exactly is refused, never made into something near it.
import type { VideoRequest } from '../../contract.ts'
import type { Limits } from '../../pricing/schema.ts'
import { exactRatio, filmSize, pixelsOf, resolutionName, sizeAgrees } from '../../protocols/shape.ts'
import { Failure } from '../failure.ts'

export interface FilmMaker {
  model: string
  limits: Limits
  /** Generator.takes. */
  takes: readonly string[]
}

/** Throws Failure naming the field in the caller's words. */
export function filmFor(maker: FilmMaker, request: VideoRequest): VideoRequest {
  const { takes } = maker
  const named = inOwnWords(maker, request)
  const { size, aspect_ratio, resolution } = named
  if (size !== undefined) checkSize(maker, size)
  if (size !== undefined || (aspect_ratio === undefined && resolution === undefined)) return named
  if (takes.includes('aspect_ratio') || takes.includes('resolution')) return named
  const { aspect_ratio: _ratio, resolution: _resolution, ...rest } = named
  return { ...rest, size: sizeFor(maker, named) }
}

/** The facts of a film's shape that choose its rate. */
export function filmFacts({ limits }: Pick<FilmMaker, 'limits'>, request: VideoRequest): Record<string, string> {
  const { size, resolution, audio, change } = request
  const named = resolution ?? spelled(resolutionName(size), limits.resolution)
  return {
    ...(size !== undefined && { size }),
    ...(named !== undefined && { resolution: named }),
    ...(audio !== undefined && { audio: String(audio) }),
    ...(change && { change: change.mode }),
  }
}

/** `4K` is `4k` where the price file writes it so: rates are chosen by the very word. */
function inOwnWords({ limits }: FilmMaker, request: VideoRequest): VideoRequest {
  const resolution = spelled(request.resolution, limits.resolution)
  return resolution === undefined ? request : { ...request, resolution }
}

const spelled = (name: string | undefined, names: string[] | undefined): string | undefined =>
  names?.find((each) => each.toLowerCase() === name?.toLowerCase()) ?? name

/** A size, where the price file tells the model's ratios and resolutions. */
function checkSize({ model, limits }: FilmMaker, size: string): void {
  const { aspect_ratio: ratios, resolution: resolutions } = limits
  if (limits.size || (!ratios && !resolutions) || !pixelsOf(size)) return
  const fits =
    (!ratios || ratios.some((aspect_ratio) => sizeAgrees(size, { aspect_ratio }))) &&
    (!resolutions || resolutions.some((resolution) => sizeAgrees(size, { resolution })))
  if (fits) return
  const takes = [...(ratios ? [ratios.join(', ')] : []), ...(resolutions ? [resolutions.join(', ')] : [])].join(' at ')
  const message = `${model} makes films of ${takes}; 'size' ${size} is ${exactRatio({ size })} and none of these.`
  throw new Failure(400, 'invalid_value', message, { param: 'size' })
}

/** The model's own size of this shape, for providers that know sizes alone. */
function sizeFor({ model, limits }: FilmMaker, { aspect_ratio, resolution }: VideoRequest): string {
  const shape = { aspect_ratio, resolution }
  const param = aspect_ratio === undefined ? 'resolution' : 'aspect_ratio'
  const size = limits.size ? limits.size.find((each) => sizeAgrees(each, shape)) : filmSize(shape)
  if (size !== undefined) return size
  const asked = [aspect_ratio, resolution].filter(Boolean).join(' at ')
  const sizes = limits.size ? `${model} makes ${limits.size.join(', ')}` : 'Write it like 16:9, and 720p or 4k'
  throw new Failure(400, 'invalid_value', `There is no film of ${asked}. ${sizes}.`, { param })
}
