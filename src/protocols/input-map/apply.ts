// Makes a model's inputs out of a request by its map. What the caller asked for and the map does not have is refused by
// name, before anything is held. Pure: files stay files until `fillInput` is told where they are.
import type { Asset, Json, JsonObject, ProviderError } from '../../contract.ts'
import { refuse } from '../faults.ts'
import { pixelsOf } from '../shape.ts'
import { callersName, FIELDS, FILES, isOfShape, type MappedOperation, said } from './fields.ts'
import { write } from './path.ts'
import type { Fields, ModelMap, Rule, Variant } from './schema.ts'
import { choicesOf, shapeOf } from './shape.ts'

/** What is sent, without its files. */
export interface Order {
  /** Another name of the model than the entry's, for requests of this kind. */
  upstream?: string
  values: { target: string; value: Json }[]
  files: { target: string; file: Asset | Asset[] }[]
  /** What selects a rate: resolution, quality, audio. */
  attributes: Record<string, string>
  /** Of one picture or film, where the request or the map says it. */
  pixels?: number
}

/** Attributes by which prices differ. */
const ATTRIBUTES = ['resolution', 'quality', 'audio']
/** Not asked of the model where it has no input for it: the router does it, or the price file limits it. */
const SERVED_BY_ROUTER = new Set(['n', 'output_format', 'format', 'seconds'])

/** Throws ProviderError 'invalid_request' naming the field in the caller's words. */
export function applyMap(map: ModelMap, operation: MappedOperation, request: object): Order {
  const variant = map.variants.find(({ given }) => said(request, given) !== undefined)
  const input = inputOf(map, variant)
  const order: Order = {
    ...(variant?.upstream !== undefined && { upstream: variant.upstream }),
    values: constants({ ...map.set, ...variant?.set }),
    files: [],
    attributes: {},
  }
  checkRequired(map, operation, request)
  const shape = needsShape(operation) ? shapeOf(request, input, operation === 'video') : {}
  for (const field of FIELDS[operation]) {
    const rule = input[field]
    const asked = isOfShape(field) ? shape[field] : said(request, field)
    if (rule) addField(order, { operation, field, rule, asked: asked ?? defaultOf(field, rule, shape) })
    else if (rule === undefined && asked !== undefined && !isServed(map, field))
      throw unmapped(operation, field, variant)
  }
  return order
}

const needsShape = (operation: MappedOperation) => operation === 'image' || operation === 'video'

const constants = (set: Record<string, Json>) => Object.entries(set).map(([target, value]) => ({ target, value }))

function inputOf({ input }: ModelMap, variant: Variant | undefined): Fields {
  const all = { ...input, ...variant?.input }
  return Object.fromEntries(Object.entries(all).filter(([name]) => !variant?.without.includes(name)))
}

function checkRequired({ required }: ModelMap, operation: MappedOperation, request: object): void {
  const missing = required.find((field) => said(request, field) === undefined)
  if (missing === undefined) return
  const param = callersName(operation, missing)
  throw refuse(param, `This model needs '${param}'.`)
}

/** Of the shape only what was asked for comes here, and that has been made into what the map has. */
function isServed({ output }: ModelMap, field: string): boolean {
  if (field === 'words') return output.words !== undefined
  if (field === 'speakers') return output.segments?.speaker !== undefined
  return SERVED_BY_ROUTER.has(field) || isOfShape(field)
}

function unmapped(operation: MappedOperation, field: string, variant: Variant | undefined): ProviderError {
  const param = callersName(operation, field)
  const why = variant?.without.includes(field) ? ` together with '${callersName(operation, variant.given)}'` : ''
  return refuse(param, `This model does not take '${param}'${why}.`)
}

/** A ratio's default must not stand beside pixels that were asked for. */
function defaultOf(field: string, { default: usual }: Rule, shape: Record<string, Json>): unknown {
  const otherwise = isOfShape(field) && (shape.size !== undefined || (isPixels(field) && Object.keys(shape).length > 0))
  return otherwise ? undefined : usual
}

const isPixels = (field: string) => field === 'size' || field === 'width' || field === 'height'

interface Asked {
  operation: MappedOperation
  field: string
  rule: Rule
  asked: unknown
}

function addField(order: Order, asked: Asked): void {
  const { operation, field, rule } = asked
  if (asked.asked === undefined) return
  if (FILES[operation].includes(field)) order.files.push({ target: rule.to, file: fileOf(asked) })
  else {
    const value = converted(asked)
    if (value === undefined) return
    order.values.push({ target: rule.to, value })
    if (ATTRIBUTES.includes(field)) order.attributes[field] = String(asked.asked)
    const pixels = field === 'size' ? pixelsOf(String(asked.asked)) : undefined
    if (pixels) order.pixels = pixels.width * pixels.height
    else if (field === 'width') order.pixels = Number(asked.asked)
    else if (field === 'height' && order.pixels !== undefined) order.pixels *= Number(asked.asked)
  }
  order.values.push(...constants(rule.with ?? {}))
}

function fileOf({ operation, field, rule, asked }: Asked): Asset | Asset[] {
  const files = (Array.isArray(asked) ? asked : [asked]) as Asset[]
  const param = callersName(operation, field)
  const most = rule.to.endsWith('[]') ? (rule.max ?? files.length) : 1
  if (files.length > most) throw refuse(param, `'${param}' takes at most ${most}; these are ${files.length}.`)
  return rule.to.endsWith('[]') ? files : (files[0] as Asset)
}

function converted({ operation, field, rule, asked }: Asked): Json | undefined {
  const { as, template, values, min, max } = rule
  const param = callersName(operation, field)
  const choices = choicesOf(rule)
  const named = field === 'voice' ? voiceName(asked) : asked
  const chosen = choices?.find((choice) => choice === String(named))
  if (choices && chosen === undefined) {
    // The router makes PNG, JPEG and WebP of whatever comes.
    if (field === 'output_format') return undefined
    throw refuse(param, `'${param}' may be ${choices.join(', ')}, not ${String(named).slice(0, 50)}.`)
  }
  const number = Number(named)
  if ((min !== undefined && number < min) || (max !== undefined && number > max))
    throw refuse(
      param,
      `'${param}' must be ${[bound('at least', min), bound('at most', max)].filter(Boolean).join(' and ')}.`,
    )
  if (values && chosen !== undefined) return values[chosen] ?? null
  if (template !== undefined) return template.replace('{}', () => String(named))
  if (as === 'text') return String(named)
  if (as === 'number') return number
  if (as === 'pixels') return { ...pixelsOf(String(named)) }
  return named as Json
}

const bound = (words: string, limit: number | undefined) => (limit === undefined ? '' : `${words} ${limit}`)

/** OpenAI's voices may come as {"id": "…"}. */
const voiceName = (voice: unknown): unknown =>
  typeof voice === 'object' && voice !== null ? Reflect.get(voice, 'id') : voice

/** The whole input; `place` says under which address the provider finds a file. */
export async function fillInput(order: Order, place: (file: Asset) => Promise<string>): Promise<JsonObject> {
  const input: JsonObject = {}
  for (const { target, value } of order.values) write(input, target, value)
  const placed = order.files.map(async ({ target, file }) => ({
    target,
    value: Array.isArray(file) ? await Promise.all(file.map(place)) : await place(file),
  }))
  for (const { target, value } of await Promise.all(placed)) write(input, target, value)
  return input
}
