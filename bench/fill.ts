// Fills a store with jobs as they stand after years of work: users, accounts whose amounts follow from their entries, and
// one entry for each charged job. Everything follows from the number of jobs, so that two fills are alike.
import { encodeTime } from 'ulid'
import { grant, limitKey, openAccount } from '../src/ledger/grants.ts'
import type { Store } from '../src/store/connect.ts'
import type { EntryRecord } from '../src/store/entries.ts'
import type { JobRecord } from '../src/store/jobs.ts'
import type { KeyRecord } from '../src/store/keys.ts'
import type { UserRecord } from '../src/store/users.ts'

export interface Filling {
  jobs: number
  accounts: number
  /** The time of the first job; the others follow over thirty days. */
  from?: Date
  told?: (jobs: number) => void
}

const BATCH = 1000
const DAYS_MS = 30 * 86_400_000
const CREDIT = 1_000_000_000_000_000n
const FROM = new Date('2026-10-01T00:00:00Z')
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

const MODELS = [
  { model: 'sandbox/chat', operation: 'chat', endpoint: 'chat.completions', meter: 'input_tokens' },
  { model: 'sandbox/image', operation: 'image', endpoint: 'images.generations', meter: 'images' },
  { model: 'sandbox/video', operation: 'video', endpoint: 'videos', meter: 'video_seconds' },
  { model: 'sandbox/speech', operation: 'speech', endpoint: 'audio.speech', meter: 'characters' },
] as const

/** Returns what was charged in all. Nothing else may be in the store. */
export async function fillStore(store: Store, { jobs, accounts, from = FROM, told }: Filling): Promise<bigint> {
  const settled = new Array<bigint>(accounts).fill(0n)
  for (let first = 0; first < jobs; first += BATCH) {
    const records: JobRecord[] = []
    const entries: EntryRecord[] = []
    for (let index = first; index < Math.min(jobs, first + BATCH); index++) {
      const at = new Date(from.getTime() + Math.floor((index / jobs) * DAYS_MS))
      const job = jobRecord(index, index % accounts, at)
      records.push(job)
      if (job.cost === null) continue
      entries.push(settlement(index % accounts, job, job.cost))
      settled[index % accounts] = (settled[index % accounts] ?? 0n) + job.cost
    }
    await store.jobs.insertMany(records, { ordered: false })
    await store.entries.insertMany(entries, { ordered: false })
    told?.(first + records.length)
  }
  await openAccounts(store, settled)
  return settled.reduce((total, amount) => total + amount, 0n)
}

/** As an admin opens and tops them up, and then as their jobs leave them. */
async function openAccounts(store: Store, settled: bigint[]): Promise<void> {
  for (const [number, amount] of settled.entries()) {
    const [account_id, key_id] = [named('acc', number), named('key', number)]
    await openAccount(store, account_id, `Account ${number}`)
    await grant(store, { id: named('gr', number), account_id, amount: CREDIT, reason: 'Filled', by: 'filled' })
    await limitKey(store, account_id, key_id, null)
    const spend = { [`keys.${key_id}.room`]: -amount, [`keys.${key_id}.settled`]: amount }
    await store.accounts.updateOne({ _id: account_id }, { $inc: { available: -amount, settled: amount, ...spend } })
    await attribute(store, number, amount)
    await store.users.insertOne(userOf(number))
    await store.keys.insertOne(keyOf(number))
  }
}

/** Every charge is borne by the one lot that its account was given. */
async function attribute(store: Store, number: number, amount: bigint): Promise<void> {
  await store.lots.updateOne({ _id: named('gr', number) }, { $inc: { remaining: -amount, spent: amount } })
  const step = { step: 0, lots: [], opened: [], parts: [], taking: null }
  await store.lot_books.insertOne({ _id: named('acc', number), attributed: amount, ...step })
}

const userOf = (number: number): UserRecord => ({
  _id: named('usr', number),
  name: `User ${number}`,
  email: null,
  account_id: named('acc', number),
  created_at: FROM,
})

const keyOf = (number: number): KeyRecord => ({
  _id: named('key', number),
  hash: named('hash', number),
  prefix: 'sk-sw-filled',
  name: 'filled',
  user_id: named('usr', number),
  account_id: named('acc', number),
  kind: 'caller',
  models: null,
  limit: null,
  disabled: false,
  expires_at: null,
  created_at: FROM,
  last_used_at: null,
})

/** As our own ids are: sorted by time. */
export const jobId = (index: number, at: Date): string => `job_${encodeTime(at.getTime(), 10)}${digits(index)}`

const named = (prefix: string, number: number) => `${prefix}_${encodeTime(FROM.getTime(), 10)}${digits(number)}`

function digits(number: number): string {
  let text = ''
  for (let rest = number; text.length < 16; rest = Math.floor(rest / 32)) text = LETTERS[rest % 32] + text
  return text
}

/** One in ten failed and cost nothing. */
function jobRecord(index: number, account: number, at: Date): JobRecord {
  const { model, operation, endpoint, meter } = MODELS[index % MODELS.length] ?? MODELS[0]
  const failed = index % 10 === 9
  const quantity = (index % 97) + 1
  const cost = failed ? null : BigInt(quantity) * 1_500_000n + BigInt(index % 7)
  const usage = { meters: { [meter]: quantity, requests: 1 }, attributes: {}, source: 'reported' }
  const rate = { meter, usd: '0.0015', per: 1, when: {} }
  return {
    _id: jobId(index, at),
    account_id: named('acc', account),
    user_id: named('usr', account),
    key_id: named('key', account),
    operation,
    endpoint,
    model,
    offers: [
      {
        provider: 'sandbox',
        upstream: model.split('/')[1] ?? '',
        quote: { rates: [rate], adjustment: {}, from: '2026-01-01', source: 'https://switchyard.example/pricing' },
        estimate: { ...usage, source: 'estimated' },
      },
    ],
    offer: 0,
    mode: 'sync',
    state: failed ? 'released' : 'settled',
    nonce: named('nonce', index),
    hold: 200_000_000n,
    cost,
    list_cost: cost,
    lines: failed ? [] : [{ ...rate, quantity, amount_usd: (quantity * 0.0015).toFixed(4) }],
    usage: failed ? null : usage,
    decision: { id: named('decision', index), status: failed ? 'failed' : 'completed', by: 'rtr_filled', at },
    lease: { fence: 0 },
    polls: 0,
    ref: null,
    percent: failed ? 0 : 100,
    deadline: at,
    attempts: [
      {
        provider: 'sandbox',
        upstream: 'chat',
        started_at: at,
        ms: 42,
        outcome: failed ? 'unavailable' : 'completed',
        message: null,
      },
    ],
    outputs: [],
    error: failed ? { code: 'provider_error', message: 'It failed.', type: 'server_error', param: null } : null,
    request: null,
    request_key: null,
    echo: {},
    metadata: {},
    request_id: named('req', index),
    created_at: at,
    started_at: at,
    completed_at: at,
    deleted_at: null,
  }
}

const settlement = (
  number: number,
  { _id, account_id, key_id, completed_at }: JobRecord,
  cost: bigint,
): EntryRecord => ({
  _id: `${_id}:f`,
  account_id,
  type: 'settle',
  amount: cost,
  legs: [
    { ledger: `account:${account_id}`, amount: -cost },
    { ledger: 'revenue', amount: cost },
  ],
  job_id: _id,
  key_id,
  reason: null,
  by: null,
  at: completed_at ?? FROM,
  lots: [{ lot: named('gr', number) }],
})
