// What a caller may send to POST /v1/videos.
import { z } from 'zod'
import type { Asset, JsonObject, VideoRequest } from '../../contract.ts'
import { extraField, modelName, readFields, word } from './fields.ts'
import { readImageUrl } from './image_request.ts'

const SECONDS = 'must be a number of seconds, like "8" or 8'

const shape = {
  model: modelName,
  prompt: z.string().min(1).max(32_000),
  seconds: z
    .union([z.string().regex(/^\d{1,4}(\.\d{1,3})?$/), z.number()], { error: SECONDS })
    .transform(Number)
    .refine((seconds) => seconds > 0 && seconds < 3600, SECONDS)
    .exactOptional(),
  size: word.exactOptional(),
  input_reference: z.json().exactOptional(),
}

export interface VideoCall {
  /** Without its length where the caller named none. */
  request: Omit<VideoRequest, 'seconds'> & { seconds?: number }
  /** A first picture named in the body, and not yet brought here. */
  reference?: Asset
}

/** Throws ZodError and WireError. */
export function readVideoRequest(body: JsonObject): VideoCall {
  const { known, extra } = readFields(shape, body)
  const { input_reference, ...request } = known
  return {
    request: { ...request, ...extraField(extra) },
    ...(input_reference !== undefined && { reference: readImageUrl(input_reference, 'input_reference') }),
  }
}
