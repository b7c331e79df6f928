// An input map as a price file writes it: how our fields become a model's inputs and its answer becomes ours. Forms alone;
// options.ts checks what belongs together. docs/adding-a-model.md tells the language.
import { z } from 'zod'
import { type Json, METERS } from '../../contract.ts'
import type { MappedOperation } from './fields.ts'
import { PATH, TARGET } from './path.ts'

const target = z.string().regex(TARGET, 'must be the name of an input, like "image_size.width", with [] for a list')
const path = z.string().regex(PATH, 'must be a path into the answer, like "output.images[].url"')
const anything = z.json() as z.ZodType<Json>
const constants = z.record(z.string().regex(TARGET, 'must be the name of an input'), anything)

const ruleSchema = z.strictObject({
  to: target,
  as: z.enum(['text', 'number', 'pixels']).exactOptional(),
  template: z.string().includes('{}', 'must have {} where the value goes').exactOptional(),
  values: z.record(z.string(), anything).exactOptional(),
  choices: z.array(z.string().min(1)).min(1).exactOptional(),
  default: z.union([z.string(), z.number(), z.boolean()]).exactOptional(),
  min: z.number().exactOptional(),
  max: z.number().exactOptional(),
  with: constants.exactOptional(),
})
export type Rule = z.output<typeof ruleSchema>

/** A name alone is a rule that changes nothing; false says that the model has none of it. */
const field = z.union([target.transform((to): Rule => ({ to })), ruleSchema, z.literal(false)], {
  error: 'must be the name of an input, a table with `to`, or false',
})
const fields = z.record(z.string(), field)
export type Fields = z.output<typeof fields>

const variantSchema = z.strictObject({
  given: z.string(),
  upstream: z.string().min(1).exactOptional(),
  input: fields.default({}),
  without: z.array(z.string()).default([]),
  set: constants.default({}),
})
export type Variant = z.output<typeof variantSchema>

const timed = z.strictObject({ each: path, start: path, end: path, text: path, speaker: path.exactOptional() })
const outputSchema = z.strictObject({
  images: path.exactOptional(),
  flagged: path.exactOptional(),
  video: path.exactOptional(),
  thumbnail: path.exactOptional(),
  audio: path.exactOptional(),
  formats: z.array(z.string()).min(1).exactOptional(),
  text: path.exactOptional(),
  language: path.exactOptional(),
  seconds: path.exactOptional(),
  segments: timed.exactOptional(),
  words: timed.exactOptional(),
})
export type OutputMap = z.output<typeof outputSchema>

/** Counted by us, or told by the provider and at most so much. */
export const COUNTED = ['files', 'seconds', 'characters', 'megapixels', 'one'] as const
export const sourceSchema = z.union([z.enum(COUNTED), z.strictObject({ from: path, most: z.number().positive() })], {
  error: `must be ${COUNTED.join(', ')}, or { from = "metrics.predict_time", most = 300 }`,
})
export type Source = z.output<typeof sourceSchema>
const usageSchema = z.partialRecord(z.enum(METERS), sourceSchema)
export type UsageMap = z.output<typeof usageSchema>

export const mapSchema = z.strictObject({
  input: fields,
  set: constants.default({}),
  required: z.array(z.string()).default([]),
  variants: z.array(variantSchema).default([]),
  output: outputSchema,
  usage: usageSchema.exactOptional(),
})
/** As it arrives in `call.options`. */
export type ModelMap = z.output<typeof mapSchema>

/** What an operation consumes where a map says nothing of it. */
export const USUAL_USAGE: Record<MappedOperation, UsageMap> = {
  image: { images: 'files' },
  video: { video_seconds: 'seconds', videos: 'one' },
  speech: { characters: 'characters' },
  transcription: { audio_seconds: 'seconds' },
}
