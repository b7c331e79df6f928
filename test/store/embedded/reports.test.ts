// Aggregation as the router's reports use it: exact sums, groups by day, and pipelines that begin with an index.
import { describe, expect, it } from 'vitest'
import { withStore } from './with_store.ts'

const fixture = withStore()
const day = (text: string): Date => new Date(`${text}Z`)

async function entries() {
  const things = fixture.fresh()
  await things.insertMany([
    {
      _id: 1,
      account: 'a',
      amount: 9007199254740993n,
      at: day('2026-11-01T10:00:00'),
      legs: [
        { to: 'x', d: 1n },
        { to: 'y', d: 2n },
      ],
    },
    { _id: 2, account: 'a', amount: 2n, at: day('2026-11-01T23:59:59.999'), legs: [{ to: 'x', d: 3n }] },
    { _id: 3, account: 'b', amount: 5n, at: day('2026-11-02T00:00:00'), legs: [] },
    { _id: 4, account: 'b', amount: 7n, at: day('2026-12-31T12:00:00') },
  ])
  return things
}

describe('a report', () => {
  it('sums Int64 exactly beyond 2^53', async () => {
    const things = await entries()
    const sums = await things
      .aggregate([
        { $group: { _id: '$account', total: { $sum: '$amount' }, n: { $sum: 1 }, count: { $count: {} } } },
        { $sort: { _id: 1 } },
      ])
      .toArray()
    expect(sums).toEqual([
      { _id: 'a', total: 9007199254740995n, n: 2, count: 2 },
      { _id: 'b', total: 12n, n: 2, count: 2 },
    ])
  })

  it('refuses to overflow Int64 rather than round', async () => {
    const things = fixture.fresh()
    await things.insertMany([
      { _id: 1, n: 9223372036854775807n },
      { _id: 2, n: 1n },
    ])
    const sum = things.aggregate([{ $group: { _id: null, n: { $sum: '$n' } } }]).toArray()
    await expect(sum).rejects.toMatchObject({ code: 2 })
  })

  it('groups by day and month', async () => {
    const things = await entries()
    const days = await things
      .aggregate([
        { $match: { amount: { $lt: 100n } } },
        { $group: { _id: { $dateToString: { date: '$at', format: '%Y-%m-%d' } }, total: { $sum: '$amount' } } },
        { $sort: { _id: 1 } },
      ])
      .toArray()
    expect(days.map(({ _id, total }) => [_id, total])).toEqual([
      ['2026-11-01', 2n],
      ['2026-11-02', 5n],
      ['2026-12-31', 7n],
    ])
    const months = await things
      .aggregate([
        { $group: { _id: { $dateTrunc: { date: '$at', unit: 'month' } }, n: { $sum: 1 } } },
        { $sort: { _id: -1 } },
      ])
      .toArray()
    expect(months).toEqual([
      { _id: day('2026-12-01T00:00:00'), n: 1 },
      { _id: day('2026-11-01T00:00:00'), n: 3 },
    ])
  })

  it('accumulates the other ways', async () => {
    const things = await entries()
    const [all] = await things
      .aggregate([
        { $sort: { _id: 1 } },
        {
          $group: {
            _id: null,
            first: { $first: '$_id' },
            last: { $last: '$_id' },
            least: { $min: '$amount' },
            most: { $max: '$amount' },
            mean: { $avg: '$_id' },
            accounts: { $addToSet: '$account' },
            ids: { $push: { id: '$_id' } },
          },
        },
      ])
      .toArray()
    expect(all).toEqual({
      _id: null,
      first: 1,
      last: 4,
      least: 2n,
      most: 9007199254740993n,
      mean: 2.5,
      accounts: ['a', 'b'],
      ids: [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }],
    })
  })

  it('unwinds, counts, skips and limits', async () => {
    const things = await entries()
    const legs = await things
      .aggregate([{ $unwind: '$legs' }, { $group: { _id: '$legs.to', d: { $sum: '$legs.d' } } }, { $sort: { _id: 1 } }])
      .toArray()
    expect(legs).toEqual([
      { _id: 'x', d: 4n },
      { _id: 'y', d: 2n },
    ])
    const kept = await things
      .aggregate([{ $unwind: { path: '$legs', preserveNullAndEmptyArrays: true } }, { $count: 'n' }])
      .toArray()
    expect(kept).toEqual([{ n: 5 }])
    const page = await things
      .aggregate([{ $sort: { _id: -1 } }, { $skip: 1 }, { $limit: 2 }, { $project: { _id: 1 } }])
      .toArray()
    expect(page).toEqual([{ _id: 3 }, { _id: 2 }])
    expect(await things.countDocuments({ account: 'a' }, { skip: 1, limit: 5 })).toBe(1)
  })

  // Written apart from the list: the linter takes an object with a `then` for a promise.
  const choice = (words: string): object => JSON.parse(words)

  it('computes fields', async () => {
    const things = fixture.fresh()
    await things.insertOne({
      _id: 1,
      a: 7n,
      b: 2,
      list: [1, 2, 3],
      o: { x: 1, y: 2n },
      s: 'a',
      at: day('2026-11-05T01:02:03'),
    })
    const expressions: [unknown, unknown][] = [
      [{ $add: ['$a', '$b'] }, 9n],
      [{ $subtract: ['$a', 10] }, -3n],
      [{ $multiply: ['$a', '$b', 3] }, 42n],
      [{ $divide: ['$a', '$b'] }, 3.5],
      [{ $cond: [{ $gt: ['$a', 5] }, 'big', 'small'] }, 'big'],
      [choice('{"$cond":{"if":{"$in":[9,"$list"]},"then":1,"else":"$missing"}}'), undefined],
      [{ $ifNull: ['$missing', '$s'] }, 'a'],
      [choice('{"$switch":{"branches":[{"case":{"$eq":["$b",2]},"then":"two"}],"default":"other"}}'), 'two'],
      [{ $and: [true, { $not: [{ $lte: ['$a', 5] }] }] }, true],
      [{ $or: [{ $ne: ['$b', 2] }, 0] }, false],
      [{ $concat: ['$s', '-', { $toString: '$a' }] }, 'a-7'],
      [{ $toLong: '12' }, 12n],
      [{ $size: '$list' }, 3],
      [{ $arrayElemAt: ['$list', -1] }, 3],
      [{ $literal: '$a' }, '$a'],
      [
        { $objectToArray: '$o' },
        [
          { k: 'x', v: 1 },
          { k: 'y', v: 2n },
        ],
      ],
      [{ $sum: '$list' }, 6],
      [{ $max: ['$a', '$b'] }, 7n],
      ['$o.y', 2n],
      ['$$ROOT.o.x', 1],
      [{ $lt: ['$at', '$$NOW'] }, true],
      [{ $dateToString: { date: '$at' } }, '2026-11-05T01:02:03.000Z'],
      [{ $dateTrunc: { date: '$at', unit: 'week', startOfWeek: 'monday' } }, day('2026-11-02T00:00:00')],
      [
        { x: '$a', y: ['$b', '$missing'] },
        { x: 7n, y: [2, null] },
      ],
    ]
    for (const [expression, wanted] of expressions) {
      const [found] = await things.aggregate([{ $project: { _id: 0, value: expression } }]).toArray()
      expect(found?.value, String(Object.keys(expression as object))).toEqual(wanted)
    }
    const [added] = await things
      .aggregate([{ $addFields: { 'o.z': '$b', n: { $add: ['$b', 1] } } }, { $project: { o: 1, n: 1, _id: 0 } }])
      .toArray()
    expect(added).toEqual({ o: { x: 1, y: 2n, z: 2 }, n: 3 })
    const [left] = await things.aggregate([{ $project: { list: 0, at: 0, o: 0 } }]).toArray()
    expect(left).toEqual({ _id: 1, a: 7n, b: 2, s: 'a' })
  })

  it('comes in batches', async () => {
    const things = fixture.fresh()
    await things.insertMany(Array.from({ length: 500 }, (_, n) => ({ _id: n, n })))
    const cursor = things.aggregate([{ $match: { n: { $gte: 100 } } }, { $addFields: { m: '$n' } }], { batchSize: 30 })
    let seen = 0
    for await (const { m } of cursor) expect(m).toBe(100 + seen++)
    expect(seen).toBe(400)
  })
})
