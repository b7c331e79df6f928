// What a caller may send to POST /v1/videos, and to those that make a film of another one.
import { z } from 'zod'
import type { Asset, Json, JsonObject, VideoRequest } from '../../contract.ts'
import { pixelsOf, sizeAgrees } from '../shape.ts'
import { WireError } from '../wire_error.ts'
import { extraField, modelName, readFields, word } from './fields.ts'
import { readImageUrl } from './image_request.ts'

const SECONDS = 'must be a number of seconds, like "8" or 8'

const prompt = z.string().min(1).max(32_000)
const seconds = z
  .union([z.string().regex(/^\d{1,4}(\.\d{1,3})?$/), z.number()], { error: SECONDS })
  .transform(Number)
  .refine((seconds) => seconds > 0 && seconds < 3600, SECONDS)

const shape = {
  model: modelName,
  prompt,
  seconds: seconds.exactOptional(),
  size: word.exactOptional(),
  aspect_ratio: z
    .string()
    .regex(/^\d{1,3}(\.\d{1,3})?:\d{1,3}(\.\d{1,3})?$/, 'must be a ratio like "16:9"')
    .exactOptional(),
  resolution: z
    .string()
    .regex(/^(\d{3,4}[pP]|[248][kK])$/, 'must be a resolution like "720p", "1080p" or "4k"')
    .exactOptional(),
  audio: z.boolean().exactOptional(),
  negative_prompt: z.string().min(1).max(32_000).exactOptional(),
  seed: z.int().min(0).max(0xffff_ffff).exactOptional(),
  input_reference: z.json().exactOptional(),
  last_frame: z.json().exactOptional(),
  references: z.json().exactOptional(),
}

/** The names of a form's fields that are no text in JSON. */
export const VIDEO_FORM = { numbers: ['seed'], booleans: ['audio'] } as const

/** As many pictures as any model takes to look at; each model has its own number. */
export const REFERENCES_MAX = 14

/** Pictures of a film, named in the body or uploaded, and not yet brought here. */
export interface VideoPictures {
  input_reference?: Asset
  last_frame?: Asset
  references?: Asset[]
}

export interface VideoCall {
  /** Without its length where the caller named none, and without its pictures. */
  request: Omit<VideoRequest, 'seconds'> & { seconds?: number }
  pictures: VideoPictures
}

/** Throws ZodError and WireError. */
export function readVideoRequest(body: JsonObject): VideoCall {
  const { known, extra } = readFields(shape, body)
  const { input_reference, last_frame, references, ...request } = known
  checkShape(request)
  return {
    request: { ...request, ...extraField(extra) },
    pictures: {
      ...(input_reference !== undefined && { input_reference: readImageUrl(input_reference, 'input_reference') }),
      ...(last_frame !== undefined && { last_frame: readImageUrl(last_frame, 'last_frame') }),
      ...(references !== undefined && { references: readReferences(references) }),
    },
  }
}

function readReferences(value: Json): Asset[] {
  const list = Array.isArray(value) ? value : [value]
  if (list.length > REFERENCES_MAX) throw tooMany()
  return list.map((each) => readImageUrl(each, 'references'))
}

const tooMany = () => new WireError(`'references' takes at most ${REFERENCES_MAX} pictures.`, 'references')

/** The shape may be named twice, but not differently. */
function checkShape({ size, aspect_ratio, resolution }: VideoCall['request']): void {
  if (size === undefined || !pixelsOf(size)) return
  for (const [param, told] of Object.entries({ aspect_ratio, resolution })) {
    if (told === undefined || sizeAgrees(size, { [param]: told })) continue
    throw new WireError(`'size' ${size} and '${param}' ${told} contradict each other. Leave one of them out.`, param)
  }
}

const source = z.looseObject({ id: z.string().min(1).max(200) }, { error: 'must be {"id": "…"}, a video made here' })
const remixShape = z.strictObject({ prompt })
const editShape = z.strictObject({ prompt, video: source })
const extendShape = z.strictObject({ prompt: prompt.exactOptional(), seconds: seconds.exactOptional() })
const extensionShape = extendShape.extend({ video: source })

/** A film to be made of another one. Without its length: as long as that, or what the model makes. */
export interface VideoChange {
  mode: 'remix' | 'extend'
  prompt?: string
  seconds?: number
}

/** POST /v1/videos/{id}/remix. */
export const readRemix = (body: JsonObject): VideoChange => ({ mode: 'remix', ...remixShape.parse(body) })
/** POST /v1/videos/{id}/extend, our own. */
export const readExtend = (body: JsonObject): VideoChange => ({ mode: 'extend', ...extendShape.parse(body) })

/** POST /v1/videos/edits and /v1/videos/extensions, which name the film in the body. */
export function readChange(mode: VideoChange['mode'], body: JsonObject): { id: string; change: VideoChange } {
  const { video, ...fields } = (mode === 'remix' ? editShape : extensionShape).parse(body)
  return { id: video.id, change: { mode, ...fields } }
}
