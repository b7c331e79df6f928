/**
 * Measures one hot account: how many holds a second it takes while more and more of them stay open, and how many settlements
 * when they are taken out again. The real Ledger, driver and embedded store; no HTTP, no provider.
 * `node bench/holds.ts [most open holds]`, 10,000 by default.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '../src/flow/ids.ts'
import { grant, limitKey, openAccount } from '../src/ledger/grants.ts'
import { Ledger } from '../src/ledger/ledger.ts'
import { connectStore } from '../src/store/connect.ts'
import { startEmbeddedStore } from '../src/store/embedded/start.ts'

const most_open = Number(process.argv[2] ?? 10_000)
const STEP = 1000
/** As many callers as wait for their hold at the same time; nobody waits for a settlement. */
const HOLDS_AT_ONCE = 64
const AMOUNT = 1000n
const account_id = 'acc_bench'
const key_id = newId('key')

interface Open {
  job_id: string
  nonce: string
}

const data_dir = mkdtempSync(join(tmpdir(), 'switchyard-holds-'))
const embedded = await startEmbeddedStore({ data_dir, sync: 'normal' })
const store = await connectStore(embedded.uri)
const ledger = new Ledger(store)

/** Runs `work` `STEP` times, some at a time; answers how many there were in a second. */
async function rate(work: () => Promise<void>, at_once: number): Promise<number> {
  let begun = 0
  const started_ms = performance.now()
  await Promise.all(
    Array.from({ length: at_once }, async () => {
      while (begun++ < STEP) await work()
    }),
  )
  return Math.round((STEP / (performance.now() - started_ms)) * 1000)
}

try {
  await openAccount(store, account_id, 'bench')
  await grant(store, { id: 'grant', account_id, amount: BigInt(most_open) * AMOUNT, reason: 'bench', by: 'bench' })
  await limitKey(store, account_id, key_id, null)
  const open: Open[] = []
  const hold = async () => {
    const job_id = newId('job')
    const outcome = await ledger.hold({ job_id, account_id, key_id, amount: AMOUNT })
    if (!outcome.held) throw new Error(`A hold was refused: ${outcome.reason}`)
    open.push({ job_id, nonce: outcome.nonce })
  }
  const settle = async () => {
    const { job_id, nonce } = open.pop() as Open
    await ledger.finish({ job_id, account_id, key_id, nonce, hold: AMOUNT, cost: AMOUNT / 2n, decided_at: new Date() })
  }
  while (open.length < most_open) {
    const holds_s = await rate(hold, HOLDS_AT_ONCE)
    console.log(`${open.length} open: ${holds_s} holds/s`)
  }
  while (open.length > 0) {
    const before = open.length
    console.log(`${before} open: ${await rate(settle, STEP)} settlements/s`)
  }
  const { available, held, settled, credits } = (await ledger.balance(account_id)) ?? {}
  console.log(`credits ${credits} = available ${available} + held ${held} + settled ${settled}`)
} finally {
  await store.close()
  await embedded.close()
  rmSync(data_dir, { recursive: true, force: true })
}
