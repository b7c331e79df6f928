// How the router speaks to MongoDB: no connection string weakens what money needs, and what is concluded from a hold that is
// not there is read so that an election cannot hide it.
import mongoose from 'mongoose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { finishBatch } from '../../src/ledger/finish.ts'
import { clientOptions } from '../../src/store/client_options.ts'
import { connectStore } from '../../src/store/connect.ts'
import { type TestStore, testStore } from '../support/store.ts'
import { insertJob, openBooks } from './books.ts'

const { MongoClient } = mongoose.mongo

const optionsOf = (uri: string) =>
  new MongoClient(uri, clientOptions(uri, 5000) as mongoose.mongo.MongoClientOptions).options

describe('a connection string', () => {
  it('that asks for less than a majority, a journal and the primary does not get it', () => {
    const weak = 'w=1&journal=false&readConcernLevel=local&readPreference=secondary'
    const { writeConcern, readConcern, readPreference } = optionsOf(`mongodb://one:1,two:2/site?replicaSet=rs&${weak}`)
    expect(writeConcern).toMatchObject({ w: 'majority', j: true })
    expect(readConcern).toMatchObject({ level: 'majority' })
    expect(readPreference).toMatchObject({ mode: 'primary' })
  })

  it('sets what does not touch money: the pool and how soon a dead host is given up', () => {
    const given = optionsOf('mongodb://one:1/site?MaxPoolSize=50&connectTimeoutMS=900')
    expect(given).toMatchObject({ maxPoolSize: 50, connectTimeoutMS: 900, heartbeatFrequencyMS: 5000 })
    expect(optionsOf('mongodb://one:1/site')).toMatchObject({ maxPoolSize: 16, connectTimeoutMS: 8000 })
  })

  it('without a database means one of our own, and never the one that is called test', () => {
    expect(optionsOf('mongodb://one:1,two:2/?replicaSet=rs').dbName).toBe('switchyard')
    expect(optionsOf('mongodb://one:1').dbName).toBe('switchyard')
    expect(optionsOf('mongodb://user:p%2Fw@one:1/site?replicaSet=rs').dbName).toBe('site')
  })
})

describe('on a store with elections', () => {
  let fixture: TestStore
  beforeAll(async () => {
    fixture = await testStore()
  })
  afterAll(() => fixture.close())

  it('a hold that was taken out before is looked for with a linearizable read', async () => {
    const books = await openBooks(fixture.store, 100n)
    const { _id: job_id, account_id, key_id } = await insertJob(books, 1n)
    const asked: unknown[] = []
    const { accounts } = fixture.store
    const spied = new Proxy(accounts, {
      get: (of, member) =>
        member === 'find'
          ? (filter: object, options: object) => {
              asked.push(options)
              return of.find(filter)
            }
          : Reflect.get(of, member).bind(of),
    })
    const finishing = finishBatch({ ...fixture.store, accounts: spied, replicated: true }, 0)
    await finishing.add({
      job_id,
      account_id,
      key_id,
      nonce: 'none',
      hold: 1n,
      cost: undefined,
      decided_at: new Date(),
    })
    expect(asked).toEqual([expect.objectContaining({ readConcern: { level: 'linearizable' }, maxTimeMS: 10_000 })])
  })

  it('the store says of itself whether it is one', async () => {
    const again = await connectStore(fixture.uri)
    expect(typeof again.replicated).toBe('boolean')
    await again.close()
  })
})
