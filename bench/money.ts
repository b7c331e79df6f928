/**
 * Measures the money protocol on the embedded store: the real Ledger and JobWrites, one account, no HTTP and no provider.
 * `node bench/money.ts [seconds]`, 4 a run by default; Linux only. CPU times count on a shared machine, times of the clock do not.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '../src/flow/ids.ts'
import { JobWrites } from '../src/flow/job_writes.ts'
import { grant, limitKey, openAccount } from '../src/ledger/grants.ts'
import { Ledger } from '../src/ledger/ledger.ts'
import { verify } from '../src/ledger/verify.ts'
import { connectStore, type Store } from '../src/store/connect.ts'
import { startEmbeddedStore } from '../src/store/embedded/start.ts'
import type { JobRecord } from '../src/store/jobs.ts'

const run_ms = Number(process.argv[2] ?? 4) * 1000
const warm_up_ms = 1500
const account_id = 'acc_bench'
const key_id = newId('key')
const router_id = newId('rtr')

const rate = (meter: string, usd: string) => ({ meter, usd, per: 1_000_000, when: {} })
const line = (meter: string, quantity: number, usd: string) => ({
  ...{ meter, quantity, usd, per: 1_000_000, when: {} },
  amount_usd: '0.00001',
})
const usage = {
  meters: { input_tokens: 12, output_tokens: 34 },
  attributes: {},
  source: 'reported',
  raw: { prompt_tokens: 12, completion_tokens: 34, total_tokens: 46 },
}

/** As the flow makes it for a small chat. */
const newJob = (): JobRecord => ({
  _id: newId('job'),
  account_id,
  user_id: 'usr_bench',
  key_id,
  operation: 'chat',
  endpoint: 'chat.completions',
  model: 'sandbox/chat',
  offers: [
    {
      provider: 'sandbox',
      upstream: 'chat',
      quote: { rates: [rate('input_tokens', '0.10'), rate('output_tokens', '0.40')], factor: '1', from: '2026-01-01' },
      estimate: { meters: { input_tokens: 60, output_tokens: 1000 }, attributes: {}, source: 'estimated' },
    },
  ],
  offer: 0,
  mode: 'sync',
  state: 'new',
  nonce: '',
  hold: 500_000n,
  cost: null,
  list_cost: null,
  lines: [],
  usage: null,
  decision: null,
  lease: { owner: router_id, fence: 0 },
  polls: 0,
  ref: null,
  percent: 0,
  deadline: new Date(Date.now() + 600_000),
  attempts: [],
  outputs: [],
  error: null,
  request: null,
  request_key: null,
  echo: {},
  metadata: {},
  request_id: newId('req'),
  created_at: new Date(),
  started_at: null,
  completed_at: null,
  deleted_at: null,
})

/** The writes of one request that its caller waits for: intent, hold, decision. The rest follows in the background. */
async function request(ledger: Ledger, job_writes: JobWrites): Promise<void> {
  const job = newJob()
  const { _id: job_id, hold: amount } = job
  await job_writes.insert(job)
  const outcome = await ledger.hold({ job_id, account_id, key_id, amount })
  if (!outcome.held) throw new Error(`The hold was refused: ${outcome.reason}`)
  const started_at = new Date()
  let decided = false
  void job_writes.markStarted({ job_id, nonce: outcome.nonce, started_at, isDecided: () => decided })
  decided = true
  const won = await ledger.decide({
    ...{ job_id, nonce: outcome.nonce, by: router_id, offer: 0, started_at, outputs: [], usage, status: 'completed' },
    attempts: [{ provider: 'sandbox', upstream: 'chat', started_at, ms: 2, outcome: 'completed', message: null }],
    charge: {
      cost: 20_000n,
      list_cost: 20_000n,
      lines: [line('input_tokens', 12, '0.10'), line('output_tokens', 34, '0.40')],
    },
  })
  if (!won) throw new Error('The decision was lost')
  void ledger.finish({
    ...{ job_id, account_id, key_id, nonce: outcome.nonce, hold: amount, cost: 20_000n },
    decided_at: new Date(),
  })
}

/** CPU µs of the main thread, of the store's, and of all others together: V8's helpers, which compile and collect for both. */
type Cpu = { main: number; store: number; helpers: number }

const tasks = '/proc/self/task'

function cpu(store_task: string): Cpu {
  const all = process.cpuUsage()
  const own = process.threadCpuUsage()
  const main = own.user + own.system
  // The first number is the time on a CPU in ns.
  const store = Number(readFileSync(join(tasks, store_task, 'schedstat'), 'utf8').split(' ')[0]) / 1000
  return { main, store, helpers: all.user + all.system - main - store }
}

/** Linux shortens and shows the name a thread was given. */
function taskOf(name: string): string {
  const found = readdirSync(tasks).find((task) => readFileSync(join(tasks, task, 'comm'), 'utf8').trim() === name)
  if (found === undefined) throw new Error(`No thread is called ${name}`)
  return found
}

async function during(ms: number, concurrency: number, operation: () => Promise<void>): Promise<number[]> {
  const until = performance.now() + ms
  const times: number[] = []
  const work = async (): Promise<void> => {
    for (let began = performance.now(); began < until; ) {
      await operation()
      const now = performance.now()
      times.push(now - began)
      began = now
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  return times
}

async function measure(store: Store, concurrency: number): Promise<void> {
  const ledger = new Ledger(store)
  const job_writes = new JobWrites(store)
  await during(warm_up_ms, concurrency, () => request(ledger, job_writes))
  await ledger.flush()
  const store_task = taskOf('store')
  const before = cpu(store_task)
  const began = performance.now()
  const times = await during(run_ms, concurrency, () => request(ledger, job_writes))
  const per_second = (times.length * 1000) / (performance.now() - began)
  await ledger.flush()
  const after = cpu(store_task)
  times.sort((a, b) => a - b)
  const each = (part: keyof Cpu): string => `${part} ${Math.round((after[part] - before[part]) / times.length)} µs`
  const at = (share: number): string => `${(times[Math.floor(times.length * share)] ?? 0).toFixed(2)} ms`
  console.log(
    `${String(concurrency).padStart(2)} at once: ${Math.round(per_second)} requests/s; CPU a request:`,
    `${each('main')}, ${each('store')}, ${each('helpers')}; p10 ${at(0.1)}, p50 ${at(0.5)}, p99 ${at(0.99)}`,
  )
}

const data_dir = mkdtempSync(join(tmpdir(), 'money-bench-'))
const embedded = await startEmbeddedStore({ data_dir, sync: 'normal' })
const store = await connectStore(embedded.uri)
await openAccount(store, account_id, 'Bench')
await limitKey(store, account_id, key_id, null)
await grant(store, { id: newId('gr'), account_id, amount: 10n ** 15n, reason: 'bench', by: 'bench' })
for (const concurrency of [1, 32]) await measure(store, concurrency)
const { ok, entries } = await verify(store)
console.log(ok ? `books right: ${entries} entries re-added` : 'BOOKS WRONG')
await store.close()
await embedded.close()
rmSync(data_dir, { recursive: true })
