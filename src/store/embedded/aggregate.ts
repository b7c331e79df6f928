/**
 * Runs a pipeline: what it begins with ($match, $sort, $skip, $limit) is answered by the planner, the rest streams
 * through the stages. Only the fields that the stages read are decoded.
 */
import type { Collection } from './collection.ts'
import type { DocumentSource } from './cursors.ts'
import { decodeDocument } from './decode.ts'
import { encodeDocument } from './encode.ts'
import { type ExpressionScope, newScope } from './expressions.ts'
import { headOf } from './paths.ts'
import { compileFilter } from './query.ts'
import type { RowSource } from './scan.ts'
import { checkDeadline, type Query, rowsOf, select } from './select.ts'
import { readSort } from './sort.ts'
import { compileStage, countOf, type Stage } from './stages.ts'
import type { Storage } from './storage.ts'
import { type Document, isDocument } from './values.ts'

export type Pipeline = { query: Query; stages: Stage[]; only: ReadonlySet<string> | undefined }

/** Throws for stages and expressions that the store does not know. */
export function compilePipeline(given: readonly unknown[], deadline: number): Pipeline {
  const { query, used } = readQuery(given, deadline)
  const scope = newScope()
  const rest = given.slice(used)
  const stages = rest.map((stage, index) => compileStage(stage, scope, rest.slice(index + 1)))
  return { query, stages, only: neededFields(rest, scope) }
}

/** The stages at the front that a query can do, in the order in which a query does them. */
function readQuery(given: readonly unknown[], deadline: number): { query: Query; used: number } {
  const order = ['$match', '$sort', '$skip', '$limit']
  const found: Document = {}
  let used = 0
  let place = 0
  for (const stage of given) {
    const [name = ''] = isDocument(stage) ? Object.keys(stage) : []
    const at = order.indexOf(name, place)
    if (!isDocument(stage) || Object.keys(stage).length !== 1 || at < 0) break
    if (name === '$match' && !isDocument(stage.$match)) break
    if (name === '$limit' && countOf('$limit', stage.$limit) === 0) break
    found[name] = stage[name]
    place = at + 1
    used++
  }
  const query = {
    filter: compileFilter((found.$match ?? {}) as Document),
    sort: readSort(found.$sort),
    skip: found.$skip === undefined ? 0 : countOf('$skip', found.$skip),
    limit: found.$limit === undefined ? Number.POSITIVE_INFINITY : countOf('$limit', found.$limit),
    deadline,
  }
  return { query, used }
}

/** Known only if some stage makes new documents out of named fields; filters and sorts before it add theirs. */
function neededFields(stages: readonly unknown[], scope: ExpressionScope): ReadonlySet<string> | undefined {
  if (scope.everything) return undefined
  for (const stage of stages as Document[]) {
    const [name = ''] = Object.keys(stage)
    if (name === '$group' || name === '$project' || name === '$count') return scope.fields
    if (name === '$match') for (const field of compileFilter(stage.$match as Document).fields) scope.fields.add(field)
    if (name === '$sort') for (const path of Object.keys(stage.$sort as Document)) scope.fields.add(headOf(path))
  }
  return undefined
}

export function runPipeline(storage: Storage, collection: Collection | undefined, pipeline: Pipeline): DocumentSource {
  const { query, stages, only } = pipeline
  const rows = collection === undefined ? undefined : select(storage, collection, query)
  if (stages.length === 0 && rows !== undefined) return new PlainRows(rows)
  const start: Iterable<Document> = rows === undefined ? [] : decoded(rows, only, query.deadline)
  const documents = stages.reduce<Iterable<Document>>((stream, stage) => stage(stream), start)
  return new PipelineSource(documents[Symbol.iterator](), rows)
}

function* decoded(rows: RowSource, only: ReadonlySet<string> | undefined, deadline: number): Generator<Document> {
  let looked = 0
  for (const { bytes } of rowsOf(rows)) {
    if (++looked % 256 === 0) checkDeadline(deadline)
    yield decodeDocument(bytes, { only })
  }
}

class PlainRows implements DocumentSource {
  readonly #rows: RowSource

  constructor(rows: RowSource) {
    this.#rows = rows
  }

  next(): Buffer | undefined {
    return this.#rows.next()?.bytes
  }

  pause(): void {
    this.#rows.pause()
  }
}

/** The stages are generators: they stand still between batches while the rows under them let go of sqlite. */
class PipelineSource implements DocumentSource {
  readonly #documents: Iterator<Document>
  readonly #rows: RowSource | undefined

  constructor(documents: Iterator<Document>, rows: RowSource | undefined) {
    this.#documents = documents
    this.#rows = rows
  }

  next(): Buffer | undefined {
    const { value, done } = this.#documents.next()
    return done ? undefined : encodeDocument(value)
  }

  pause(): void {
    this.#rows?.pause()
  }
}
