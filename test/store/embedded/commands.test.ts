// Commands beyond documents: cursors, indexes, listing, and MongoDB's own errors for what the store does not know.

import { statSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { deserialize, serialize } from 'bson'
import { MongoClient } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { client_options, withStore } from './with_store.ts'

const fixture = withStore({ tcp_port: 0, ttl_interval_ms: 30 })

describe('cursors', () => {
  it('give every document once, in batches, while others write', async () => {
    const things = fixture.fresh()
    await things.createIndex({ n: 1 })
    await things.insertMany(Array.from({ length: 1000 }, (_, n) => ({ _id: n, n: n % 10 })))
    for (const sort of [undefined, { n: 1 as const, _id: 1 as const }, { n: -1 as const }]) {
      const cursor = things.find({ n: { $gte: 0 } }, { batchSize: 37, ...(sort && { sort }) })
      const seen = new Set<unknown>()
      for await (const document of cursor) {
        seen.add(document._id)
        if (seen.size % 100 === 0) await things.updateOne({ _id: document._id }, { $set: { touched: true } })
      }
      expect(seen.size).toBe(1000)
    }
  })

  it('end when killed, and are not found afterwards', async () => {
    const things = fixture.fresh()
    await things.insertMany(Array.from({ length: 50 }, (_, n) => ({ _id: n })))
    const opened = await fixture.db.command({ find: things.collectionName, batchSize: 10 })
    const id = opened.cursor.id
    expect(opened.cursor.firstBatch).toHaveLength(10)
    const more = await fixture.db.command({ getMore: id, collection: things.collectionName, batchSize: 15 })
    expect(more.cursor.nextBatch.map(({ _id }: { _id: number }) => _id)).toEqual(
      Array.from({ length: 15 }, (_, n) => n + 10),
    )
    const killed = await fixture.db.command({ killCursors: things.collectionName, cursors: [id] })
    expect(killed.cursorsKilled).toEqual([id])
    const gone = fixture.db.command({ getMore: id, collection: things.collectionName })
    await expect(gone).rejects.toMatchObject({ code: 43, codeName: 'CursorNotFound' })
  })

  it('sort by type and value, skip, limit and project', async () => {
    const things = fixture.fresh()
    await things.insertMany([
      { _id: 1, v: 'b', a: { b: 1, c: 2 } },
      { _id: 2, v: 10n },
      { _id: 3, v: null },
      { _id: 4, v: 2.5 },
      { _id: 5 },
      { _id: 6, v: [7, 1] },
      { _id: 7, v: 'a' },
      { _id: 8, v: true },
      { _id: 9, v: new Date(0) },
    ])
    const ids = async (direction: 1 | -1) =>
      (await things.find().sort({ v: direction, _id: 1 }).toArray()).map(({ _id }) => _id)
    expect(await ids(1)).toEqual([3, 5, 6, 4, 2, 7, 1, 8, 9])
    expect(await ids(-1)).toEqual([9, 8, 1, 7, 2, 6, 4, 3, 5])
    const page = await things.find().sort({ _id: -1 }).skip(2).limit(3).project({ _id: 1 }).toArray()
    expect(page).toEqual([{ _id: 7 }, { _id: 6 }, { _id: 5 }])
    expect(await things.findOne({ _id: 1 }, { projection: { 'a.b': 1, _id: 0 } })).toEqual({ a: { b: 1 } })
    expect(await things.findOne({ _id: 1 }, { projection: { 'a.b': 0, v: 0 } })).toEqual({ _id: 1, a: { c: 2 } })
  })
})

describe('filters', () => {
  it('mean what they mean in MongoDB', async () => {
    const things = fixture.fresh()
    await things.insertMany([
      {
        _id: 1,
        n: 5,
        tags: ['a', 'b'],
        deep: [
          { x: 1, y: 2 },
          { x: 3, y: 4 },
        ],
        s: 'Hello',
      },
      { _id: 2, n: 7n, tags: [], s: 'world', gone: null },
      { _id: 3, n: 5.5, tags: 'a', deep: { x: 1, y: 4 } },
      { _id: 4, n: Number.NaN, tags: [['a']], s: 5 },
    ])
    const cases: [object, number[]][] = [
      [{ n: 5n }, [1]],
      [{ n: { $gt: 5 } }, [2, 3]],
      [{ n: { $lt: 100 } }, [1, 2, 3]],
      [{ n: { $gt: 'a' } }, []],
      [{ n: Number.NaN }, [4]],
      [{ tags: 'a' }, [1, 3]],
      [{ tags: ['a', 'b'] }, [1]],
      [{ tags: [] }, [2]],
      [{ tags: ['a'] }, [4]],
      [{ tags: { $size: 2 } }, [1]],
      [{ tags: { $all: ['a', 'b'] } }, [1]],
      [{ tags: { $in: ['b', 'z'] } }, [1]],
      [{ tags: { $nin: ['a'] } }, [2, 4]],
      [{ tags: { $ne: 'a' } }, [2, 4]],
      [{ gone: null }, [1, 2, 3, 4]],
      [{ gone: { $exists: true } }, [2]],
      [{ deep: { $exists: false } }, [2, 4]],
      [{ 'deep.x': 3 }, [1]],
      [{ 'deep.x': 1, 'deep.y': 4 }, [1, 3]],
      [{ deep: { $elemMatch: { x: 1, y: 4 } } }, []],
      [{ deep: { $elemMatch: { x: 3, y: { $gt: 3 } } } }, [1]],
      [{ 'deep.0.x': 1 }, [1]],
      [{ 'deep.y': null }, [2, 4]],
      [{ s: /^h/i }, [1]],
      [{ s: { $regex: 'O', $options: 'i' } }, [1, 2]],
      [{ s: { $not: /^h/i } }, [2, 3, 4]],
      [{ s: { $type: 'string' } }, [1, 2]],
      [{ n: { $type: 'number' } }, [1, 2, 3, 4]],
      [{ n: { $type: 'long' } }, [2]],
      [{ $or: [{ n: 5 }, { s: 'world' }] }, [1, 2]],
      [{ $nor: [{ n: 5 }, { s: 'world' }] }, [3, 4]],
      [{ $and: [{ n: { $gte: 5 } }, { n: { $lte: 5.5 } }] }, [1, 3]],
      [{ n: { $not: { $gt: 5 } } }, [1, 4]],
      [{ constructor: { $exists: true } }, []],
    ]
    for (const [filter, ids] of cases) {
      const found = await things.find(filter, { sort: { _id: 1 } }).toArray()
      expect(
        found.map(({ _id }) => _id),
        inspect(filter),
      ).toEqual(ids)
    }
    expect(await things.distinct('tags')).toEqual(['a', 'b', ['a']])
    expect(await things.countDocuments({ n: { $gte: 5 } })).toBe(3)
    expect(await things.estimatedDocumentCount()).toBe(4)
  })
})

describe('indexes', () => {
  it('are listed, repeated without harm, and guarded against contradiction', async () => {
    const things = fixture.fresh()
    await things.insertOne({ _id: 1, a: 1 })
    const specs = [
      { key: { a: 1 as const }, name: 'by_a', unique: true },
      { key: { a: 1 as const, b: -1 as const }, name: 'a_1_b_-1' },
      { key: { at: 1 as const }, name: 'at_1', expireAfterSeconds: 5 },
      { key: { p: 1 as const }, name: 'p_1', unique: true, partialFilterExpression: { p: { $exists: true } } },
    ]
    await things.createIndexes(specs)
    await things.createIndexes(specs)
    expect(await things.indexes()).toEqual([
      { v: 2, key: { _id: 1 }, name: '_id_' },
      ...specs.map((spec) => ({ v: 2, ...spec })),
    ])
    await expect(things.createIndex({ a: 1 }, { name: 'by_a' })).rejects.toMatchObject({ code: 85 })
    await expect(things.createIndex({ b: 1 }, { name: 'by_a' })).rejects.toMatchObject({ code: 86 })
    await expect(things.createIndex({ a: 'text' })).rejects.toMatchObject({ code: 67 })
    await expect(things.createIndex({ a: 1, z: 1 }, { collation: { locale: 'en' } })).rejects.toMatchObject({
      code: 72,
    })
    await things.dropIndex('by_a')
    await things.insertOne({ _id: 2, a: 1 })
    await expect(things.createIndex({ a: 1 }, { unique: true })).rejects.toMatchObject({ code: 11000 })
    expect((await things.indexes()).map(({ name }) => name)).not.toContain('a_1')
    await expect(fixture.db.collection('nowhere').dropIndex('x')).rejects.toMatchObject({ code: 26 })
  })

  it('hold a partial uniqueness only where it applies', async () => {
    const things = fixture.fresh()
    await things.createIndex({ key: 1 }, { unique: true, partialFilterExpression: { key: { $type: 'string' } } })
    await things.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3, key: 'k' }])
    await expect(things.insertOne({ _id: 4, key: 'k' })).rejects.toMatchObject({ code: 11000 })
    await things.updateOne({ _id: 3 }, { $unset: { key: '' } })
    await things.insertOne({ _id: 4, key: 'k' })
    await expect(things.updateOne({ _id: 1 }, { $set: { key: 'k' } })).rejects.toMatchObject({ code: 11000 })
  })

  it('let documents expire', async () => {
    const things = fixture.fresh()
    await things.createIndex({ at: 1 }, { expireAfterSeconds: 10 })
    await things.insertMany([
      { _id: 'old', at: new Date(Date.now() - 11_000) },
      { _id: 'list', at: [new Date(), new Date(0)] },
      { _id: 'new', at: new Date() },
      { _id: 'none' },
      { _id: 'text', at: 'long ago' },
    ])
    await expect.poll(() => things.distinct('_id')).toEqual(['new', 'none', 'text'])
  })

  it('accept a hint that names one and refuse another', async () => {
    const things = fixture.fresh()
    await things.createIndex({ a: 1 })
    expect(await things.find({ a: 1 }, { hint: { a: 1 } }).toArray()).toEqual([])
    await expect(things.find({ a: 1 }, { hint: 'b_1' }).toArray()).rejects.toMatchObject({ code: 2 })
  })
})

