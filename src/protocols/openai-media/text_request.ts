// What a caller may send to POST /v1/embeddings and /v1/moderations.
import { z } from 'zod'
import type { EmbeddingRequest, JsonObject, ModerationRequest } from '../../contract.ts'
import { WireError } from '../wire_error.ts'
import { extraField, modelName, readFields } from './fields.ts'

const INPUTS_MAX = 2048
const text = z.string().min(1)
const token = z.int().min(0)
const tokens = z.array(token).min(1)

const embedding = {
  model: modelName,
  input: z.union(
    [
      text.transform((one) => [one]),
      z.array(text).min(1).max(INPUTS_MAX),
      tokens.transform((one) => [one]),
      z.array(tokens).min(1).max(INPUTS_MAX),
    ],
    { error: `must be a text or a list of tokens, not empty, or a list of 1 to ${INPUTS_MAX} of either` },
  ),
  dimensions: z.int().min(1).exactOptional(),
  encoding_format: z.enum(['float', 'base64']).exactOptional(),
}

/** Throws ZodError and WireError. */
export function readEmbeddingRequest(body: JsonObject): EmbeddingRequest {
  // vLLM takes them in place of the input, and opens the addresses in them.
  if (body.messages !== undefined)
    throw new WireError("'messages' is not taken here: send 'input'.", 'messages', 'unknown_parameter')
  const { known, extra } = readFields(embedding, body)
  return { ...known, encoding_format: known.encoding_format ?? 'float', ...extraField(extra) }
}

const moderation = {
  model: modelName,
  input: z.union([text, z.array(z.json()).min(1)], { error: 'must be a text, a list of texts, or a list of parts' }),
}

/** Throws ZodError and WireError. */
export function readModerationRequest(body: JsonObject): ModerationRequest {
  const { known, extra } = readFields(moderation, body)
  return { ...known, ...extraField(extra) }
}
