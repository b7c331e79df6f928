// zod's issues as faults that an operator can act on: the place as it is written in TOML, and the name that was meant.
import { z } from 'zod'
import { didYouMean, type Fault } from './fault.ts'

export function schemaFaults(file: string, schema: z.ZodType, error: z.ZodError): Fault[] {
  return error.issues.flatMap((issue) => issueFaults(file, schema, issue))
}

function issueFaults(file: string, schema: z.ZodType, issue: z.core.$ZodIssue): Fault[] {
  const place = placeOf(issue.path)
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path)
    return issue.keys.map((key) => ({
      file,
      place: placeOf([...issue.path, key]),
      problem: `"${key}" is not a field here`,
      remedy: didYouMean(key, known),
    }))
  }
  if (issue.code === 'invalid_union') return issueFaults(file, schema, closest(issue))
  if (issue.code === 'invalid_value') {
    const written = issue.input
    const values = issue.values.map(String)
    if (typeof written !== 'string')
      return [{ file, place, problem: missingOr(written, 'must be a text'), remedy: `use one of ${values.join(', ')}` }]
    return [{ file, place, problem: `"${written}" is not ${nounOf(issue.path)}`, remedy: didYouMean(written, values) }]
  }
  const problem = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message
  return [{ file, place, problem: missingOr(issue.input, problem), remedy: issue.input === undefined ? 'add it' : '' }]
}

const missingOr = (input: unknown, problem: string) => (input === undefined ? 'is missing' : problem)

/** Of the forms a value may have, the one that it nearly has. */
function closest(issue: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue {
  const [first, ...others] = issue.errors
  const deepest = others.reduce((best, each) => (depth(each) > depth(best) ? each : best), first ?? [])
  const chosen = deepest[0]
  if (!chosen) return { ...issue, code: 'custom', message: issue.message }
  return { ...chosen, path: [...issue.path, ...chosen.path], input: chosen.input ?? issue.input } as z.core.$ZodIssue
}

const depth = (issues: z.core.$ZodIssue[]) => Math.max(0, ...issues.map(({ path }) => path.length))

/** `models."acme/film-2".prices[0].rates[1].meter` */
function placeOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((place, part) => {
    if (typeof part === 'number') return `${place}[${part}]`
    const key = /^[\w-]+$/.test(String(part)) ? String(part) : `"${String(part)}"`
    return place ? `${place}.${key}` : key
  }, '')
}

/** What stands at a place, with its article: `an operation`. */
function nounOf(path: readonly PropertyKey[]): string {
  const noun = String(path.findLast((part) => typeof part === 'string') ?? 'value')
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`
}

/** The fields that a schema has at a path. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema
  for (const part of [...path, undefined]) {
    while (at instanceof z.ZodOptional || at instanceof z.ZodDefault) at = at.unwrap()
    if (part === undefined) break
    if (at instanceof z.ZodObject) at = at.shape[String(part)]
    else if (at instanceof z.ZodRecord) at = at.valueType
    else if (at instanceof z.ZodArray) at = at.element
  }
  if (at instanceof z.ZodRecord && at.keyType instanceof z.ZodEnum) return at.keyType.options.map(String)
  return at instanceof z.ZodObject ? Object.keys(at.shape) : []
}
