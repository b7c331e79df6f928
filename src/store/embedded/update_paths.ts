/** Dotted paths for writing: makes the documents on the way, extends arrays. It never interprets update operators. */

import { forgetWritten } from './bson_writer.ts'
import { describe } from './describe.ts'
import { CommandError } from './errors.ts'
import { isIndex, splitPath } from './paths.ts'
import { sameValue } from './same.ts'
import { type Document, getField, isDocument, setField } from './values.ts'

/** Where a path ends: a field of a document or an element of an array. */
export type Place = { holder: Document | unknown[]; last: string }

const max_padding = 1_500_000

/** The place a path leads to, which is about to change; missing documents on the way are made. Throws PathNotViable where none can be. */
export function placeOf(document: Document, path: string): Place {
  const parts = splitPath(path)
  let holder: Document | unknown[] = document
  for (let index = 0; index < parts.length - 1; index++) {
    const part = parts[index] as string
    let next = read(holder, part)
    if (next === undefined) {
      next = {}
      write(holder, part, next)
    } else if (!isHolder(next)) throw notViable(parts[index + 1] as string, part, next)
    holder = next as Document | unknown[]
    forgetWritten(holder)
  }
  const last = parts[parts.length - 1] as string
  if (Array.isArray(holder) && !isIndex(last)) throw notViable(last, parts[parts.length - 2] ?? '', holder)
  return { holder, last }
}

/** The place a path leads to, which is about to change; undefined if something is missing on the way. */
export function existingPlace(document: Document, path: string): Place | undefined {
  const parts = splitPath(path)
  let holder: Document | unknown[] = document
  for (let index = 0; index < parts.length - 1; index++) {
    const next = read(holder, parts[index] as string)
    if (!isHolder(next)) return undefined
    holder = next
    forgetWritten(holder)
  }
  const last = parts[parts.length - 1] as string
  return Array.isArray(holder) && !isIndex(last) ? undefined : { holder, last }
}

const isHolder = (value: unknown): value is Document | unknown[] => Array.isArray(value) || isDocument(value)

export const valueAt = ({ holder, last }: Place): unknown => read(holder, last)

/** Answers whether it is another value now. */
export function setAt({ holder, last }: Place, value: unknown): boolean {
  const before = read(holder, last)
  if (before !== undefined && sameValue(before, value)) return false
  write(holder, last, value)
  return true
}

/** Removes a field; an element of an array becomes null. Answers whether there was one. */
export function unsetAt({ holder, last }: Place): boolean {
  if (!Array.isArray(holder)) return Object.hasOwn(holder, last) && delete holder[last]
  const at = Number(last)
  if (at >= holder.length || holder[at] === null) return false
  holder[at] = null
  return true
}

function read(holder: Document | unknown[], part: string): unknown {
  if (!Array.isArray(holder)) return getField(holder, part)
  return isIndex(part) ? holder[Number(part)] : undefined
}

function write(holder: Document | unknown[], part: string, value: unknown): void {
  if (!Array.isArray(holder)) {
    setField(holder, part, value)
    return
  }
  if (!isIndex(part)) throw notViable(part, '', holder)
  const at = Number(part)
  if (at > max_padding) throw new CommandError('BadValue', `can't backfill more than ${max_padding} elements`)
  while (holder.length < at) holder.push(null)
  holder[at] = value
}

function notViable(part: string, parent: string, value: unknown): CommandError {
  const message = `Cannot create field '${part}' in element {${parent}: ${describe(value)}}`
  return new CommandError('PathNotViable', message)
}
