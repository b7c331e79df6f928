/** Chooses how to find the documents of a filter: which index, which key ranges, and whether they come in sort order. */
import { boundsFor, type Range } from './bounds.ts'
import type { Collection } from './collection.ts'
import { compareValues } from './compare.ts'
import type { Index } from './index_spec.ts'
import { compileFilter, type Filter, type Predicate } from './query.ts'
import { type Document, isDocument, setField } from './values.ts'

export type SortField = { path: string; direction: 1 | -1 }

export type Plan = {
  /** Undefined: read the whole collection in the order of insertion. */
  index: Index | undefined
  ranges: Range[]
  reverse: boolean
  /** The rows come in the order that was asked for. */
  sorted: boolean
  /** Every row matches: the filter need not be tested. */
  exact: boolean
}

/** A plan, or one for each branch of an `$or`, whose rows are joined. */
export type Plans = [Plan, ...Plan[]]

const whole: Range = { low: Buffer.alloc(0), high: Buffer.from([0xff]) }
const max_ranges = 1000

export function choosePlans(collection: Collection, filter: Filter, sort: readonly SortField[]): Plans {
  const best = bestOf(collection, filter, sort)
  if (best !== undefined && (best.score >= point_score || filter.alternatives.length === 0)) return [best.plan]
  for (const branches of filter.alternatives) {
    const plans: Plan[] = []
    for (const branch of branches) {
      const found = bestOf(collection, { ...branch, predicates: [...filter.predicates, ...branch.predicates] }, [])
      if (found !== undefined) plans.push({ ...found.plan, exact: false, sorted: false })
    }
    const [first, ...others] = plans
    if (first !== undefined && plans.length === branches.length) return [first, ...others]
  }
  return [
    best?.plan ?? { index: undefined, ranges: [], reverse: false, sorted: sort.length === 0, exact: scansAll(filter) },
  ]
}

const scansAll = (filter: Filter): boolean => filter.complete && filter.predicates.length === 0

const point_score = 10
const range_score = 4
const sorted_score = 3
const unique_score = 100

function bestOf(
  collection: Collection,
  filter: Filter,
  sort: readonly SortField[],
): { plan: Plan; score: number } | undefined {
  if (filter.predicates.length === 0 && sort.length === 0) return undefined
  const by_path = Map.groupBy(filter.predicates, (predicate) => predicate.path)
  let best: { plan: Plan; score: number } | undefined
  for (const index of collection.indexes) {
    if (index.partial !== undefined && !implies(by_path, index)) continue
    const found = planFor(index, by_path, filter, sort)
    if (found !== undefined && (best === undefined || found.score > best.score)) best = found
  }
  return best
}

function planFor(
  index: Index,
  by_path: Map<string, Predicate[]>,
  filter: Filter,
  sort: readonly SortField[],
): { plan: Plan; score: number } | undefined {
  let ranges: Range[] = [{ low: Buffer.alloc(0), high: whole.high }]
  let score = 0
  let exact = index.multikey === 0
  let used = 0
  let fixed = 0
  let multikey_used = false
  for (const [at, field] of index.fields.entries()) {
    const predicates = by_path.get(field.path)
    const multikey = (index.multikey & (1 << at)) !== 0
    // Two fields inside one array may match in different elements, which the entries cannot tell.
    if (predicates === undefined || (multikey && multikey_used)) break
    const bounds = boundsFor(predicates, field.direction, multikey)
    if (bounds === undefined || ranges.length * bounds.ranges.length > max_ranges) break
    multikey_used ||= multikey
    exact &&= bounds.exact
    used += predicates.length
    ranges = extend(ranges, bounds.ranges)
    score += bounds.kind === 'points' ? point_score : range_score
    if (bounds.kind === 'range') break
    if (bounds.ranges.length === 1 && fixed === at) fixed++
  }
  if (index.unique && score === index.fields.length * point_score) score += unique_score
  const order = index.multikey === 0 ? orderOf(index, fixed, sort) : undefined
  if (order !== undefined && sort.length > 0) score += sorted_score
  if (score === 0) return undefined
  exact &&= filter.complete && used === filter.predicates.length && index.partial === undefined
  const plan = { index, ranges, reverse: order === -1, sorted: sort.length === 0 || order !== undefined, exact }
  return { plan, score }
}

function extend(prefixes: readonly Range[], fields: readonly Range[]): Range[] {
  return prefixes.flatMap((prefix) =>
    fields.map((field) => ({
      low: Buffer.concat([prefix.low, field.low]),
      high: Buffer.concat([prefix.low, field.high]),
    })),
  )
}

/** The direction in which the index gives the sort order, its first `fixed` fields having one value each. */
function orderOf(index: Index, fixed: number, sort: readonly SortField[]): 1 | -1 | undefined {
  const constant = new Set(index.fields.slice(0, fixed).map((field) => field.path))
  const wanted = sort.filter((field) => !constant.has(field.path))
  let order: 1 | -1 | undefined
  for (const [at, field] of wanted.entries()) {
    const given = index.fields[fixed + at]
    if (given === undefined || given.path !== field.path) return undefined
    const direction = given.direction === field.direction ? 1 : -1
    if (order !== undefined && order !== direction) return undefined
    order = direction
  }
  return order ?? 1
}

/** Whether every document the filter can match is in the partial index: each condition of the index is repeated or implied. */
function implies(by_path: Map<string, Predicate[]>, index: Index): boolean {
  const partial = index.partial
  if (partial === undefined || !partial.predicates.length || partial.alternatives.length > 0) return false
  if (partial.predicates.length !== countConditions(index.spec.partialFilterExpression)) return false
  return partial.predicates.every((needed) =>
    (by_path.get(needed.path) ?? []).some((given) => impliesPredicate(given, needed)),
  )
}

function impliesPredicate(given: Predicate, needed: Predicate): boolean {
  if (given.operator === needed.operator && compareValues(given.operand, needed.operand) === 0) return true
  if (given.operator === '$eq') return givesMatch([given.operand], needed)
  if (given.operator === '$in' && Array.isArray(given.operand)) return givesMatch(given.operand, needed)
  return (
    needed.operator === '$exists' && needed.operand === true && ranges.has(given.operator) && given.operand !== null
  )
}

const ranges: ReadonlySet<string> = new Set(['$gt', '$gte', '$lt', '$lte'])

/** Tried on the values themselves; an array or null could match in other ways than as itself. */
function givesMatch(values: readonly unknown[], needed: Predicate): boolean {
  const operand = { [needed.operator]: needed.operand }
  const { test } = compileFilter({ value: operand })
  return values.every((value) => {
    if (value === null || Array.isArray(value)) return false
    const document: Document = {}
    setField(document, 'value', value)
    return test(document)
  })
}

/** A negation inside the expression (`$nor`) has no predicate: such an index is used by nobody. */
function countConditions(expression: unknown): number {
  if (!isDocument(expression)) return 0
  let count = 0
  for (const [key, operand] of Object.entries(expression)) {
    if (key === '$and') for (const part of operand as unknown[]) count += countConditions(part)
    else if (key.startsWith('$')) return Number.POSITIVE_INFINITY
    else if (isDocument(operand) && Object.keys(operand)[0]?.startsWith('$')) count += Object.keys(operand).length
    else count++
  }
  return count
}
