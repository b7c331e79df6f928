/**
 * Measures the embedded store: the engine alone (no socket), and through the real driver over the Unix socket.
 * `node bench/store.ts [documents]`, 100,000 by default; 1000000 for the large collection.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { decodeDocument } from '../src/store/embedded/decode.ts'
import { encodeDocument } from '../src/store/embedded/encode.ts'
import { Engine } from '../src/store/embedded/engine.ts'
import { startEmbeddedStore } from '../src/store/embedded/start.ts'
import type { Document } from '../src/store/embedded/values.ts'
import { raw_arrays } from '../src/store/embedded/wire.ts'

const documents = Number(process.argv[2] ?? 100_000)
const insert_batch = 1000

/** About 1 KB, shaped as a job is. */
const job = (n: number): Document => ({
  _id: `job_${String(n).padStart(26, '0')}`,
  account_id: `acc_${n % 1000}`,
  operation: 'chat',
  model: 'sandbox/chat',
  state: n % 100 === 0 ? 'running' : 'settled',
  nonce: `nonce_${n}`,
  hold: BigInt(n),
  cost: BigInt(n) * 3n,
  created_at: new Date(1_795_000_000_000 + n),
  next_poll_at: new Date(n),
  lease: { owner: 'router', fence: 1, until: new Date(n) },
  usage: { meters: { input_tokens: 12, output_tokens: 34 }, attributes: { tier: 'standard' }, source: 'reported' },
  attempts: [{ provider: 'sandbox', upstream: 'chat', ms: 12, outcome: 'accepted' }],
  request: 'x'.repeat(500),
})

function report(name: string, count: number, ms: number): void {
  const per_second = Math.round((count * 1000) / ms)
  console.log(
    `${name.padEnd(52)} ${((ms * 1000) / count).toFixed(1).padStart(8)} µs  ${String(per_second).padStart(8)} /s`,
  )
}

function temporary<Result>(run: (data_dir: string) => Result): Result {
  return run(mkdtempSync(join(tmpdir(), 'store-bench-')))
}

function engineAlone(data_dir: string): void {
  const engine = new Engine(data_dir, 'normal')
  /** As the server does it: bytes in, bytes out, one commit a command. */
  const run = (command: Document): Buffer => {
    const bytes = encodeDocument(command)
    const started = performance.now()
    const answer = engine.run(decodeDocument(bytes, { raw_arrays }), 'bench', 1)
    engine.commit()
    spent += performance.now() - started
    return answer
  }
  let spent = 0
  const measure = (name: string, count: number, command: (n: number) => Document): void => {
    for (let n = 0; n < count / 10; n++) run(command(n))
    spent = 0
    for (let n = 0; n < count; n++) run(command(n))
    report(name, count, spent)
  }
  const indexes = [
    { key: { account_id: 1, created_at: -1 }, name: 'listing' },
    { key: { state: 1, next_poll_at: 1 }, name: 'due' },
    { key: { nonce: 1 }, name: 'nonce', unique: true },
  ]
  run({ createIndexes: 'jobs', indexes })
  spent = 0
  for (let from = 0; from < documents; from += insert_batch) {
    run({ insert: 'jobs', documents: Array.from({ length: insert_batch }, (_, n) => job(from + n)) })
  }
  report(`insert ${insert_batch} at once, 3 indexes (a document)`, documents, spent)
  const any = (n: number): number => (n * 7919) % documents
  const id = (n: number): unknown => job(any(n))._id
  measure('find by _id', 20_000, (n) => ({ find: 'jobs', filter: { _id: id(n) }, limit: 1, singleBatch: true }))
  measure('find by an indexed field', 20_000, (n) => ({ find: 'jobs', filter: { nonce: `nonce_${any(n)}` }, limit: 1 }))
  measure('find the newest 20 of an account', 2000, (n) => ({
    find: 'jobs',
    filter: { account_id: `acc_${n % 1000}` },
    sort: { created_at: -1 },
    limit: 20,
  }))
  const set = { $set: { 'lease.owner': 'me' }, $inc: { cost: 1n } }
  measure('update by _id and state', 20_000, (n) => ({
    update: 'jobs',
    updates: [{ q: { _id: id(n), hold: { $gte: 0n } }, u: set }],
  }))
  const many = (n: number) => Array.from({ length: 100 }, (_, at) => ({ q: { _id: id(n * 100 + at) }, u: set }))
  measure('update 100 at once (a command)', 200, (n) => ({ update: 'jobs', updates: many(n) }))
  measure('claim by findAndModify, sorted', 5000, (n) => ({
    findAndModify: 'jobs',
    query: { state: 'running', next_poll_at: { $lte: new Date(1e12) } },
    sort: { next_poll_at: 1 },
    update: { $set: { next_poll_at: new Date(documents + n) } },
  }))
  measure('insert one', 20_000, (n) => ({ insert: 'ledger', documents: [{ ...job(n), _id: `${Math.random()}` }] }))
  engine.close()
  rmSync(data_dir, { recursive: true })
}

async function throughDriver(data_dir: string): Promise<void> {
  const store = await startEmbeddedStore({ data_dir, sync: 'normal' })
  const client = await new MongoClient(store.uri, { useBigInt64: true, maxPoolSize: 32 }).connect()
  const jobs = client.db().collection<Document & { _id: string }>('jobs')
  await jobs.insertMany(Array.from({ length: 10_000 }, (_, n) => job(n) as Document & { _id: string }))
  const id = (n: number): string => job((n * 7919) % 10_000)._id as string
  const operations: [string, (n: number) => Promise<unknown>][] = [
    ['find by _id', (n) => jobs.findOne({ _id: id(n) })],
    ['update by _id', (n) => jobs.updateOne({ _id: id(n) }, { $inc: { cost: 1n } as never })],
    ['insert one', (n) => jobs.insertOne({ ...job(n), _id: `${n}_${Math.random()}` })],
  ]
  for (const concurrency of [1, 32]) {
    for (const [name, operation] of operations) {
      const count = concurrency === 1 ? 5000 : 20_000
      await inParallel(concurrency, count / 5, operation)
      const started = performance.now()
      await inParallel(concurrency, count, operation)
      report(`driver, ${concurrency} at a time: ${name}`, count, performance.now() - started)
    }
  }
  await client.close()
  await store.close()
  rmSync(data_dir, { recursive: true })
}

async function inParallel(workers: number, count: number, operation: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < count) await operation(next++)
  }
  await Promise.all(Array.from({ length: workers }, work))
}

temporary(engineAlone)
await temporary(throughDriver)
