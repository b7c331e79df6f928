// Documents through the real driver: writing, finding, changing, and the errors a caller can provoke.
import { Double, Int32, Long, ObjectId } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { withStore } from './with_store.ts'

const fixture = withStore()

describe('inserting', () => {
  it('gives back what was stored, with every type kept', async () => {
    const things = fixture.fresh()
    const document = {
      _id: 'a',
      long: 9007199254740993n,
      int: 5,
      double: 1.5,
      text: 'hé\0llo',
      date: new Date(1),
      list: [1, [2n], {}],
      nothing: null,
      id: new ObjectId(),
      nested: { $ref: 'x', b: true },
    }
    await things.insertOne(document)
    expect(await things.findOne({ _id: 'a' })).toEqual(document)
    const raw = await things.findOne({ _id: 'a' }, { promoteValues: false, useBigInt64: false })
    expect(raw?.long).toBeInstanceOf(Long)
    expect(raw?.int).toBeInstanceOf(Int32)
    expect(raw?.double).toBeInstanceOf(Double)
  })

  it('puts _id in front and makes one where there is none', async () => {
    const things = fixture.fresh()
    await things.insertOne({ z: 1, _id: 'last' } as never)
    expect(Object.keys((await things.findOne({ _id: 'last' })) ?? {})).toEqual(['_id', 'z'])
    const { insertedIds } = await things.insertMany([{ n: 1 }, { n: 2 }] as never[])
    expect(Object.keys(insertedIds)).toHaveLength(2)
    const upserted = await things.updateOne({ n: 3 }, { $set: { m: 1 } }, { upsert: true })
    expect(upserted.upsertedId).toBeInstanceOf(ObjectId)
  })

  it('names index, key and value of a duplicate', async () => {
    const things = fixture.fresh()
    await things.createIndex({ account: 1, 'key.id': 1 }, { unique: true })
    await things.insertOne({ _id: 1, account: 'a', key: { id: 5n } })
    await expect(things.insertOne({ _id: 2, account: 'a', key: { id: 5 } })).rejects.toMatchObject({
      code: 11000,
      message: `E11000 duplicate key error collection: ${things.namespace} index: account_1_key.id_1 dup key: { account: "a", key.id: 5 }`,
      keyPattern: { account: 1, 'key.id': 1 },
      keyValue: { account: 'a', 'key.id': 5 },
    })
    await expect(things.insertOne({ _id: 1 })).rejects.toMatchObject({ code: 11000, keyPattern: { _id: 1 } })
    expect(await things.countDocuments()).toBe(1)
  })

  it('stops at the first failure when ordered and goes on when not', async () => {
    const things = fixture.fresh()
    const documents = [{ _id: 1 }, { _id: 1 }, { _id: 2 }, { _id: 2 }, { _id: 3 }]
    await expect(things.insertMany(documents)).rejects.toMatchObject({ insertedCount: 1, writeErrors: [{ index: 1 }] })
    const unordered = things.insertMany(documents, { ordered: false })
    await expect(unordered).rejects.toMatchObject({
      insertedCount: 2,
      writeErrors: [{ index: 0 }, { index: 1 }, { index: 3 }],
    })
    expect(await things.countDocuments()).toBe(3)
  })

  it('carries many documents of many megabytes', async () => {
    const things = fixture.fresh()
    const text = 'x'.repeat(1_000_000)
    await things.insertMany(Array.from({ length: 30 }, (_, index) => ({ _id: index, text })))
    const found = await things.find().toArray()
    expect(found).toHaveLength(30)
    expect(found[29]?.text).toBe(text)
    await expect(things.updateOne({ _id: 1 }, { $set: { more: 'x'.repeat(16_000_000) } })).rejects.toMatchObject({
      code: 10334,
    })
  })
})

