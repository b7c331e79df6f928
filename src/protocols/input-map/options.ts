// Checks an entry's map as a whole when prices are loaded: its names, its rules, and whether operation, limits and prices
// go with it. Every fault has its place within the options, and a remedy.
import type { z } from 'zod'
import type { JsonObject, PricedEntry } from '../../contract.ts'
import { pixelsOf, ratioOf } from '../shape.ts'
import { ESSENTIAL, FIELDS, FILES, isMapped, type MappedOperation } from './fields.ts'
import { type Fields, type ModelMap, mapSchema, type OutputMap, type Rule, USUAL_USAGE } from './schema.ts'

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
