/** Hints: the planner chooses for itself, but a hint must name an index that is there. */
import type { Collection } from '../collection.ts'
import { compareValues } from '../compare.ts'
import { badValue } from '../errors.ts'
import { isDocument } from '../values.ts'

/** Throws BadValue as MongoDB does when no index is so called or has these keys. */
export function checkHint(collection: Collection | undefined, hint: unknown): void {
  if (hint === undefined || collection === undefined) return
  if (isDocument(hint) && (Object.keys(hint).length === 0 || '$natural' in hint)) return
  const found = collection.indexes.some((index) =>
    typeof hint === 'string' ? index.name === hint : compareValues(index.spec.key, hint) === 0,
  )
  if (!found)
    throw badValue(
      'error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index',
    )
}
