// Changes gathered in memory until the commit come out exactly as changes written one by one, and undone ones not at all.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { decodeDocument } from '../../../src/store/embedded/decode.ts'
import { encodeDocument } from '../../../src/store/embedded/encode.ts'
import { Engine } from '../../../src/store/embedded/engine.ts'
import type { Document } from '../../../src/store/embedded/values.ts'
import { raw_arrays } from '../../../src/store/embedded/wire.ts'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

function newEngine(): Engine {
  const folder = mkdtempSync(join(tmpdir(), 'write-back-'))
  folders.push(folder)
  return new Engine(folder, 'normal')
}

/** As the server runs it: from bytes to bytes. */
function run(engine: Engine, command: Document): Document {
  const sent = decodeDocument(encodeDocument(command), { raw_arrays })
  return decodeDocument(engine.run(sent, 'test', 1))
}

/** Every command and statement is a transaction of its own, and memory is emptied after each. */
function runPlainly(engine: Engine, command: Document): Document {
  const [name = ''] = Object.keys(command)
  const list =
    name === 'insert' ? 'documents' : name === 'update' ? 'updates' : name === 'delete' ? 'deletes' : undefined
  if (list === undefined) return runAlone(engine, command)
  const totals: Document & { n: number } = { n: 0 }
  const errors: Document[] = []
  const upserted: Document[] = []
  for (const [index, statement] of (command[list] as Document[]).entries()) {
    const answer = runAlone(engine, { ...command, [list]: [statement] })
    totals.n += answer.n as number
    if (answer.nModified !== undefined) totals.nModified = Number(totals.nModified ?? 0) + (answer.nModified as number)
    for (const error of (answer.writeErrors ?? []) as Document[]) errors.push({ ...error, index })
    for (const made of (answer.upserted ?? []) as Document[]) upserted.push({ ...made, index })
    if (answer.writeErrors !== undefined && command.ordered) break
  }
  return {
    ...totals,
    ...(errors.length > 0 && { writeErrors: errors }),
    ...(upserted.length > 0 && { upserted }),
  }
}

function runAlone(engine: Engine, command: Document): Document {
  const answer = run(engine, command)
  engine.commit()
  engine.catalog.reload()
  return answer
}

const tables = ['c1', 'i1', 'i2', 'i3', 'i4']

/** Every byte of every table, and what a scan and each index find. */
function everything(engine: Engine): unknown {
  const rows = tables.map((table) =>
    engine.storage
      .statement(`select * from ${table} order by 1, 2`)
      .all()
      .map((row) =>
        Object.values(row).map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value)),
      ),
  )
  return { rows, multikey: engine.catalog.find('test', 'things')?.indexes.map(({ multikey }) => multikey) }
}

function prepare(engine: Engine): void {
  run(engine, {
    createIndexes: 'things',
    indexes: [
      { key: { tag: 1 }, name: 'tag', unique: true, partialFilterExpression: { tag: { $exists: true } } },
      { key: { n: 1, 'deep.x': -1 }, name: 'n' },
      { key: { list: 1 }, name: 'list' },
      { key: { 'deep.owner': 1 }, name: 'owner', partialFilterExpression: { 'deep.owner': { $exists: true } } },
    ],
  })
  engine.commit()
}

const id = fc.constantFrom('a', 'b', 'c', 'd', 7, 7n)
const small = fc.integer({ min: 0, max: 3 })
const leaf = fc.oneof(
  small,
  small.map(BigInt),
  fc.constantFrom('', 'x', 'é', 9223372036854775807n, 1.5, null, true, new Date(5)),
)
const value = fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.dictionary(fc.constantFrom('x', 'y', 'owner'), leaf))
const path = fc.constantFrom('n', 'deep.x', 'deep.owner', 'deep', 'list', 'list.1', 'more', 'more.x.y', 'z', '_id')
const tag = fc.constantFrom('t1', 't2', 't3')

const operators = fc
  .record(
    {
      $set: fc.oneof(fc.dictionary(path, value, { minKeys: 1, maxKeys: 3 }), fc.record({ tag, n: small })),
      $unset: fc.dictionary(fc.oneof(path, fc.constant('tag')), fc.constant(''), { minKeys: 1, maxKeys: 2 }),
      $inc: fc.dictionary(path, fc.oneof(small, small.map(BigInt), fc.constant(2 ** 31 - 1)), {
        minKeys: 1,
        maxKeys: 2,
      }),
      $max: fc.dictionary(path, leaf, { minKeys: 1, maxKeys: 1 }),
      $push: fc.record({
        list: fc.oneof(leaf, fc.record({ $each: fc.array(leaf, { maxLength: 3 }), $slice: fc.constant(-2) })),
      }),
      $pull: fc.record({ list: leaf }),
      $addToSet: fc.record({ more: leaf }),
    },
    { requiredKeys: [] },
  )
  .filter((update) => Object.keys(update).length > 0)
