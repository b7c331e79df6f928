// What the simulation's store and the real one must answer alike, for whatever the router asks of them: the simulation
// proves something only while its store behaves as the real one does.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isDuplicate, isOutcomeUnknown, update } from '../../src/ledger/writes.ts'
import type { Store } from '../../src/store/connect.ts'
import { testStore } from '../support/store.ts'
import { MemoryServer } from './memory_store.ts'

interface Opened {
  store: Store
  close(): Promise<void> | void
}

const KINDS: [string, () => Promise<Opened>][] = [
  ['the real store', testStore],
  [
    'the store of the simulation',
    async () => {
      const server = new MemoryServer()
      return { store: server.store('contract'), close: () => server.close() }
    },
  ],
]

const AMOUNT = 9_007_199_254_740_993n

describe.each(KINDS)('%s', (_name, open) => {
  let opened: Opened
  let store: Store
  beforeAll(async () => {
    opened = await open()
    store = opened.store
    const accounts = ['a', 'b', 'c'].map((_id, index) => ({ _id, available: AMOUNT, held: BigInt(index), holds: {} }))
    await store.accounts.insertMany(accounts as never)
  })
  afterAll(() => opened.close())

  const caught = (act: Promise<unknown>) => act.then(() => undefined).catch((error: unknown) => error)

  it('keeps amounts exact and tells what is not there', async () => {
    expect(await store.accounts.findOne({ _id: 'a' })).toEqual({ _id: 'a', available: AMOUNT, held: 0n, holds: {} })
    expect(await store.accounts.findOne({ _id: 'nobody' })).toBeNull()
  })

  it('says of a second insert that the document is there, alone and among others', async () => {
    const alone = await caught(store.accounts.insertOne({ _id: 'a' } as never))
    const many = await caught(store.accounts.insertMany([{ _id: 'a' }, { _id: 'd' }] as never, { ordered: false }))
    expect([alone, many].map(isDuplicate)).toEqual([true, true])
    expect([alone, many].map(isOutcomeUnknown)).toEqual([false, false])
    expect(await store.accounts.deleteOne({ _id: 'd' })).toMatchObject({ deletedCount: 1 })
  })

  it('carries out each statement of a command by itself, and counts those that match', async () => {
    const more = (_id: string, n: bigint, amount: bigint) => ({
      q: { _id, available: { $gte: n }, 'holds.j': { $exists: false } },
      u: { $inc: { available: -amount, held: amount }, $set: { 'holds.j': { amount, nonce: 'n' } } },
    })
    const statements = [more('a', AMOUNT, 3n), more('b', AMOUNT + 1n, 3n), more('c', 0n, -(2n ** 62n))]
    // The third goes beyond an Int64: it is refused, and the others are not.
    expect(await update(store.database, 'accounts', [...statements, more('c', 0n, -(2n ** 63n))])).toBe(2)
    const [a, b] = await store.accounts
      .find({ _id: { $in: ['a', 'b'] } }, { projection: { available: 1, 'holds.j': 1 } })
      .sort({ _id: 1 })
      .toArray()
    expect(a).toEqual({ _id: 'a', available: AMOUNT - 3n, holds: { j: { amount: 3n, nonce: 'n' } } })
    expect(b).toEqual({ _id: 'b', available: AMOUNT, holds: {} })
    const taken = [{ q: { _id: 'a', 'holds.j.nonce': 'n', 'holds.j.amount': 3n }, u: { $unset: { 'holds.j': '' } } }]
    expect(await update(store.database, 'accounts', taken)).toBe(1)
    expect(await update(store.database, 'accounts', taken)).toBe(0)
  })

  it('tells matches, changes and what was made of an upsert', async () => {
    const at = new Date(1_795_000_000_000)
    const beat = { $set: { alive_until: at }, $setOnInsert: { started_at: at } }
    const upsert = { upsert: true }
    expect(await store.routers.updateOne({ _id: 'r' }, beat, upsert)).toMatchObject({
      matchedCount: 0,
      upsertedCount: 1,
    })
    expect(await store.routers.updateOne({ _id: 'r' }, beat, upsert)).toMatchObject({
      matchedCount: 1,
      upsertedCount: 0,
    })
    expect(await store.routers.find({ alive_until: { $lte: at } }).toArray()).toEqual([
      { _id: 'r', alive_until: at, started_at: at },
    ])
    expect(await store.routers.updateMany({}, { $set: { timings: [] } })).toMatchObject({ matchedCount: 1 })
    expect(await store.routers.countDocuments({ timings: { $size: 0 } })).toBe(1)
    expect(await store.routers.deleteMany({})).toMatchObject({ deletedCount: 1 })
  })

  it('sorts, limits, groups and goes through what it finds', async () => {
    const found = await store.accounts
      .find({}, { projection: { _id: 1 } })
      .sort({ _id: -1 })
      .limit(2)
      .toArray()
    expect(found).toEqual([{ _id: 'c' }, { _id: 'b' }])
    const names: string[] = []
    for await (const { _id } of store.accounts.find({ _id: { $lt: 'c' } }).sort({ _id: 1 })) names.push(_id)
    expect(names).toEqual(['a', 'b'])
    const group = { $group: { _id: '$kind', most: { $sum: '$available' }, count: { $sum: 1 } } }
    const sums = await store.accounts.aggregate([{ $match: { _id: { $in: ['a', 'b'] } } }, group]).toArray()
    expect(sums).toEqual([{ _id: null, most: AMOUNT * 2n - 3n, count: 2 }])
  })

  it('refuses what it does not know with a reason, not with an unknown outcome', async () => {
    const error = await caught(store.accounts.find({ $where: 'true' } as never).toArray())
    expect(error).toBeInstanceOf(Error)
    expect(isOutcomeUnknown(error)).toBe(false)
  })
})
