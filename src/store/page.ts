// One page of a collection, newest or oldest first, from an id onward: the one way in which lists are read.
import type { mongo } from 'mongoose'

export interface PageQuery {
  limit: number
  /** The id of the last record of the page before. */
  after?: string | undefined
  order: 'asc' | 'desc'
}

export interface Page<Item> {
  items: Item[]
  has_more: boolean
}

/** By id, for ids that rise with time. */
export function pageById<Item extends { _id: string }>(
  collection: mongo.Collection<Item>,
  filter: object,
  { limit, after, order }: PageQuery,
): Promise<Page<Item>> {
  const beyond = after === undefined ? {} : { _id: order === 'desc' ? { $lt: after } : { $gt: after } }
  return read(collection, { ...filter, ...beyond }, { _id: order === 'desc' ? -1 : 1 }, limit)
}

/** By the field `at`, then by id, for ids that say nothing of time. An `after` that is not there gives an empty page. */
export const pageByTime = <Item extends { _id: string; at: Date }>(
  collection: mongo.Collection<Item>,
  filter: object,
  query: PageQuery,
): Promise<Page<Item>> => pageBy('at', collection, filter, query)

/** The same by another field that holds a time. */
export async function pageBy<Field extends string, Item extends { _id: string } & Record<Field, Date>>(
  field: Field,
  collection: mongo.Collection<Item>,
  filter: object,
  { limit, after, order }: PageQuery,
): Promise<Page<Item>> {
  const [direction, operator] = order === 'desc' ? ([-1, '$lt'] as const) : ([1, '$gt'] as const)
  const sort: Record<string, 1 | -1> = { [field]: direction, _id: direction }
  if (after === undefined) return read(collection, filter, sort, limit)
  const last = await collection.findOne(typed<Item>({ ...filter, _id: after }))
  if (!last) return { items: [], has_more: false }
  const at: Date = (last as Item)[field]
  const beyond = { $or: [{ [field]: { [operator]: at } }, { [field]: at, _id: { [operator]: after } }] }
  return read(collection, { ...filter, ...beyond }, sort, limit)
}

async function read<Item extends { _id: string }>(
  collection: mongo.Collection<Item>,
  filter: object,
  sort: Record<string, 1 | -1>,
  limit: number,
): Promise<Page<Item>> {
  // One more than asked tells whether there are more.
  const found = await collection
    .find(typed<Item>(filter))
    .sort(sort)
    .limit(limit + 1)
    .toArray()
  return { items: found.slice(0, limit) as Item[], has_more: found.length > limit }
}

// The driver's filter type cannot be made from the parts of a generic record.
const typed = <Item>(filter: object) => filter as mongo.Filter<Item>
