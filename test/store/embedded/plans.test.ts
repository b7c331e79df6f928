// The planner: what an index answers is what a full scan answers, and far fewer documents are looked at.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deserialize } from 'bson'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Engine } from '../../../src/store/embedded/engine.ts'
import { choosePlans } from '../../../src/store/embedded/plan.ts'
import { compileFilter } from '../../../src/store/embedded/query.ts'
import { readSort } from '../../../src/store/embedded/sort.ts'
import type { Document } from '../../../src/store/embedded/values.ts'

let engine: Engine
let data_dir: string

beforeAll(() => {
  data_dir = mkdtempSync(join(tmpdir(), 'store-plans-'))
  engine = new Engine(data_dir, 'normal')
})
afterAll(() => {
  engine.close()
  rmSync(data_dir, { recursive: true, force: true })
})

function run(command: Document): Document {
  const answer = deserialize(engine.run(command, 'test', 1), { useBigInt64: true })
  engine.commit()
  if (answer.ok !== 1 || answer.writeErrors !== undefined)
    throw new Error(answer.errmsg ?? answer.writeErrors[0].errmsg)
  return answer
}

function find(collection: string, filter: Document, more: Document = {}): Document[] {
  const { cursor } = run({ find: collection, filter, batchSize: 100_000, ...more })
  return (cursor as { firstBatch: Document[] }).firstBatch
}

/** How many documents a query looked at. */
function examined(query: () => unknown): number {
  const before = engine.storage.counters.documents_examined
  query()
  return engine.storage.counters.documents_examined - before
}

function planOf(collection: string, filter: Document, sort: Document = {}) {
  const found = engine.catalog.find('test', collection)
  if (found === undefined) throw new Error(`no collection ${collection}`)
  const [plan] = choosePlans(found, compileFilter(filter), readSort(sort))
  return { index: plan.index?.name, sorted: plan.sorted, exact: plan.exact, reverse: plan.reverse }
}

describe('an index', () => {
  const specs = [
    { key: { a: 1 }, name: 'a' },
    { key: { a: 1, b: -1 }, name: 'a_b' },
    { key: { b: -1, 'c.d': 1 }, name: 'b_cd' },
    { key: { 'c.d': 1 }, name: 'cd' },
    { key: { a: -1 }, name: 'a_when_b', partialFilterExpression: { b: { $gte: 2 } } },
  ]
  const scalar = fc.oneof(
    fc.integer({ min: -1, max: 4 }),
    fc.constantFrom(null, 'x', 'y', true, 2n, 9007199254740993n, 2.5, new Date(3), Number.NaN),
  )
  const value = fc.oneof({ weight: 4, arbitrary: scalar }, { weight: 1, arbitrary: fc.array(scalar, { maxLength: 3 }) })
  const inner = fc.oneof(
    fc.record({ d: value }, { requiredKeys: [] }),
    fc.array(fc.record({ d: scalar }), { maxLength: 2 }),
    scalar,
  )
  const document = fc.record({ a: value, b: scalar, c: inner }, { requiredKeys: [] })
  const comparison = fc.constantFrom('$eq', '$gt', '$gte', '$lt', '$lte', '$ne')
  const condition = fc.oneof(
    scalar,
    fc.tuple(comparison, scalar).map(([operator, operand]) => ({ [operator]: operand })),
    fc.tuple(comparison, scalar, comparison, scalar).map(([one, a, two, b]) => ({ [one]: a, [two]: b })),
    fc.array(scalar, { maxLength: 4 }).map((list) => ({ $in: list })),
    fc.boolean().map((wanted) => ({ $exists: wanted })),
  )
  const fields = fc.dictionary(fc.constantFrom('a', 'b', 'c.d'), condition, { maxKeys: 3 })
  const filter: fc.Arbitrary<Document> = fc.oneof(
    fields,
    fc.tuple(fields, fc.array(fields, { minLength: 1, maxLength: 3 })).map(([all, some]) => ({ ...all, $or: some })),
  )
  const sort = fc.dictionary(fc.constantFrom('a', 'b', 'c.d'), fc.constantFrom(1, -1), { maxKeys: 2 })
  let round = 0

  it('answers every query as a full scan does', () => {
    const queries = fc.array(fc.tuple(filter, sort), { minLength: 10, maxLength: 20 })
    fc.assert(
      fc.property(fc.array(document, { minLength: 1, maxLength: 40 }), queries, (documents, asked) => {
        const [plain, indexed] = [`plain_${++round}`, `indexed_${round}`]
        const numbered = documents.map((given, _id) => ({ _id, ...given }))
        run({ createIndexes: indexed, indexes: specs })
        for (const name of [plain, indexed]) run({ insert: name, documents: numbered })
        for (const [wanted, order] of asked) {
          const with_order = { ...order, _id: 1 }
          expect(find(indexed, wanted, { sort: with_order })).toEqual(find(plain, wanted, { sort: with_order }))
          const ids = (found: Document[]) => found.map(({ _id }) => _id as number).sort((a, b) => a - b)
          expect(ids(find(indexed, wanted, { sort: order }))).toEqual(ids(find(plain, wanted)))
          expect(run({ count: indexed, query: wanted }).n).toBe(run({ count: plain, query: wanted }).n)
        }
        for (const name of [plain, indexed]) run({ drop: name })
      }),
      { numRuns: 60 },
    )
  })

  it('follows every change of its documents', () => {
    run({ createIndexes: 'changing', indexes: specs })
    const count = 30
    run({ insert: 'changing', documents: Array.from({ length: count }, (_, _id) => ({ _id, a: _id % 5, b: 1 })) })
    const change = fc.tuple(fc.integer({ min: 0, max: count - 1 }), document)
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), filter, (changes, wanted) => {
        for (const [_id, given] of changes) run({ update: 'changing', updates: [{ q: { _id }, u: given }] })
        const all = find('changing', {})
        const { test } = compileFilter(wanted)
        const expected = all.filter(test).map(({ _id }) => _id)
        expect(find('changing', wanted, { sort: { _id: 1 } }).map(({ _id }) => _id)).toEqual(expected)
      }),
      { numRuns: 100 },
    )
  })
})

