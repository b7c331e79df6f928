// Which errors of a store leave open whether a write was carried out: those of an election, of a host that is gone, of a
// write concern that was not met. Whatever is not known is sent again; whatever was refused is not.
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mongoose from 'mongoose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { failureOf } from '../../src/flow/failure.ts'
import { JobWrites } from '../../src/flow/job_writes.ts'
import { isDuplicate, isOutcomeUnknown, isRefused, update } from '../../src/ledger/writes.ts'
import { startEmbeddedStore } from '../../src/store/embedded/start.ts'
import { type TestStore, testStore } from '../support/store.ts'
import { insertJob, openBooks } from './books.ts'

const { MongoNetworkError, MongoServerError, MongoWriteConcernError } = mongoose.mongo

let fixture: TestStore
beforeAll(async () => {
  fixture = await testStore()
})
afterAll(() => fixture.close())

const answered = (code: number, more = {}) => new MongoServerError({ ok: 0, code, errmsg: 'x', message: 'x', ...more })

/** A line to a store that breaks, at both ends, when `word` comes along. */
async function breakingLine(store_port: number, word: string) {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const store = connect(store_port, '127.0.0.1')
    const ends = [client, store]
    const cut = () => {
      for (const end of ends) end.destroy()
    }
    for (const end of ends) sockets.add(end.on('error', cut).on('close', cut))
    store.pipe(client)
    client.on('data', (piece) => (piece.includes(word) ? cut() : store.write(piece)))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const close = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { port: (server.address() as AddressInfo).port, close }
}

describe('an error of the store', () => {
  it.each([
    ['the primary stepped down', 189],
    ['there is no primary', 10107],
    ['mongos finds no primary', 133],
    ['the host shuts down', 91],
    ['the host cannot be reached', 6],
    ['the cursor went with its host', 43],
    ['time ran out', 50],
    ['the engine is busy', 365],
    ['there is no majority to read from', 134],
    ['no majority can be had', 100],
  ])('leaves the outcome open: %s', (_, code) => {
    expect(isOutcomeUnknown(answered(code))).toBe(true)
    expect(isRefused(answered(code))).toBe(false)
  })

  it('leaves the outcome open where the write concern was not met, whatever its code', () => {
    const error = new MongoWriteConcernError({
      ok: 1,
      writeConcernError: { code: 424_242, errmsg: 'not yet' },
    } as never)
    expect(isOutcomeUnknown(error)).toBe(true)
  })

  it('leaves the outcome open where one statement of a bulk was interrupted, though another was a duplicate', async () => {
    const { store } = fixture
    await store.routers.insertOne({ _id: 'twice', started_at: new Date(), alive_until: new Date() })
    const twice = { _id: 'twice', started_at: new Date(), alive_until: new Date() }
    const error = await store.routers.insertMany([twice], { ordered: false }).catch((each: unknown) => each)
    expect(isDuplicate(error)).toBe(true)
    const { result } = error as mongoose.mongo.MongoBulkWriteError
    const interrupted = { code: 11_602, index: 1, errmsg: 'interrupted' }
    Object.assign(result, { getWriteErrors: () => [{ code: 11_000 }, interrupted] })
    expect([isDuplicate(error), isOutcomeUnknown(error)]).toEqual([false, true])
  })

  it('leaves the outcome open where the line broke in the middle of a bulk', async () => {
    const data_dir = await mkdtemp(join(tmpdir(), 'sw-cut-'))
    const embedded = await startEmbeddedStore({ data_dir, sync: 'normal', tcp_port: 0 })
    const line = await breakingLine(embedded.tcp_port ?? 0, 'second')
    const uri = `mongodb://127.0.0.1:${line.port}/?directConnection=true`
    const client = await mongoose.mongo.MongoClient.connect(uri, { serverSelectionTimeoutMS: 500 })
    const error = await client
      .db('cut')
      .collection('things')
      .insertMany([{ name: 'first' }, { name: 'second' }], { ordered: false })
      .catch((each: unknown) => each)
    await client.close()
    line.close()
    await embedded.close()
    await rm(data_dir, { recursive: true })
    expect(error).toBeInstanceOf(mongoose.mongo.MongoBulkWriteError)
    expect([isOutcomeUnknown(error), isRefused(error)]).toEqual([true, false])
  })

  it.each([
    ['a document too large', 10_334],
    ['a field that cannot be counted up', 14],
    ['a duplicate', 11_000],
  ])('is a refusal: %s', (_, code) => {
    expect(isRefused(answered(code))).toBe(true)
  })

  it('is told to callers as a store that does not answer, and never as a fault of the router', () => {
    for (const error of [answered(189), new MongoNetworkError('connection 3 to 10.0.0.1:27017 closed')]) {
      const { status, code, message } = failureOf(error)
      expect({ status, code }).toEqual({ status: 503, code: 'store_unavailable' })
      expect(message).not.toMatch(/10\.0\.0\.1/)
    }
    expect(failureOf(answered(10_334)).status).toBe(500)
  })
})

describe('a batch', () => {
  it('that is longer than a command may be is sent in parts', { timeout: 60_000 }, async () => {
    const books = await openBooks(fixture.store, 100n)
    const jobs = await Promise.all([1, 2, 3].map(() => insertJob(books, 1n)))
    const writes = new JobWrites(fixture.store)
    const ref = { text: 'x'.repeat(6_000_000) }
    const changed = await Promise.all(
      jobs.map(({ _id: job_id }) => writes.change({ job_id, fence: 0, set: { ref, percent: 50 } })),
    )
    expect(changed).toEqual([true, true, true])
    const kept = await fixture.store.jobs.find({ percent: 50 }, { projection: { ref: 1 } }).toArray()
    expect(kept.map((job) => (job.ref as typeof ref).text.length)).toEqual([6_000_000, 6_000_000, 6_000_000])
  })

  it('counts a statement that was refused as not matched, and the others as they are', async () => {
    const { store } = fixture
    const books = await openBooks(store, 9_000_000_000_000_000_000n)
    const more = (amount: bigint) => ({ q: { _id: books.account_id }, u: { $inc: { credits: amount } } })
    expect(await update(store.database, 'accounts', [more(9_000_000_000_000_000_000n), more(0n)])).toBe(1)
  })
})
