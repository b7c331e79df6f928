// The store as the rest of the code meets it: through mongoose, schemas and models.
import mongoose, { type Connection, Schema } from 'mongoose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withStore } from './with_store.ts'

const fixture = withStore()
let connection: Connection

beforeAll(async () => {
  connection = await mongoose.createConnection(fixture.store.uri, { useBigInt64: true }).asPromise()
})
afterAll(() => connection?.close())

const accounts = new Schema(
  {
    _id: String,
    email: { type: String, unique: true },
    available: { type: BigInt, required: true },
    holds: { type: Map, of: new Schema({ amount: BigInt, nonce: String }, { _id: false }) },
    seen_at: Date,
  },
  { collection: 'accounts', timestamps: true, optimisticConcurrency: true },
)
accounts.index({ seen_at: 1 }, { expireAfterSeconds: 3600 })
accounts.index({ available: 1, email: -1 }, { partialFilterExpression: { available: { $gt: 0 } } })

describe('mongoose', () => {
  it('makes the indexes of a schema and finds nothing to change the second time', async () => {
    const Account = connection.model('Account', accounts)
    await Account.init()
    expect(await Account.syncIndexes()).toEqual([])
    expect(await Account.diffIndexes()).toMatchObject({ toCreate: [], toDrop: [] })
    expect((await Account.collection.indexes()).map(({ name }) => name).sort()).toEqual([
      '_id_',
      'available_1_email_-1',
      'email_1',
      'seen_at_1',
    ])
    await Account.collection.createIndex({ stray: 1 })
    expect(await Account.syncIndexes()).toEqual(['stray_1'])
  })

  it('saves, validates and reads documents with BigInt beyond 2^53', async () => {
    const Account = connection.model('Account')
    await Account.create({
      _id: 'a',
      email: 'a@x',
      available: 9007199254740993n,
      holds: { J1: { amount: 5n, nonce: 'n' } },
    })
    const read = await Account.findById('a').orFail()
    expect(read.available).toBe(9007199254740993n)
    expect(read.holds.get('J1').amount).toBe(5n)
    read.available -= 3n
    await read.save()
    expect((await Account.findOne({ available: { $lt: 9007199254740991n } }))?.get('available')).toBe(9007199254740990n)
    await expect(Account.create({ _id: 'b', email: 'a@x', available: 0n })).rejects.toMatchObject({ code: 11000 })
    await expect(Account.create({ _id: 'c', email: 'c@x' })).rejects.toThrow('available')
    const stale = await Account.findById('a').orFail()
    await Account.updateOne({ _id: 'a' }, { $inc: { __v: 1 } })
    stale.email = 'z@x'
    await expect(stale.save()).rejects.toThrow(/No matching document|version/)
  })

  it('updates, claims, counts and reports', async () => {
    const Account = connection.model('Account')
    await Account.insertMany([
      { _id: 'm1', email: 'm1', available: 10n },
      { _id: 'm2', email: 'm2', available: 20n },
    ])
    const claimed = await Account.findOneAndUpdate(
      { available: { $gte: 10n, $lt: 100n } },
      { $inc: { available: -10n } },
      { sort: { available: 1 }, returnDocument: 'after' },
    )
    expect(claimed).toMatchObject({ id: 'm1', available: 0n })
    const bulk = await Account.bulkWrite([
      { updateOne: { filter: { _id: 'm2' }, update: { $inc: { available: 5n } } } },
      { updateOne: { filter: { _id: 'm3' }, update: { $set: { email: 'm3', available: 1n } }, upsert: true } },
    ])
    expect(bulk).toMatchObject({ modifiedCount: 1, upsertedCount: 1 })
    expect(await Account.countDocuments({ _id: /^m/ })).toBe(3)
    expect(await Account.exists({ email: 'm3' })).toMatchObject({ _id: 'm3' })
    expect((await Account.distinct('email', { _id: /^m/ })).sort()).toEqual(['m1', 'm2', 'm3'])
    const [report] = await Account.aggregate([
      { $match: { _id: /^m/ } },
      { $group: { _id: null, sum: { $sum: '$available' } } },
    ])
    expect(report.sum).toBe(26n)
    let seen = 0
    for await (const _ of Account.find().cursor({ batchSize: 2 })) seen++
    expect(seen).toBe(4)
  })
})
