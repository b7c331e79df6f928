// What a caller may send to POST /v1/images/generations and /v1/images/edits.
import { z } from 'zod'
import type { Asset, ImageRequest, Json, JsonObject } from '../../contract.ts'
import { ratioOf } from '../shape.ts'
import { WireError } from '../wire_error.ts'
import { extraField, modelName, readFields, word } from './fields.ts'

const RATIO_MAX = 10
const isRatio = (text: string): boolean => {
  const ratio = ratioOf(text)
  return ratio !== undefined && ratio <= RATIO_MAX && ratio >= 1 / RATIO_MAX
}

const shape = {
  model: modelName,
  prompt: z.string().min(1).max(32_000),
  n: z.int().min(1).max(10).exactOptional(),
  size: word.exactOptional(),
  aspect_ratio: word.refine(isRatio, 'must be a ratio from 1:10 to 10:1, like "16:9"').exactOptional(),
  resolution: z
    .string()
    .regex(/^[124]k$/i, 'must be "1K", "2K" or "4K"')
    .transform((name) => name.toUpperCase())
    .exactOptional(),
  negative_prompt: z.string().min(1).max(32_000).exactOptional(),
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .exactOptional(),
  quality: word.exactOptional(),
  background: z.enum(['transparent', 'opaque', 'auto']).exactOptional(),
  output_format: word.transform((name) => (name === 'jpg' ? 'jpeg' : name)).exactOptional(),
  output_compression: z.int().min(0).max(100).exactOptional(),
  response_format: z.enum(['b64_json', 'url']).exactOptional(),
  stream: z.boolean().exactOptional(),
  partial_images: z.int().min(0).max(3).exactOptional(),
  moderation: z.enum(['auto', 'low']).exactOptional(),
}

/** The names of a form's fields that are no text in JSON. */
export const IMAGE_FORM = {
  numbers: ['n', 'seed', 'output_compression', 'partial_images', 'frame_count', 'frame_duration_ms'],
  booleans: ['stream'],
} as const

export interface ImageCall {
  request: ImageRequest
  /** Bytes within the answer, or addresses of files that the router keeps. */
  response_format: 'b64_json' | 'url'
  stream: boolean
}

/** Without the pictures to edit. Throws ZodError and WireError. */
export function readImageRequest(body: JsonObject): ImageCall {
  const { known, extra } = readFields(shape, body)
  const { response_format = 'b64_json', stream = false, partial_images, moderation, n = 1, ...fields } = known
  checkTogether(fields)
  if (stream && response_format === 'url') {
    throw new WireError(
      "A stream carries the pictures themselves: leave out response_format 'url', or 'stream'.",
      'response_format',
      'unsupported_parameter',
    )
  }
  // 'auto' is what everybody does who knows nothing of it.
  const more = moderation === 'low' ? { ...extra, moderation } : extra
  const request: ImageRequest = {
    ...withoutAuto(fields),
    n,
    ...(stream && partial_images !== undefined && { partial_images }),
    ...extraField(more),
  }
  return { request, response_format, stream }
}

type Fields = Pick<ImageRequest, 'size' | 'aspect_ratio' | 'resolution' | 'background' | 'output_format'>

/** Fields that say different things about the same. Throws WireError. */
function checkTogether({ size, aspect_ratio, resolution, background, output_format }: Fields): void {
  const other = aspect_ratio === undefined ? 'resolution' : 'aspect_ratio'
  if (size !== undefined && size !== 'auto' && (aspect_ratio ?? resolution) !== undefined) {
    throw new WireError(
      `'size' and '${other}' both say how large the picture is: leave one of them out.`,
      other,
      'conflicting_parameters',
    )
  }
  if (background === 'transparent' && output_format === 'jpeg') {
    throw new WireError(
      "JPEG cannot be transparent: ask for output_format png or webp, or leave out 'background'.",
      'background',
      'conflicting_parameters',
    )
  }
}

/** `auto` beside a ratio says nothing. */
function withoutAuto<Given extends Fields>({ size, ...rest }: Given): Omit<Given, 'size'> & { size?: string } {
  const isSaid = rest.aspect_ratio !== undefined || rest.resolution !== undefined
  return { ...rest, ...(size !== undefined && !isSaid && { size }) }
}

/** Pictures named in a JSON body, taken out of it: `image` or `images`, each an address, a data: URL or {image_url}. */
export function takeImages(body: JsonObject): { rest: JsonObject; images: Asset[]; mask?: Asset } {
  const { image, images, mask, ...rest } = body
  const named = [...listOf(image), ...listOf(images)]
  return {
    rest,
    images: named.map((each) => readImageUrl(each, 'image')),
    ...(mask !== undefined && mask !== null && { mask: readImageUrl(mask, 'mask') }),
  }
}

const listOf = (value: Json | undefined): Json[] => {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

const ImageUrl = z.union([
  z.string().transform((url) => url),
  z
    .object({ image_url: z.union([z.string(), z.object({ url: z.string() }).transform(({ url }) => url)]) })
    .transform(({ image_url }) => image_url),
])

/** An address or a data: URL, plain or as {image_url}. Throws WireError naming the field. */
export function readImageUrl(value: Json, param: string): Asset {
  const read = ImageUrl.safeParse(value)
  if (read.success && /^(?:https?|data):/i.test(read.data)) return { type: 'url', url: read.data }
  const by_id = typeof value === 'object' && value !== null && !Array.isArray(value) && value.file_id !== undefined
  throw new WireError(
    by_id
      ? `'${param}': files are not kept here, so there is no file_id. Upload the picture, or give its image_url.`
      : `'${param}' must be an uploaded file, an https: or data: URL, or {"image_url": "…"}.`,
    param,
    by_id ? 'unsupported_parameter' : 'invalid_value',
  )
}
