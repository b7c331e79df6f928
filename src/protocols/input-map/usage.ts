// What mapped work consumes: an upper bound before it, the true quantities after it. Pure.
import type { Json, Meter, Meters, Usage } from '../../contract.ts'
import type { Order } from './apply.ts'
import type { MappedOperation } from './fields.ts'
import { readOne } from './path.ts'
import { type ModelMap, type Source, USUAL_USAGE } from './schema.ts'

/** What the request alone tells: kept with the job, so that a changed price file changes nothing of work in flight. */
export interface Told {
  /** How many files are wanted. */
  files: number
  /** Of the film that is asked for, or of the recording. */
  seconds?: number
  characters?: number
  /** Of one file. */
  pixels?: number
}

const PIXELS_A_MEGAPIXEL = 1_000_000

export function toldBy(request: object, { pixels }: Pick<Order, 'pixels'>): Told {
  const { n, seconds, input } = request as { n?: unknown; seconds?: unknown; input?: unknown }
  return {
    files: typeof n === 'number' ? n : 1,
    ...(typeof seconds === 'number' && { seconds }),
    ...(typeof input === 'string' && { characters: [...input].length }),
    ...(pixels !== undefined && { pixels }),
  }
}

export const sourcesOf = ({ usage }: ModelMap, operation: MappedOperation): [Meter, Source][] =>
  Object.entries(usage ?? USUAL_USAGE[operation]) as [Meter, Source][]

/** As much as the work may consume at most. */
export function estimateOf(sources: [Meter, Source][], told: Told, attributes: Record<string, string>): Usage {
  const meters: Meters = {}
  for (const [meter, source] of sources)
    meters[meter] = typeof source === 'string' ? counted(source, told, told.files) : source.most
  return { meters, attributes, source: 'estimated' }
}

/**
 * What was consumed: `files` were made. A quantity that the provider should have told and did not counts as its most: the
 * hold was for that, and work is never free because an answer is silent.
 */
export function usageOf(
  sources: [Meter, Source][],
  told: Told,
  attributes: Record<string, string>,
  { files, answer }: { files: number; answer: unknown },
): Usage {
  const meters: Meters = {}
  const raw: Record<string, Json> = {}
  for (const [meter, source] of sources) {
    if (typeof source === 'string') meters[meter] = counted(source, told, files)
    else {
      const reported = readOne(answer, source.from)
      const sane = typeof reported === 'number' && Number.isFinite(reported) && reported >= 0
      meters[meter] = sane ? Math.min(reported, source.most) : source.most
      if (sane) raw[source.from] = reported
    }
  }
  const is_reported = Object.keys(raw).length > 0
  return { meters, attributes, source: is_reported ? 'reported' : 'counted', ...(is_reported && { raw }) }
}

function counted(source: Extract<Source, string>, told: Told, files: number): number {
  switch (source) {
    case 'one':
      return 1
    case 'files':
      return files
    case 'seconds':
      return told.seconds ?? 0
    case 'characters':
      return told.characters ?? 0
    case 'megapixels':
      return ((told.pixels ?? 0) * files) / PIXELS_A_MEGAPIXEL
  }
}
