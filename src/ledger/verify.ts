// Proves the books: every account is added up again from its entries and its open holds. It changes nothing but what a
// crash left half-journaled, and reports a difference of one nano-dollar.
import type { AccountRecord } from '../store/accounts.ts'
import { UNLIMITED_ROOM } from '../store/accounts.ts'
import type { Store } from '../store/connect.ts'
import { journalGrants } from './grants.ts'
import { formatUsd, type NanoUsd } from './money.ts'

/** One amount that is not what the entries say; amounts in USD with nine places. */
export interface Drift {
  account_id: string
  what: string
  expected_usd: string
  found_usd: string
}

export interface Verification {
  ok: boolean
  accounts: number
  entries: number
  /** Decided jobs whose entry is on its way. */
  pending: number
  drift: Drift[]
}

const STABLE_MS = 5000
const REREAD_MS = 200

interface Sums {
  grants: NanoUsd
  settled: NanoUsd
}

/** Reads everything; an account that differs is read again until it is stable, for work goes on meanwhile. */
export async function verify(store: Store): Promise<Verification> {
  const totals = await sumEntries(store)
  const result: Verification = { ok: true, accounts: 0, entries: totals.entries, pending: totals.pending, drift: [] }
  for await (const account of store.accounts.find()) {
    result.accounts++
    if (check(account, totals.of(account._id)).length > 0) result.drift.push(...(await recheck(store, account._id)))
  }
  if (totals.legs !== 0n) result.drift.push(drift('every account', 'legs of all entries', 0n, totals.legs))
  const known = new Set((await store.accounts.find({}, { projection: { _id: 1 } }).toArray()).map(({ _id }) => _id))
  for (const id of totals.ids()) {
    if (!known.has(id))
      result.drift.push(drift(id, 'entries of an account that is not there', 0n, totals.of(id).settled))
  }
  result.drift.push(...(await verifyKeys(store)))
  result.ok = result.drift.length === 0
  return result
}

async function recheck(store: Store, account_id: string): Promise<Drift[]> {
  const until = Date.now() + STABLE_MS
  for (;;) {
    const account = await store.accounts.findOne({ _id: account_id })
    if (!account) return []
    await journalGrants(store, account)
    const found = check(account, (await sumEntries(store, account_id)).of(account_id))
    if (found.length === 0 || Date.now() > until) return found
    await new Promise((resolve) => setTimeout(resolve, REREAD_MS))
  }
}

function check(account: AccountRecord, entries: Sums): Drift[] {
  const holds = Object.values(account.holds)
  const held = sum(holds.map(({ amount }) => amount))
  const found: [what: string, expected: NanoUsd, found: NanoUsd][] = [
    ['credits', entries.grants, account.credits],
    ['settled', entries.settled, account.settled],
    ['held', held, account.held],
    ['available', account.credits - account.held - account.settled, account.available],
    ...Object.entries(account.keys).map(([key_id, { held: key_held }]): [string, NanoUsd, NanoUsd] => [
      `held by ${key_id}`,
      sum(holds.filter((hold) => hold.key_id === key_id).map(({ amount }) => amount)),
      key_held,
    ]),
    ['settled by keys', account.settled, sum(Object.values(account.keys).map(({ settled }) => settled))],
  ]
  const drifts = found
    .filter(([, expected, is]) => expected !== is)
    .map(([what, expected, is]) => drift(account._id, what, expected, is))
  for (const [what, amount] of [
    ['available', account.available],
    ['held', account.held],
  ] as const) {
    if (amount < 0n) drifts.push(drift(account._id, `${what} is below zero`, 0n, amount))
  }
  return drifts
}

/** The room of every key is its limit less what it used; keys of accounts are few, so this is its own small pass. */
async function verifyKeys(store: Store): Promise<Drift[]> {
  const drifts: Drift[] = []
  for await (const key of store.keys.find({ kind: 'caller' })) {
    const account = await store.accounts.findOne({ _id: key.account_id }, { projection: { [`keys.${key._id}`]: 1 } })
    const spend = account?.keys?.[key._id]
    if (!spend) continue
    const limit = key.limit ?? UNLIMITED_ROOM
    const total = spend.room + spend.held + spend.settled
    if (total !== limit) drifts.push(drift(key.account_id, `limit of ${key._id}`, limit, total))
  }
  return drifts
}

/** Sums of entries, and of decided jobs whose hold is gone while their entry is not there yet. */
async function sumEntries(store: Store, account_id?: string) {
  const match = account_id === undefined ? {} : { account_id }
  const sums = new Map<string, Sums>()
  const of = (id: string): Sums => sums.get(id) ?? { grants: 0n, settled: 0n }
  const add = (id: string, field: keyof Sums, amount: NanoUsd) => {
    const now = of(id)
    sums.set(id, { ...now, [field]: now[field] + amount })
  }
  let entries = 0
  const groups = store.entries.aggregate<{ _id: { account_id: string; type: string }; amount: bigint; count: number }>([
    { $match: match },
    { $group: { _id: { account_id: '$account_id', type: '$type' }, amount: { $sum: '$amount' }, count: { $sum: 1 } } },
  ])
  for await (const { _id, amount, count } of groups) {
    entries += Number(count)
    add(_id.account_id, _id.type === 'grant' ? 'grants' : 'settled', BigInt(amount))
  }
  let pending = 0
  const settling = store.jobs.find({ ...match, state: 'settling', 'lease.owner': { $exists: true } })
  for await (const job of settling) {
    const [entry, account] = await Promise.all([
      store.entries.findOne({ _id: `${job._id}:f` }, { projection: { _id: 1 } }),
      store.accounts.findOne({ _id: job.account_id }, { projection: { [`holds.${job._id}`]: 1 } }),
    ])
    if (entry) continue
    pending++
    if (account?.holds?.[job._id]?.nonce !== job.nonce) add(job.account_id, 'settled', job.cost ?? 0n)
  }
  return { of, ids: () => sums.keys(), entries, pending, legs: await sumLegs(store, match) }
}

async function sumLegs(store: Store, match: object): Promise<NanoUsd> {
  const [total] = await store.entries
    .aggregate<{ amount: bigint }>([
      { $match: match },
      { $unwind: '$legs' },
      { $group: { _id: null, amount: { $sum: '$legs.amount' } } },
    ])
    .toArray()
  return BigInt(total?.amount ?? 0)
}

const sum = (amounts: NanoUsd[]): NanoUsd => amounts.reduce((total, amount) => total + amount, 0n)

const drift = (account_id: string, what: string, expected: NanoUsd, found: NanoUsd): Drift => ({
  account_id,
  what,
  expected_usd: formatUsd(expected),
  found_usd: formatUsd(found),
})