describe('changing', () => {
  it('adds to Int64 exactly, widens Int32 and refuses to overflow', async () => {
    const things = fixture.fresh()
    await things.insertOne({
      _id: 1,
      long: 9007199254740993n,
      int: 2147483647,
      most: 9223372036854775807n,
      double: 0.5,
    })
    await things.updateOne({ _id: 1 }, { $inc: { long: 1n, int: 1, double: 1n, fresh: 7n } })
    expect(await things.findOne({ _id: 1 })).toMatchObject({
      long: 9007199254740994n,
      int: 2147483648n,
      double: 1.5,
      fresh: 7n,
    })
    await expect(things.updateOne({ _id: 1 }, { $inc: { most: 1 } })).rejects.toMatchObject({ code: 2 })
    expect((await things.findOne({ _id: 1 }))?.most).toBe(9223372036854775807n)
    await expect(things.updateOne({ _id: 1 }, { $inc: { _id: 1 } })).rejects.toMatchObject({ code: 66 })
    await expect(things.updateOne({ _id: 1 }, { $inc: { long: 'x' } as never })).rejects.toMatchObject({ code: 14 })
  })

  it('filters Int64 beyond 2^53 exactly, whatever the type of the number asked for', async () => {
    const things = fixture.fresh()
    await things.insertMany([
      { _id: 1, n: 9007199254740992n },
      { _id: 2, n: 9007199254740993n },
      { _id: 3, n: 5 },
    ])
    const ids = async (filter: object) => (await things.find(filter).sort({ _id: 1 }).toArray()).map(({ _id }) => _id)
    for (const indexed of [false, true]) {
      if (indexed) await things.createIndex({ n: 1 })
      expect(await ids({ n: 9007199254740993n })).toEqual([2])
      expect(await ids({ n: { $gt: 9007199254740992n } })).toEqual([2])
      expect(await ids({ n: { $gt: new Double(9007199254740992) } })).toEqual([2])
      expect(await ids({ n: { $lte: 9007199254740992n } })).toEqual([1, 3])
      expect(await ids({ n: { $in: [5n, 9007199254740993n] } })).toEqual([2, 3])
    }
  })

  it('knows every update operator of the money protocol and its reports', async () => {
    const things = fixture.fresh()
    await things.insertOne({ _id: 1, list: [1, 2, 3], set: ['a'], low: 5, high: 5, gone: 1, deep: { a: [{ b: 1 }] } })
    await things.updateOne({ _id: 1 }, {
      $push: { list: { $each: [4, 5], $slice: -3 } },
      $addToSet: { set: { $each: ['a', 'b'] } },
      $min: { low: 3 },
      $max: { high: 9n },
      $unset: { gone: '' },
      $set: { 'deep.a.0.b': 2, 'deep.c.d': true },
      $currentDate: { at: true },
    } as never)
    const changed = await things.findOne({ _id: 1 })
    expect(changed).toMatchObject({
      list: [3, 4, 5],
      set: ['a', 'b'],
      low: 3,
      high: 9n,
      deep: { a: [{ b: 2 }], c: { d: true } },
    })
    expect(changed).not.toHaveProperty('gone')
    expect(changed?.at).toBeInstanceOf(Date)
    await things.updateOne({ _id: 1 }, { $pull: { list: { $gte: 4 }, 'deep.a': { b: 2 } } } as never)
    expect(await things.findOne({ _id: 1 })).toMatchObject({ list: [3], deep: { a: [] } })
  })

  it('counts what matched and what changed', async () => {
    const things = fixture.fresh()
    await things.insertMany([
      { _id: 1, n: 1 },
      { _id: 2, n: 1 },
      { _id: 3, n: 2 },
    ])
    expect(await things.updateMany({}, { $set: { n: 1 } })).toMatchObject({ matchedCount: 3, modifiedCount: 1 })
    expect(await things.updateOne({ n: 1 }, { $set: { m: 1 } })).toMatchObject({ matchedCount: 1, modifiedCount: 1 })
    expect(await things.replaceOne({ _id: 3 }, { other: true })).toMatchObject({ modifiedCount: 1 })
    expect(await things.findOne({ _id: 3 })).toEqual({ _id: 3, other: true })
    expect(await things.deleteOne({ n: 1 })).toMatchObject({ deletedCount: 1 })
    expect(await things.deleteMany({})).toMatchObject({ deletedCount: 2 })
  })

  it('upserts out of the filter and the update', async () => {
    const things = fixture.fresh()
    const result = await things.updateOne(
      { _id: 'w', $and: [{ kind: 'x' }], 'at.day': { $eq: 3 }, n: { $gt: 4 } },
      { $inc: { n: 2n }, $setOnInsert: { made: true } },
      { upsert: true },
    )
    expect(result).toMatchObject({ matchedCount: 0, upsertedCount: 1, upsertedId: 'w' })
    expect(await things.findOne()).toEqual({ _id: 'w', kind: 'x', at: { day: 3 }, n: 2n, made: true })
    const again = await things.updateOne({ _id: 'w' }, { $setOnInsert: { made: false } }, { upsert: true })
    expect(again).toMatchObject({ matchedCount: 1, modifiedCount: 0, upsertedCount: 0 })
  })

  it('finds and changes one document in one step', async () => {
    const things = fixture.fresh()
    await things.insertMany([
      { _id: 1, due: 3 },
      { _id: 2, due: 1 },
      { _id: 3, due: 2 },
    ])
    const claimed = await things.findOneAndUpdate(
      { due: { $lte: 2 } },
      { $set: { 'lease.owner': 'me' }, $inc: { 'lease.fence': 1 } },
      { sort: { due: -1 }, returnDocument: 'after', projection: { lease: 1 } },
    )
    expect(claimed).toEqual({ _id: 3, lease: { owner: 'me', fence: 1 } })
    expect(await things.findOneAndUpdate({ _id: 9 }, { $set: { a: 1 } })).toBeNull()
    expect(await things.findOneAndDelete({ _id: 1 })).toEqual({ _id: 1, due: 3 })
    expect(await things.findOneAndReplace({ _id: 2 }, { due: 7 })).toEqual({ _id: 2, due: 1 })
    const upserted = await things.findOneAndUpdate(
      { _id: 5 },
      { $set: { a: 1 } },
      { upsert: true, includeResultMetadata: true },
    )
    expect(upserted).toMatchObject({ value: null, lastErrorObject: { n: 1, updatedExisting: false, upserted: 5 } })
  })

  it('refuses conflicting, positional and unknown updates', async () => {
    const things = fixture.fresh()
    await things.insertOne({ _id: 1, a: { b: 1 }, s: 'text', list: [1], nothing: null })
    const failing: [object, number][] = [
      [{ $set: { a: 1, 'a.b': 2 } }, 40],
      [{ $set: { 'list.$': 1 } }, 2],
      [{ $set: { 's.x': 1 } }, 28],
      [{ $rename: { a: 'b' } }, 9],
      [{ $set: { _id: 2 } }, 66],
      [{ $push: { s: 1 } }, 2],
      [{ $push: { nothing: 1 } }, 2],
      [{ $addToSet: { nothing: 1 } }, 2],
      [{ $set: { a: { b: 2 } }, $unset: { 'a.b': '' } }, 40],
      [{ $inc: { nothing: 1 } }, 14],
    ]
    for (const [update, code] of failing) {
      await expect(things.updateOne({ _id: 1 }, update as never), JSON.stringify(update)).rejects.toMatchObject({
        code,
      })
    }
    await expect(things.updateOne({ _id: 1 }, [{ $set: { a: 1 } }])).rejects.toMatchObject({ code: 2 })
    await expect(things.updateMany({}, { $set: { a: 1 } }, { arrayFilters: [{ x: 1 }] })).rejects.toMatchObject({
      code: 40415,
    })
  })

  it('keeps mixed statements of a bulk write in order', async () => {
    const things = fixture.fresh()
    const result = await things.bulkWrite([
      { insertOne: { document: { _id: 1, n: 0n } } },
      { updateOne: { filter: { _id: 1 }, update: { $inc: { n: 5n } } } },
      { updateOne: { filter: { _id: 2 }, update: { $set: { n: 1n } }, upsert: true } },
      { updateMany: { filter: {}, update: { $inc: { n: 1n } } } },
      { deleteOne: { filter: { n: 2n } } },
    ])
    expect(result).toMatchObject({
      insertedCount: 1,
      matchedCount: 3,
      modifiedCount: 3,
      upsertedCount: 1,
      deletedCount: 1,
    })
    expect(await things.find().toArray()).toEqual([{ _id: 1, n: 6n }])
    const unordered = things.bulkWrite(
      [{ insertOne: { document: { _id: 1 } } }, { updateOne: { filter: { _id: 1 }, update: { $inc: { n: 1n } } } }],
      { ordered: false },
    )
    await expect(unordered).rejects.toMatchObject({ code: 11000 })
    expect(await things.findOne()).toEqual({ _id: 1, n: 7n })
  })
})

describe('a guarded change under load', () => {
  it('succeeds exactly as often as the credit allows', async () => {
    const accounts = fixture.fresh()
    await accounts.insertOne({ _id: 'a', available: 1000n, held: 0n, holds: {} })
    const hold = (job: number) =>
      accounts.updateOne(
        { _id: 'a', available: { $gte: 30n }, [`holds.J${job}`]: { $exists: false } },
        { $inc: { available: -30n, held: 30n }, $set: { [`holds.J${job}`]: { amount: 30n } } },
      )
    const results = await Promise.all(Array.from({ length: 100 }, (_, job) => hold(job)))
    expect(results.filter(({ modifiedCount }) => modifiedCount === 1)).toHaveLength(33)
    const account = await accounts.findOne({ _id: 'a' })
    expect(account).toMatchObject({ available: 10n, held: 990n })
    expect(Object.keys(account?.holds as object)).toHaveLength(33)
  })
})
