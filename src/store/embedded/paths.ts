/** Dotted paths: reading through arrays as queries and indexes do. It never changes a document (update_paths.ts does). */
import { type Document, getField, isDocument } from './values.ts'

const split_paths = new Map<string, readonly string[]>()
/** What is longer has some id in it, and will not come again often enough to be remembered. */
const max_remembered = 32

export function splitPath(path: string): readonly string[] {
  if (path.length > max_remembered) return path.split('.')
  const known = split_paths.get(path)
  if (known !== undefined) return known
  const parts = path.split('.')
  if (split_paths.size > 10_000) split_paths.clear()
  split_paths.set(path, parts)
  return parts
}

/** The first field of a path: what must be decoded to follow it. */
export function headOf(path: string): string {
  const dot = path.indexOf('.')
  return dot < 0 ? path : path.slice(0, dot)
}

export const isIndex = (part: string): boolean => /^(0|[1-9]\d*)$/.test(part)

/**
 * Visits every value that the path leads to, an array on the way standing for its elements; a missing one is visited as
 * undefined. Ends early, answering true, as soon as `visit` does. An array at the end is visited whole.
 */
export function someValue(
  document: Document,
  parts: readonly string[],
  visit: (value: unknown) => boolean,
  from = 0,
): boolean {
  let value: unknown = document
  for (let index = from; index < parts.length; index++) {
    if (Array.isArray(value)) return someElement(value, parts, visit, index)
    if (!isDocument(value)) return visit(undefined)
    value = getField(value, parts[index] as string)
  }
  return visit(value)
}

function someElement(
  values: readonly unknown[],
  parts: readonly string[],
  visit: (value: unknown) => boolean,
  index: number,
): boolean {
  const part = parts[index] as string
  if (isIndex(part) && Number(part) < values.length && someValueAt(values[Number(part)], parts, visit, index + 1)) {
    return true
  }
  return values.some((value) => isDocument(value) && someValue(value, parts, visit, index))
}

function someValueAt(
  value: unknown,
  parts: readonly string[],
  visit: (value: unknown) => boolean,
  index: number,
): boolean {
  if (index === parts.length) return visit(value)
  if (Array.isArray(value)) return someElement(value, parts, visit, index)
  return isDocument(value) ? someValue(value, parts, visit, index) : visit(undefined)
}

/**
 * The values that index entries, sorting and `distinct` see: arrays at the end give their elements too. `arrays` tells
 * whether any array was met.
 */
export function expandedValues(document: Document, path: string): { values: unknown[]; arrays: boolean } {
  const parts = splitPath(path)
  if (parts.length === 1) {
    const value = getField(document, path)
    if (!Array.isArray(value)) return { values: [value], arrays: false }
    return { values: value.length > 0 ? value : [value], arrays: true }
  }
  const values: unknown[] = []
  let arrays = passesArray(document, parts)
  someValue(document, parts, (value) => {
    if (Array.isArray(value)) {
      arrays = true
      if (value.length > 0) values.push(...value)
      else values.push(value)
    } else values.push(value)
    return false
  })
  return { values: values.length > 0 ? values : [undefined], arrays }
}

function passesArray(document: Document, parts: readonly string[]): boolean {
  let value: unknown = document
  for (const part of parts) {
    if (Array.isArray(value)) return true
    if (!isDocument(value)) return false
    value = getField(value, part)
  }
  return Array.isArray(value)
}