describe('in a collection of 50,000 documents', () => {
  const size = 50_000
  beforeAll(() => {
    const indexes = [
      { key: { state: 1, next_poll_at: 1 }, name: 'due' },
      { key: { account_id: 1, created_at: -1 }, name: 'listing' },
      {
        key: { idempotency_key: 1 },
        name: 'idempotency',
        unique: true,
        partialFilterExpression: { idempotency_key: { $exists: true } },
      },
      { key: { 'lease.until': 1 }, name: 'lease' },
    ]
    run({ createIndexes: 'jobs', indexes })
    for (let from = 0; from < size; from += 5000) {
      const documents = Array.from({ length: 5000 }, (_, offset) => {
        const n = from + offset
        return {
          _id: `job_${n}`,
          state: n % 100 === 0 ? 'running' : 'settled',
          next_poll_at: new Date(n),
          account_id: `acc_${n % 500}`,
          created_at: new Date(n),
          ...(n % 10 === 0 && { idempotency_key: `key_${n}` }),
          lease: { until: n },
        }
      })
      run({ insert: 'jobs', documents })
    }
  })

  it('a lookup looks at what it gives and nothing else', () => {
    expect(examined(() => find('jobs', { _id: 'job_777' }))).toBe(1)
    expect(examined(() => find('jobs', { idempotency_key: 'key_770' }))).toBe(1)
    expect(examined(() => find('jobs', { 'lease.until': 4242 }))).toBe(1)
    expect(examined(() => find('jobs', { _id: { $in: ['job_1', 'job_2', 'job_9999999'] } }))).toBe(2)
    expect(examined(() => find('jobs', { account_id: 'acc_7' }))).toBe(100)
  })

  it('a due or listing query stops at its limit, in index order', () => {
    const due = { state: 'running', next_poll_at: { $lte: new Date(30_000) } }
    expect(
      examined(() => find('jobs', due, { sort: { next_poll_at: 1 }, limit: 20, singleBatch: true })),
    ).toBeLessThanOrEqual(21)
    expect(planOf('jobs', due, { next_poll_at: 1 })).toEqual({
      index: 'due',
      sorted: true,
      exact: true,
      reverse: false,
    })
    const page = find('jobs', { account_id: 'acc_3' }, { sort: { created_at: -1 }, limit: 5 })
    expect(page.map(({ _id }) => _id)).toEqual(['job_49503', 'job_49003', 'job_48503', 'job_48003', 'job_47503'])
    expect(planOf('jobs', { account_id: 'acc_3' }, { created_at: 1 })).toMatchObject({
      index: 'listing',
      sorted: true,
      reverse: true,
    })
    expect(examined(() => find('jobs', {}, { sort: { _id: -1 }, limit: 10, singleBatch: true }))).toBeLessThanOrEqual(
      11,
    )
  })

  it('alternatives are looked up one by one', () => {
    const either = { $or: [{ 'lease.until': { $lt: 3 } }, { _id: 'job_2' }, { idempotency_key: 'key_10' }] }
    expect(examined(() => expect(find('jobs', either)).toHaveLength(4))).toBe(5)
  })

  it('a partial index is used only where it holds every match', () => {
    expect(planOf('jobs', { idempotency_key: 'x' }).index).toBe('idempotency')
    expect(planOf('jobs', { idempotency_key: null }).index).toBeUndefined()
    expect(planOf('jobs', { idempotency_key: { $exists: false } }).index).toBeUndefined()
  })

  it('an index made afterwards has the documents that were there', () => {
    run({ createIndexes: 'jobs', indexes: [{ key: { created_at: 1 }, name: 'created' }] })
    expect(examined(() => expect(find('jobs', { created_at: { $gte: new Date(49_990) } })).toHaveLength(10))).toBe(10)
  })

  it('a scan without an index is limited in time', () => {
    expect(() => find('jobs', { nothing: 1 }, { maxTimeMS: 1 })).toThrow('operation exceeded time limit')
  })
})
