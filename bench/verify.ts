/**
 * Measures the check of the books on a store as it stands after years: `node bench/verify.ts [jobs]`, a million by
 * default. Fills a folder of its own under /tmp, checks it, takes one nano-dollar out of it, and checks it again.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verify } from '../src/ledger/verify.ts'
import { connectStore } from '../src/store/connect.ts'
import { startEmbeddedStore } from '../src/store/embedded/start.ts'
import { fillStore } from './fill.ts'

const jobs = Number(process.argv[2] ?? 1_000_000)
const MB = 2 ** 20

async function timed<Result>(what: string, act: () => Promise<Result>): Promise<Result> {
  const began_ms = performance.now()
  const result = await act()
  const seconds = ((performance.now() - began_ms) / 1000).toFixed(1)
  console.log(`${what.padEnd(40)} ${seconds.padStart(7)} s   ${Math.round(process.memoryUsage.rss() / MB)} MB`)
  return result
}

const data_dir = await mkdtemp(join(tmpdir(), 'sw-verify-'))
const embedded = await startEmbeddedStore({ data_dir, sync: 'normal' })
const store = await connectStore(embedded.uri)
try {
  await timed(`filled with ${jobs} jobs`, () => fillStore(store, { jobs, accounts: 1000 }))
  console.log(await timed('verified', () => verify(store)))
  const harmed = await store.entries.findOne({ type: 'settle' })
  if (harmed) await store.entries.updateOne({ _id: harmed._id }, { $inc: { amount: 1n } })
  console.log(await timed('verified with one nano-dollar too much', () => verify(store, 500)))
} finally {
  await store.close()
  await embedded.close()
  await rm(data_dir, { recursive: true, force: true })
}
