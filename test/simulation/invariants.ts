// What must be true of the books: of an account after every single write, and of everything when all is at rest. Each
// difference is said in words. It changes nothing.
import { verify } from '../../src/ledger/verify.ts'
import type { AccountRecord } from '../../src/store/accounts.ts'
import type { Store } from '../../src/store/connect.ts'
import type { EntryRecord } from '../../src/store/entries.ts'
import type { JobRecord } from '../../src/store/jobs.ts'
import type { Told } from './callers.ts'
import type { Vendors } from './vendor.ts'

export interface Scene {
  store: Store
  account_id: string
  told: Told[]
  vendors: Vendors
  /** What has not come to its end. */
  open(): string[]
}

/** I1 and I3: of the one document, in every state of it. */
export function faultsOfMoney({ credits, available, held, settled, holds, keys }: AccountRecord): string[] {
  const faults: string[] = []
  if (credits !== available + held + settled)
    faults.push(`credits ${credits} are not available ${available} + held ${held} + settled ${settled}`)
  if (available < 0n || held < 0n || settled < 0n) faults.push(`below zero: ${available}, ${held}, ${settled}`)
  const sum = (amounts: bigint[]) => amounts.reduce((total, amount) => total + amount, 0n)
  const open = Object.values(holds)
  if (held !== sum(open.map(({ amount }) => amount))) faults.push(`held ${held} is not the sum of the holds`)
  const spends = Object.entries(keys)
  if (settled !== sum(spends.map(([, spend]) => spend.settled))) faults.push('settled is not the sum of the keys')
  for (const [key_id, spend] of spends) {
    const own = sum(open.filter((hold) => hold.key_id === key_id).map(({ amount }) => amount))
    if (spend.held !== own) faults.push(`${key_id} holds ${spend.held}, and its jobs ${own}`)
  }
  return faults
}

/** I2 to I8, when nobody asks for anything any more and every job has come to its end. */
export async function faultsAtRest(scene: Scene): Promise<string[]> {
  const { store, account_id, told } = scene
  const account = await store.accounts.findOne({ _id: account_id })
  if (!account) return ['the account is gone']
  const faults = faultsOfMoney(account)
  const jobs = await store.jobs.find({}).toArray()
  const entries = await store.entries.find({}).toArray()
  const deliveries = await store.webhook_deliveries.find({}).toArray()
  const settles = entries.filter(({ type }) => type === 'settle')
  const charged = settles.reduce((sum, { amount }) => sum + amount, 0n)
  if (charged !== account.settled) faults.push(`${account.settled} are settled; the entries say ${charged}`)
  for (const job of jobs) {
    faults.push(...faultsOfJob(job, settles, scene.vendors))
    const events = deliveries.filter(({ job_id }) => job_id === job._id).map(({ event }) => event)
    const expected = [`job.${job.decision?.status}`]
    if (String(events) !== String(expected)) faults.push(`${job._id}: ${expected} was announced as ${events}`)
  }
  const ids = new Set(jobs.map(({ _id }) => _id))
  for (const { job_id } of settles) if (!ids.has(job_id ?? '')) faults.push(`an entry of ${job_id}, which is not there`)
  const byId = new Map(jobs.map((job) => [job._id, job]))
  for (const line of told) faults.push(...faultsOfAnswer(line, byId.get(line.job_id)))
  const { drift } = await verify(store, 100)
  return [...faults, ...drift.map((each) => `verify: ${JSON.stringify(each)}`)]
}

function faultsOfJob(job: JobRecord, settles: EntryRecord[], vendors: Vendors): string[] {
  const { _id, state, cost, hold, decision } = job
  const own = settles.filter(({ job_id }) => job_id === _id)
  if (state === 'released') return own.length > 0 ? [`${_id} was released and charged`] : []
  const faults: string[] = []
  const amounts = own.map(({ amount }) => amount)
  if (amounts.length !== 1 || amounts[0] !== cost) faults.push(`${_id} cost ${cost}; its entries say ${amounts}`)
  if (cost === null || cost > hold) faults.push(`${_id} cost ${cost} and ${hold} were held for it`)
  if (decision?.status !== 'completed' && decision?.status !== 'canceled') faults.push(`${_id} failed and was charged`)
  // An empty answer is free, and one that was canceled is charged as far as it went.
  const prices = [...(vendors.costs.get(_id) ?? [])]
  const isRight = prices.some((price) => price === cost || (price > hold && cost === hold))
  const known = decision?.status === 'completed' && !vendors.uncounted.has(_id) && cost !== 0n
  if (known && !isRight) faults.push(`${_id} cost ${cost}, and its price was ${prices}`)
  return faults
}

function faultsOfAnswer({ job_id, kind, outcome, cost, reason = '' }: Told, job: JobRecord | undefined): string[] {
  const name = `${kind} ${job_id}`
  if (!job) return outcome === 'success' || outcome === 'queued' ? [`${name} was promised and is not there`] : []
  const faults: string[] = []
  if (outcome === 'success' && job.decision?.status !== 'completed')
    faults.push(`${name} was delivered, and is ${job.decision?.status}`)
  if (outcome === 'success' && job.cost !== cost) faults.push(`${name}: told ${cost}, charged ${job.cost}`)
  // Of a charge whose writing was not heard of the caller is told just that; what was canceled half way is charged so far.
  const open = reason.includes('is not known yet') || job.decision?.status === 'canceled'
  if (outcome === 'failure' && job.cost !== null && !open)
    faults.push(`${name} failed (${reason}) and cost ${job.cost}`)
  return faults
}
