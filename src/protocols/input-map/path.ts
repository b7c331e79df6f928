// Paths into JSON: `output.images[].url`, `chunk.timestamp[0]`. A name goes into an object, [] into every item of a list,
// [n] into one of them. Pure; what is not there is absent, never a fault.
import type { Json, JsonObject } from '../../contract.ts'
import { isRecord } from '../lenient.ts'

const NAME = '[A-Za-z][\\w-]*'
const STEP = `(?:\\[\\d{0,3}\\])`
/** A path to read. */
export const PATH = new RegExp(`^${NAME}${STEP}*(?:\\.${NAME}${STEP}*)*$`)
/** A place to write, with [] at the end for a list. */
export const TARGET = new RegExp(`^${NAME}(?:\\.${NAME})*(?:\\[\\])?$`)

/** Everything that the path leads to, in order; lists at its end are opened, so that one and many are read alike. */
export function readAll(from: unknown, path: string): unknown[] {
  let found: unknown[] = [from]
  for (const step of path.match(/\[\d*\]|[^.[\]]+/g) ?? []) found = found.flatMap((value) => take(value, step))
  return found.flatMap((value) => (Array.isArray(value) ? value : [value])).filter((value) => isThere(value))
}

/** The first of them. */
export const readOne = (from: unknown, path: string | undefined): unknown =>
  path === undefined ? undefined : readAll(from, path)[0]

function take(value: unknown, step: string): unknown[] {
  if (step === '[]') return Array.isArray(value) ? value : [value]
  if (step.startsWith('[')) return Array.isArray(value) ? [value[Number(step.slice(1, -1))]] : []
  return isRecord(value) && Object.hasOwn(value, step) ? [value[step]] : []
}

const isThere = (value: unknown) => value !== undefined && value !== null

/** Writes a value, making the objects on its way. */
export function write(into: JsonObject, target: string, value: Json): void {
  const names = target.replace(/\[\]$/, '').split('.')
  const last = names.pop() ?? ''
  let at = into
  for (const name of names) {
    const next = Object.hasOwn(at, name) ? at[name] : undefined
    const inner: JsonObject = isRecord(next) ? (next as JsonObject) : {}
    at[name] = inner
    at = inner
  }
  at[last] = value
}
