// An input map as a price file writes it: how our fields become a model's inputs and its answer becomes ours. It checks
// the whole map when prices are loaded; docs/adding-a-model.md tells the language.
import { z } from 'zod'
import { type Json, type JsonObject, METERS, type PricedEntry } from '../../contract.ts'
import { pixelsOf, ratioOf } from '../shape.ts'
import { ESSENTIAL, FIELDS, FILES, isMapped, type MappedOperation } from './fields.ts'
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

const mapSchema = z.strictObject({
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

/** The schema of one entry's options. Its faults name the place within them and bring a remedy along. */
export function mapOptions(entry: PricedEntry): z.ZodType<JsonObject> {
  const checked = mapSchema.superRefine((map, context) => {
    for (const { place, problem, remedy } of faultsOf(map, entry))
      context.addIssue({ code: 'custom', path: place, message: problem, params: { remedy } })
  })
  return checked as unknown as z.ZodType<JsonObject>
}

interface MapFault {
  place: (string | number)[]
  problem: string
  remedy: string
}

function faultsOf(map: ModelMap, entry: PricedEntry): MapFault[] {
  const [operation, ...others] = entry.operation
  if (!operation || others.length > 0 || !isMapped(operation)) {
    const remedy = 'give the entry one operation: image, video, speech or transcription'
    return [{ place: [], problem: `a map is for one operation, not for ${entry.operation.join(' and ')}`, remedy }]
  }
  return [
    ...nameFaults(map, operation),
    ...ruleFaults(map, operation),
    ...essentialFaults(map, operation, entry),
    ...outputFaults(map, operation),
    ...usageFaults(map, operation, entry),
  ]
}

const knows = (names: readonly string[]) => `it knows ${names.join(', ')}`

function nameFaults({ input, required, variants }: ModelMap, operation: MappedOperation): MapFault[] {
  const known = FIELDS[operation]
  const named: [MapFault['place'], string][] = [
    ...Object.keys(input).map((name): [MapFault['place'], string] => [['input', name], name]),
    ...required.map((name, index): [MapFault['place'], string] => [['required', index], name]),
    ...variants.flatMap((variant, at) => [
      ...Object.keys(variant.input).map((name): [MapFault['place'], string] => [['variants', at, 'input', name], name]),
      ...variant.without.map((name): [MapFault['place'], string] => [['variants', at, 'without'], name]),
    ]),
  ]
  const unknown = named
    .filter(([, name]) => !known.includes(name))
    .map(([place, name]) => ({ place, problem: `${operation} has no "${name}"`, remedy: knows(known) }))
  const files = FILES[operation]
  const wrong = variants.flatMap(({ given }, at) => {
    if (files.includes(given)) return []
    const remedy = files.length > 0 ? knows(files) : `${operation} has no variants`
    return [{ place: ['variants', at, 'given'], problem: `"${given}" is no file of ${operation}`, remedy }]
  })
  return [...unknown, ...wrong]
}

function ruleFaults({ input, variants }: ModelMap, operation: MappedOperation): MapFault[] {
  const tables: [MapFault['place'], Fields][] = [
    [['input'], input],
    ...variants.map((variant, at): [MapFault['place'], Fields] => [['variants', at, 'input'], variant.input]),
  ]
  return tables.flatMap(([place, table]) =>
    Object.entries(table).flatMap(([name, rule]) =>
      rule === false ? [] : wrongRule(name, rule, operation).map((fault) => ({ ...fault, place: [...place, name] })),
    ),
  )
}

function wrongRule(name: string, rule: Rule, operation: MappedOperation): Omit<MapFault, 'place'>[] {
  const { as, template, values, choices, to } = rule
  const faults: Omit<MapFault, 'place'>[] = []
  const ways = [as, template, values].filter((way) => way !== undefined)
  if (ways.length > 1)
    faults.push({ problem: 'has more than one of as, template and values', remedy: 'keep one of them' })
  const many = name === 'images' || name === 'references'
  if (to.endsWith('[]') && !many)
    faults.push({ problem: `${name} is not a list, and "${to}" is`, remedy: 'leave [] out' })
  if (FILES[operation].includes(name) && (ways.length > 0 || choices))
    faults.push({ problem: 'is a file, which nothing can change', remedy: 'give its input alone' })
  if (as === 'pixels' && name !== 'size') faults.push({ problem: 'is no size', remedy: 'use as = "pixels" with size' })
  const wrong = name === 'aspect_ratio' ? choices?.find((ratio) => ratioOf(ratio) === undefined) : undefined
  if (wrong !== undefined) faults.push({ problem: `"${wrong}" is no ratio`, remedy: 'write ratios like "16:9"' })
  if (rule.default !== undefined && choices && !choices.includes(String(rule.default)))
    faults.push({ problem: `its default ${rule.default} is none of its choices`, remedy: 'add it to them' })
  if (rule.default !== undefined && values && !Object.hasOwn(values, String(rule.default)))
    faults.push({ problem: `its default ${rule.default} is none of its values`, remedy: 'add it to them' })
  return faults
}

function essentialFaults({ input }: ModelMap, operation: MappedOperation, { limits }: PricedEntry): MapFault[] {
  const missing = ESSENTIAL[operation].filter((name) => input[name] === undefined)
  const faults: MapFault[] = missing.map((name) => ({
    place: ['input', name],
    problem: `is missing, and every request for ${operation} has one`,
    remedy: name === 'voice' ? 'name its input, or write false where the model has one voice' : 'name its input',
  }))
  const lengths = limits.seconds
  if (operation === 'video' && !input.seconds && !(Array.isArray(lengths) && lengths.length === 1)) {
    const remedy = 'name its input, or the one length that the model makes in limits.seconds'
    faults.push({ place: ['input', 'seconds'], problem: 'is missing, so that nobody can choose the length', remedy })
  }
  return faults
}

const OUTPUTS: Record<MappedOperation, keyof OutputMap> = {
  image: 'images',
  video: 'video',
  speech: 'audio',
  transcription: 'text',
}

function outputFaults({ output }: ModelMap, operation: MappedOperation): MapFault[] {
  const name = OUTPUTS[operation]
  if (output[name] !== undefined) return []
  const remedy = `say where in the answer it stands: output.${name} = "output…"`
  return [{ place: ['output', name], problem: `is missing, and ${operation} gives one`, remedy }]
}

function usageFaults({ usage, input }: ModelMap, operation: MappedOperation, { meters }: PricedEntry): MapFault[] {
  const told = usage ?? USUAL_USAGE[operation]
  const untold = meters.filter((meter) => meter !== 'requests' && told[meter] === undefined)
  const faults: MapFault[] = untold.map((meter) => ({
    place: ['usage', meter],
    problem: `is missing, and the entry has a price for ${meter}`,
    remedy: `say what counts it, or price ${Object.keys(told).join(', ')}`,
  }))
  const { size, width, height } = input
  const sized = [size, width && height].some((rule) => rule && rule.default !== undefined)
  const pixels = size && typeof size.default === 'string' ? pixelsOf(size.default) !== undefined : sized
  if (Object.values(told).includes('megapixels') && !pixels) {
    const remedy = 'give size a default like "1024x1024", or width and height a number each'
    faults.push({ place: ['usage', 'megapixels'], problem: 'cannot be known where the caller names no size', remedy })
  }
  return faults
}