const replacement = fc.record({ n: leaf, tag, deep: value }, { requiredKeys: ['n'] })
const filter: fc.Arbitrary<Document> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ _id: id }) },
  { weight: 2, arbitrary: fc.record({ _id: id, n: small }) },
  fc.record({ _id: fc.record({ $in: fc.array(id, { maxLength: 4 }) }) }),
  fc.record({ n: small }),
  fc.record({ tag }),
  fc.record({ list: leaf }),
  fc.constant({}),
)
const change = fc.oneof({ weight: 5, arbitrary: operators }, replacement)
/** An upsert names its `_id`: one made by the store would be another each time. */
const update = fc.oneof(
  fc.record({ q: filter, u: operators, multi: fc.boolean() }),
  fc.record({ q: fc.record({ _id: id }), u: change, upsert: fc.boolean() }),
)
const document = fc.record({ _id: id, n: leaf, tag, deep: value, list: value }, { requiredKeys: ['_id'] })
const ordered = fc.boolean()

const command: fc.Arbitrary<Document> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      insert: fc.constant('things'),
      documents: fc.array(document, { minLength: 1, maxLength: 4 }),
      ordered,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      update: fc.constant('things'),
      updates: fc.array(update, { minLength: 1, maxLength: 6 }),
      ordered,
    }),
  },
  fc.record({
    delete: fc.constant('things'),
    deletes: fc.array(fc.record({ q: filter, limit: fc.constantFrom(0, 1) }), { minLength: 1, maxLength: 2 }),
    ordered,
  }),
  fc.record({
    findAndModify: fc.constant('things'),
    query: filter,
    update: operators,
    new: fc.boolean(),
    sort: fc.constant({ _id: 1 }),
  }),
  fc.record({
    find: fc.constant('things'),
    filter,
    sort: fc.constant({ _id: 1 }),
    projection: fc.constantFrom({}, { deep: 1 }, { list: 0 }),
  }),
  fc.record({ count: fc.constant('things'), query: filter }),
)

/** What the server does to the answer of a whole command that the plain way cannot: `ok`, and fields of nothing. */
function comparable({ ok: _, ...answer }: Document): Document {
  return answer
}

describe('changes kept in memory until the commit', () => {
  it('answer, and end in the tables, exactly as if each had been written at once', { timeout: 60_000 }, () => {
    const transaction = fc.array(command, { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(fc.array(transaction, { minLength: 1, maxLength: 4 }), (transactions) => {
        const [gathering, plain] = [newEngine(), newEngine()]
        for (const engine of [gathering, plain]) prepare(engine)
        for (const commands of transactions) {
          const answers = commands.map((each) => comparable(run(gathering, each)))
          gathering.commit()
          expect(answers).toEqual(commands.map((each) => comparable(runPlainly(plain, each))))
          expect(everything(gathering)).toEqual(everything(plain))
        }
        for (const engine of [gathering, plain]) engine.close()
      }),
      { numRuns: 60 },
    )
  })

  it('are gone, in memory too, when the transaction is undone', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 5 }),
        fc.array(command, { maxLength: 5 }),
        command,
        (before, undone, after) => {
          const [gathering, plain] = [newEngine(), newEngine()]
          for (const engine of [gathering, plain]) prepare(engine)
          for (const each of before) run(gathering, each)
          gathering.commit()
          for (const each of undone) run(gathering, each)
          gathering.rollback()
          for (const each of before) runPlainly(plain, each)
          expect(comparable(run(gathering, after))).toEqual(comparable(runPlainly(plain, after)))
          gathering.commit()
          expect(everything(gathering)).toEqual(everything(plain))
          for (const engine of [gathering, plain]) engine.close()
        },
      ),
      { numRuns: 30 },
    )
  })

  it('are written though they are of more documents than memory keeps', () => {
    const engine = newEngine()
    prepare(engine)
    const ids = Array.from({ length: 1500 }, (_, index) => `id_${index}`)
    run(engine, { insert: 'things', documents: ids.map((_id) => ({ _id, n: 0 })) })
    const updates = ids.map((_id) => ({ q: { _id }, u: { $inc: { n: 1 } } }))
    for (let round = 0; round < 2; round++) run(engine, { update: 'things', updates })
    run(engine, { update: 'things', updates: [{ q: { _id: { $in: ids } }, u: { $inc: { n: 1 } }, multi: true }] })
    engine.commit()
    expect(run(engine, { count: 'things', query: { n: 3 } }).n).toBe(1500)
    expect(run(engine, { count: 'things', query: { _id: { $gte: '' }, n: 3 } }).n).toBe(1500)
    engine.close()
  })

  it('refuse the statement that makes a document too large, and that one alone', () => {
    const engine = newEngine()
    prepare(engine)
    run(engine, { insert: 'things', documents: [{ _id: 1, texts: [] }] })
    const u = { $push: { texts: 'x'.repeat(3_000_000) }, $inc: { n: 1 } }
    const updates = Array.from({ length: 7 }, () => ({ q: { _id: 1 }, u }))
    const answer = run(engine, { update: 'things', updates, ordered: false })
    engine.commit()
    expect(answer).toMatchObject({
      n: 5,
      writeErrors: [
        { index: 5, code: 10334 },
        { index: 6, code: 10334 },
      ],
    })
    const found = run(engine, { find: 'things', filter: {}, projection: { n: 1 } })
    expect(found).toMatchObject({ cursor: { firstBatch: [{ _id: 1, n: 5 }] } })
    engine.close()
  })
})
