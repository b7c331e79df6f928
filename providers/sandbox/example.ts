// A small value that satisfies a JSON schema of the simple kind: what a model with no mind answers when asked for
// structure. Never fills optional properties; `pattern` and the rarer keywords are not understood.
import type { Json, JsonObject } from '../../src/contract.ts'

const DEEPEST = 24
// A schema may require a thousand items or itself many times over: what goes beyond these is left out or null.
const MOST_VALUES = 2000
const MOST_ITEMS = 100
const LONGEST_STRING = 10_000
const FORMATS: Record<string, string> = {
  'date-time': '2026-01-01T00:00:00Z',
  date: '2026-01-01',
  time: '00:00:00Z',
  email: 'user@sandbox.example',
  uri: 'https://sandbox.example/',
  uuid: '00000000-0000-4000-8000-000000000000',
}

/** The whole schema, for its references, and how many values may still be made. */
interface Work {
  root: JsonObject
  values_left: number
}

export function exampleOf(schema: JsonObject): Json {
  return example(schema, { root: schema, values_left: MOST_VALUES }, 0)
}

function example(schema: Json | undefined, work: Work, depth: number): Json {
  const rules = asObject(schema)
  if (depth > DEEPEST || work.values_left-- <= 0) return null
  if (typeof rules.$ref === 'string') return example(resolve(rules.$ref, work.root), work, depth + 1)
  if ('const' in rules) return rules.const ?? null
  if (Array.isArray(rules.enum)) return rules.enum[0] ?? null
  for (const choice of [rules.anyOf, rules.oneOf]) {
    if (Array.isArray(choice)) {
      return example({ ...rules, anyOf: null, oneOf: null, ...asObject(choice[0]) }, work, depth + 1)
    }
  }
  if (Array.isArray(rules.allOf)) return example(merge(rules, rules.allOf, work.root), work, depth + 1)
  return exampleOfType(typeOf(rules), rules, work, depth)
}

function exampleOfType(type: string, rules: JsonObject, work: Work, depth: number): Json {
  if (type === 'object') return exampleObject(rules, work, depth)
  if (type === 'array') {
    const first = asArray(rules.prefixItems)
    const length = Math.min(MOST_ITEMS, Math.max(0, numberOr(rules.minItems, 0), first.length))
    return Array.from({ length }, (_, index) => example(first[index] ?? rules.items, work, depth + 1))
  }
  if (type === 'string') return exampleString(rules)
  if (type === 'integer' || type === 'number') return exampleNumber(rules, type === 'integer')
  return type === 'boolean' ? true : null
}

function exampleObject(rules: JsonObject, work: Work, depth: number): JsonObject {
  const properties = asObject(rules.properties)
  return Object.fromEntries(
    asArray(rules.required).map((name) => [String(name), example(properties[String(name)] ?? {}, work, depth + 1)]),
  )
}

function exampleString(rules: JsonObject): string {
  const format = typeof rules.format === 'string' ? FORMATS[rules.format] : undefined
  if (format !== undefined) return format
  return 'sandbox'
    .padEnd(Math.min(LONGEST_STRING, numberOr(rules.minLength, 0)), '.')
    .slice(0, numberOr(rules.maxLength, Number.MAX_SAFE_INTEGER))
}

function exampleNumber(rules: JsonObject, whole: boolean): number {
  const step = numberOr(rules.multipleOf, whole ? 1 : 0)
  const above = numberOr(rules.exclusiveMinimum, Number.NEGATIVE_INFINITY)
  const below = numberOr(rules.exclusiveMaximum, Number.POSITIVE_INFINITY)
  const least = Math.max(numberOr(rules.minimum, Number.NEGATIVE_INFINITY), above)
  const most = Math.min(numberOr(rules.maximum, Number.POSITIVE_INFINITY), below)
  const near = Math.min(Math.max(1, least), most)
  if (step > 0) {
    const up = Math.ceil(near / step) * step
    const fits = up > most || up >= below ? Math.floor(near / step) * step : up
    return fits <= above ? fits + step : fits >= below ? fits - step : fits
  }
  if (near > above && near < below) return near
  if (Number.isFinite(above) && Number.isFinite(below)) return (above + below) / 2
  return near <= above ? near + 1 : near - 1
}

function typeOf(rules: JsonObject): string {
  const type = Array.isArray(rules.type) ? rules.type.find((name) => name !== 'null') : rules.type
  if (typeof type === 'string') return type
  if ('properties' in rules || 'required' in rules) return 'object'
  return 'items' in rules || 'prefixItems' in rules ? 'array' : 'string'
}

function merge(rules: JsonObject, parts: Json[], root: JsonObject): JsonObject {
  const { allOf: _, ...own } = rules
  const resolved = parts.map((part) => {
    const { $ref } = asObject(part)
    return asObject(typeof $ref === 'string' ? resolve($ref, root) : part)
  })
  const all = [own, ...resolved]
  return {
    ...Object.assign({}, ...all),
    properties: Object.assign({}, ...all.map(({ properties }) => asObject(properties))),
    required: all.flatMap(({ required }) => asArray(required)),
  }
}

/** References within the schema itself, `#/$defs/name`. */
function resolve(reference: string, root: JsonObject): Json | undefined {
  if (!reference.startsWith('#')) return undefined
  const names = reference.slice(1).split('/').slice(1)
  return names.reduce<Json | undefined>(
    (place, name) => asObject(place)[name.replaceAll('~1', '/').replaceAll('~0', '~')],
    root,
  )
}

const asObject = (value: Json | undefined): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
const asArray = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : [])
const numberOr = (value: Json | undefined, otherwise: number): number => (typeof value === 'number' ? value : otherwise)
