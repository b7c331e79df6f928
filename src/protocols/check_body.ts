// A caller's body held against the schema of its format; the first fault in the words that SDKs and people know.
import type { z } from 'zod'
import { fieldPath, refuseForbidden, WireError } from './wire_error.ts'

/** What the schema read. Throws WireError. */
export function checkBody<Schema extends z.ZodObject>(schema: Schema, body: unknown): z.infer<Schema> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new WireError('The body must be a JSON object.', null, 'invalid_json')
  }
  refuseForbidden(body)
  const read = schema.safeParse(body)
  if (read.success) return read.data
  throw issueError(read.error.issues, body)
}

/** Fields that we do not know travel between equal protocols only; throws WireError naming those that are set. */
export function refuseUnknown(body: Record<string, unknown>, known: ReadonlySet<string>): void {
  const unknown = Object.keys(body).filter((name) => !known.has(name) && body[name] !== undefined)
  const [first] = unknown
  if (!first) return
  const names = unknown.map((name) => `'${name}'`).join(', ')
  throw new WireError(`The provider of this model does not understand ${names}.`, first, 'unknown_parameter')
}

/** The first fault in OpenAI's manner of speaking. */
function issueError(issues: z.core.$ZodIssue[], body: object): WireError {
  const issue = deepest(issues[0])
  if (!issue) return new WireError('The request is not valid.')
  const param = fieldPath(issue.path)
  const missing = issue.code === 'invalid_type' && valueAt(body, issue.path) === undefined
  if (missing) return new WireError(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter')
  const what = issue.message.replace(/^Invalid (?:input|option): /, '')
  const code = issue.code === 'invalid_type' || issue.code === 'invalid_union' ? 'invalid_type' : 'invalid_value'
  return new WireError(`Invalid value for '${param}': ${what}.`, param, code)
}

/** Of a union's many complaints the one that got furthest, so that the message names the field and not its parent. */
function deepest(issue: z.core.$ZodIssue | undefined): z.core.$ZodIssue | undefined {
  if (issue?.code !== 'invalid_union') return issue
  const nested = issue.errors.flat().map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }))
  const best = nested.sort((a, b) => b.path.length - a.path.length)[0]
  return best && best.path.length > issue.path.length ? deepest(best as z.core.$ZodIssue) : issue
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], body)
}

/** The object without its undefined members, as `exactOptionalPropertyTypes` wants it. */
export function present<T extends object>(object: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T
}
