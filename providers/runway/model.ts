// What is to be known of one of Runway's models, in the options of its price, and how its sizes are read. Pure.
import { z } from 'zod'
import type { Asset } from '../../src/contract.ts'
import { addressOf } from '../../src/protocols/address.ts'
import { refuse } from '../../src/protocols/faults.ts'

/** A data URI may have 5 MB of media (SDK 4.17.1), a third more than that in base64. */
const FRAME_BYTES_MAX = 5_000_000

const sizes = z.array(z.string().regex(/^\d+:\d+$/, 'must be like "1280:720"'))
/** What the adapter must know of one model; sizes as Runway writes them: `1280:720`. */
export const Options = z.strictObject({
  /** What it makes of words, of a first frame, and as a picture. Empty: not at all. */
  text: sizes.default([]),
  frame: sizes.default([]),
  picture: sizes.default([]),
  /** Pictures that it looks at: none, some, or at least one. */
  references: z.enum(['none', 'any', 'required']).default('none'),
  /** Fields of a film that it has beside the usual ones. */
  has: z.array(z.enum(['last_frame', 'audio', 'negative_prompt', 'seed'])).default([]),
})
export type Options = z.infer<typeof Options>

export const shorterEdge = (ratio: string): number => Math.min(...ratio.split(':').map(Number))

export const sizeIn = ({ size }: { size?: string }): string => size?.replace('x', ':') ?? '1280:720'

/** Its address, or the picture itself. */
export function frameOf(asset: Asset, param: string): string {
  if (asset.type === 'bytes' && asset.data.byteLength > FRAME_BYTES_MAX)
    throw refuse(param, `'${param}' may have ${FRAME_BYTES_MAX / 1e6} MB at most.`)
  return addressOf(asset)
}
