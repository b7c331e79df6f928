// Reading a caller's body: known fields strictly, unknown ones apart, so that they travel on where they are understood.
import { z } from 'zod'
import type { JsonObject } from '../../contract.ts'
import { refuseForbidden } from '../wire_error.ts'

/** `null` says what an absent field says, in all of OpenAI's API. Throws ZodError and WireError. */
export function readFields<Shape extends z.core.$ZodLooseShape>(
  shape: Shape,
  body: JsonObject,
): { known: z.infer<z.ZodObject<Shape>>; extra: JsonObject } {
  refuseForbidden(body)
  const present = Object.entries(body).filter(([, value]) => value !== null)
  const known = z.object(shape).parse(Object.fromEntries(present))
  const extra = present.filter(([name]) => !Object.hasOwn(shape, name))
  return { known, extra: Object.fromEntries(extra) }
}

/** For spreading: the field if there is any such. */
export const extraField = (extra: JsonObject): { extra?: JsonObject } =>
  Object.keys(extra).length > 0 ? { extra } : {}

export interface FormTypes {
  numbers?: readonly string[]
  booleans?: readonly string[]
}

/** The fields of a form, which are all text, in the types that the same fields have in JSON. What is neither stays text and is refused by its schema. */
export function readForm(fields: JsonObject, { numbers = [], booleans = [] }: FormTypes): JsonObject {
  const typed = { ...fields }
  for (const name of numbers) {
    const value = fields[name]
    if (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))) typed[name] = Number(value)
  }
  for (const name of booleans) {
    const value = fields[name]
    if (value === 'true' || value === 'false') typed[name] = value === 'true'
  }
  return typed
}

export const modelName = z.string().min(1).max(200)
/** A short word that the provider judges. */
export const word = z.string().min(1).max(100)
