/** Dotted paths for writing: makes the documents on the way, extends arrays. It never interprets update operators. */

import { describe } from './describe.ts'
import { CommandError } from './errors.ts'
import { isIndex, splitPath } from './paths.ts'
import { type Document, getField, isDocument, setField } from './values.ts'

/** Where a path ends: a field of a document or an element of an array. */
export type Place = { get: () => unknown; set: (value: unknown) => void; unset: () => void }

const max_padding = 1_500_000

/** The place a path leads to; with `make`, missing documents on the way are made, else undefined if one is missing. */
export function placeOf(document: Document, path: string, make: boolean): Place | undefined {
  const parts = splitPath(path)
  let holder: Document | unknown[] = document
  for (let index = 0; index < parts.length - 1; index++) {
    const part = parts[index] as string
    let next = read(holder, part)
    if (next === undefined) {
      if (!make) return undefined
      next = {}
      write(holder, part, next)
    } else if (!isDocument(next) && !Array.isArray(next)) {
      if (!make) return undefined
      throw notViable(parts[index + 1] as string, part, next)
    }
    holder = next as Document | unknown[]
  }
  const last = parts[parts.length - 1] as string
  if (Array.isArray(holder) && !isIndex(last)) {
    if (!make) return undefined
    throw notViable(last, parts[parts.length - 2] ?? '', holder)
  }
  return placeIn(holder, last)
}

function placeIn(holder: Document | unknown[], last: string): Place {
  return {
    get: () => read(holder, last),
    set: (value) => write(holder, last, value),
    unset: () => {
      if (!Array.isArray(holder)) delete holder[last]
      else if (Number(last) < holder.length) holder[Number(last)] = null
    },
  }
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