describe('what the store is and is not', () => {
  it('says it is a standalone with sessions', async () => {
    const hello = await fixture.db.command({ hello: 1 })
    expect(hello).toMatchObject({ isWritablePrimary: true, logicalSessionTimeoutMinutes: 30, readOnly: false })
    expect(hello).not.toHaveProperty('setName')
    expect(await fixture.db.admin().ping()).toEqual({ ok: 1 })
    expect(await fixture.db.admin().buildInfo()).toMatchObject({ version: '7.0.0' })
    expect(await fixture.db.command({ connectionStatus: 1 })).toMatchObject({ ok: 1 })
    const session = fixture.client.startSession()
    await fixture.fresh().insertOne({ _id: 1 }, { session })
    session.startTransaction()
    await expect(fixture.fresh().insertOne({ _id: 1 }, { session })).rejects.toMatchObject({
      originalError: { code: 20, message: 'Transaction numbers are only allowed on a replica set member or mongos' },
    })
    await session.endSession()
  })

  it("answers what it does not know with MongoDB's errors", async () => {
    const things = fixture.fresh()
    await things.insertOne({ _id: 1, a: 1 })
    const name = things.collectionName
    const failing: [object, number][] = [
      [{ mapReduce: name }, 59],
      [{ find: name, filter: { a: { $near: 1 } } }, 2],
      [{ find: name, filter: { $where: '1' } }, 2],
      [{ find: name, collation: { locale: 'en' } }, 40415],
      [{ find: name, let: { a: 1 } }, 40415],
      [{ aggregate: name, pipeline: [{ $lookup: {} }], cursor: {} }, 40324],
      [{ aggregate: name, pipeline: [{ $project: { a: { $pow: [2, 2] } } }], cursor: {} }, 168],
      [{ aggregate: name, pipeline: [{ $group: { _id: 1, a: { $top: 1 } } }], cursor: {} }, 15952],
      [{ create: name }, 48],
      [{ drop: 'nowhere' }, 26],
      [{ insert: name, documents: [] }, 16],
      [{ find: name, maxTimeMS: 1, sort: { a: 'x' } }, 2],
    ]
    for (const [command, code] of failing) {
      await expect(fixture.db.command(command), JSON.stringify(command)).rejects.toMatchObject({ code })
    }
    await expect(fixture.db.command({ bogus: 1 })).rejects.toMatchObject({
      codeName: 'CommandNotFound',
      message: "no such command: 'bogus'",
    })
  })

  it('refuses a command that is longer than a document may be, and serves the connection on', async () => {
    const things = fixture.fresh()
    const updates = ['a', 'b', 'c'].map((_id) => ({ q: { _id }, u: { $set: { text: 'x'.repeat(5_700_000) } } }))
    await expect(fixture.db.command({ update: things.collectionName, updates })).rejects.toMatchObject({
      code: 10334,
    })
    expect(await things.countDocuments()).toBe(0)
  })

  it('lists, measures and drops databases and collections', async () => {
    const other = fixture.client.db('other')
    await other.createCollection('one')
    await other.collection('two').insertOne({ a: 1 })
    expect((await other.listCollections().toArray()).map(({ name }) => name)).toEqual(['one', 'two'])
    expect(await other.listCollections({ name: 'two' }, { nameOnly: true }).toArray()).toHaveLength(1)
    expect((await other.admin().listDatabases()).databases.map(({ name }) => name)).toContain('other')
    expect(await other.stats()).toMatchObject({ db: 'other', collections: 2, objects: 1 })
    expect(await other.command({ collStats: 'two' })).toMatchObject({ count: 1, nindexes: 1 })
    await other.collection('two').drop()
    expect(await other.collection('two').countDocuments()).toBe(0)
    await other.dropDatabase()
    expect((await other.admin().listDatabases()).databases.map(({ name }) => name)).not.toContain('other')
  })

  it('serves its socket to its owner only, and TCP on loopback when asked', async () => {
    expect(statSync(join(fixture.data_dir, 'store.sock')).mode & 0o777).toBe(0o600)
    expect(statSync(join(fixture.data_dir, 'store.sqlite')).mode & 0o777).toBe(0o600)
    const uri = `mongodb://127.0.0.1:${fixture.store.tcp_port}/switchyard`
    const client = await new MongoClient(uri, client_options).connect()
    expect(await client.db().command({ ping: 1 })).toEqual({ ok: 1 })
    await client.close()
  })

  it('waits for nobody who asked for no answer', async () => {
    const things = fixture.fresh()
    await things.insertOne({ _id: 1 }, { writeConcern: { w: 0 } })
    await expect.poll(() => things.countDocuments()).toBe(1)
    await things.updateOne({ _id: 1 }, { $set: { a: 1 } }, { writeConcern: { w: 'majority', j: true } })
    expect(await things.findOne({}, { readConcern: 'majority' })).toEqual({ _id: 1, a: 1 })
  })

  it('greets drivers that still ask by OP_QUERY, and drops a stream that is no message', async () => {
    const path = join(fixture.data_dir, 'store.sock')
    const query = Buffer.concat([
      Buffer.alloc(4),
      Buffer.from('admin.$cmd\0'),
      Buffer.alloc(8),
      serialize({ isMaster: 1 }),
    ])
    const head = Buffer.alloc(16)
    head.writeInt32LE(16 + query.length, 0)
    head.writeInt32LE(77, 4)
    head.writeInt32LE(2004, 12)
    const answer = await exchange(path, Buffer.concat([head, query]))
    expect(answer.readInt32LE(8)).toBe(77)
    expect(deserialize(answer.subarray(36))).toMatchObject({ ismaster: true, ok: 1 })
    expect(await exchange(path, Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toHaveLength(0)
  })
})

/** What comes back first, or nothing when the connection is closed. */
function exchange(path: string, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = createConnection(path, () => socket.write(bytes))
    socket.once('data', (data) => {
      resolve(data)
      socket.destroy()
    })
    socket.once('close', () => resolve(Buffer.alloc(0)))
  })
}
