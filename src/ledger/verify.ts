// Proves the books: every account is added up again from its entries and its open holds, and a difference of one
// nano-dollar is reported. It changes nothing but what a crash left half-journaled.
import { setTimeout as pause } from 'node:timers/promises'
import type { AccountRecord, KeySpend } from '../store/accounts.ts'
import { UNLIMITED_ROOM } from '../store/accounts.ts'
import type { Store } from '../store/connect.ts'
import type { KeyRecord } from '../store/keys.ts'
import { journalChanges } from './changes.ts'
import { formatUsd, type NanoUsd } from './money.ts'
import { Pairs, recheckPairs, type Suspect } from './pairs.ts'
import { addUp, type Books } from './sums.ts'
import { hasLimits, limitDrift } from './verify_limits.ts'
import { lotDrift, suspectLots } from './verify_lots.ts'

/** One amount that is not what the entries say; amounts in USD with nine places. */
export interface Drift {
  account_id: string
  /** Of what one job and its entry disagree about. */
  job_id?: string
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

/** How long what differs is read again, for work goes on meanwhile; and an account that merely moves. */
const DIFFERS_MS = 5000
const MOVES_MS = 500
const REREAD_MS = 100

/** How many accounts or keys are looked at again at once. */
const AT_ONCE = 16

/** Reads everything. What differs is looked at again for `differs_ms` before it is reported. */
export async function verify(store: Store, differs_ms = DIFFERS_MS): Promise<Verification> {
  const pairs = new Pairs(store)
  const books = await addUp(store, undefined, (entry) => pairs.take(entry))
  const known = new Set<string>()
  const keys = new Map<string, NanoUsd>()
  const suspects: ((patience_ms: number) => Promise<Drift[]>)[] = []
  for await (const account of store.accounts.find()) {
    known.add(account._id)
    for (const [key_id, spend] of Object.entries(account.keys)) keys.set(key_id, limitIn(spend))
    if (check(account, account, books).length > 0)
      suspects.push((patience_ms) => recheck(store, account._id, patience_ms))
    if (hasLimits(account)) suspects.push(() => limitDrift(store, account._id, differs_ms))
  }
  for (const account_id of books.accounts()) {
    if (!known.has(account_id)) suspects.push(() => checkPresence(store, account_id, books))
  }
  for await (const key of store.keys.find({ kind: 'caller' })) {
    if (limitOf(key) !== keys.get(key._id)) suspects.push((patience_ms) => recheckKey(store, key._id, patience_ms))
  }
  for (const account_id of await suspectLots(store))
    suspects.push((patience_ms) => recheckLots(store, account_id, patience_ms))
  const drift = await pairDrift(store, await pairs.rest(), differs_ms)
  // Where much is wrong, most of it has been so for long when its turn comes.
  const until = Date.now() + differs_ms
  while (suspects.length > 0) {
    const patience_ms = Math.max(until - Date.now(), Math.min(differs_ms, MOVES_MS))
    const found = await Promise.all(suspects.splice(0, AT_ONCE).map((look) => look(patience_ms)))
    drift.push(...found.flat())
  }
  return { ok: drift.length === 0, accounts: known.size, entries: books.entries, pending: books.pending, drift }
}

/** An account that was opened while the others were read is no fault. */
async function checkPresence(store: Store, account_id: string, books: Books): Promise<Drift[]> {
  if (await store.accounts.findOne({ _id: account_id }, { projection: { _id: 1 } })) return []
  const { grants, settled } = books.of(account_id)
  return [difference(account_id, 'entries of an account that is not there', 0n, grants + settled)]
}

/**
 * The account before and after its entries are added up: credit given and credit settled hardly ever shrink, so what the
 * entries say lies between the two, and is equal to both when nothing moved. An account that never rests is held to that.
 */
async function recheck(store: Store, account_id: string, differs_ms: number): Promise<Drift[]> {
  const began_at = Date.now()
  for (;;) {
    const before = await store.accounts.findOne({ _id: account_id })
    if (!before) return []
    await journalChanges(store, before)
    const books = await addUp(store, account_id)
    const after = await store.accounts.findOne({ _id: account_id })
    if (!after) return []
    const found = check(before, after, books)
    const rests = before.settled === after.settled && before.credits === after.credits
    const spent_ms = Date.now() - began_at
    if (found.length === 0 ? rests || spent_ms > MOVES_MS : spent_ms > differs_ms) return found
    await pause(REREAD_MS)
  }
}

function check(before: AccountRecord, account: AccountRecord, books: Books): Drift[] {
  const { _id, credits, available, held, settled } = account
  const { grants, settled: charged, crooked, unanswered } = books.of(_id)
  const holds = Object.values(account.holds)
  const keys = Object.entries(account.keys)
  const heldBy = (key_id: string) => sum(holds.filter((hold) => hold.key_id === key_id).map(({ amount }) => amount))
  const found: [what: string, expected: NanoUsd, found: NanoUsd][] = [
    ['credits', within(grants, before.credits, credits), credits],
    ['settled', within(charged, before.settled, settled), settled],
    ['held', sum(holds.map(({ amount }) => amount)), held],
    ['available', credits - held - settled, available],
    ['settled by keys', settled, sum(keys.map(([, spend]) => spend.settled))],
    ['legs of entries', 0n, crooked],
    ['other side of entries', 0n, unanswered],
    ...keys.map(([key_id, spend]): [string, NanoUsd, NanoUsd] => [`held by ${key_id}`, heldBy(key_id), spend.held]),
  ]
  for (const [what, amount] of Object.entries({ available, held })) {
    if (amount < 0n) found.push([`${what} is below zero`, 0n, amount])
  }
  return found
    .filter(([, expected, is]) => expected !== is)
    .map(([what, expected, is]) => difference(_id, what, expected, is))
}

/** What lies between the two readings agrees with the later one. */
const within = (amount: NanoUsd, before: NanoUsd, after: NanoUsd): NanoUsd =>
  (before <= amount && amount <= after) || (after <= amount && amount <= before) ? after : amount

/** Lots of an account that never rests are read again until they were read in between two changes. */
async function recheckLots(store: Store, account_id: string, differs_ms: number): Promise<Drift[]> {
  const until = Date.now() + differs_ms
  for (;;) {
    const found = await lotDrift(store, account_id)
    if (found?.length === 0 || Date.now() > until)
      return (found ?? []).map(({ what, expected, found: is }) => difference(account_id, what, expected, is))
    await pause(REREAD_MS)
  }
}

/** A limit that is being changed is looked at until it is. */
async function recheckKey(store: Store, key_id: string, differs_ms: number): Promise<Drift[]> {
  const until = Date.now() + differs_ms
  for (;;) {
    const key = await store.keys.findOne({ _id: key_id })
    const found = key ? await keyDrift(store, key) : undefined
    if (!found) return []
    if (Date.now() > until) return [found]
    await pause(REREAD_MS)
  }
}

/** The room of a key is its limit less what it used. */
async function keyDrift(store: Store, { _id, account_id, limit }: KeyRecord): Promise<Drift | undefined> {
  const account = await store.accounts.findOne({ _id: account_id }, { projection: { [`keys.${_id}`]: 1 } })
  const spend = account?.keys?.[_id]
  const [expected, found] = [limitOf({ limit }), spend ? limitIn(spend) : 0n]
  return found === expected ? undefined : difference(account_id, `limit of ${_id}`, expected, found)
}

const limitOf = ({ limit }: Pick<KeyRecord, 'limit'>): NanoUsd => limit ?? UNLIMITED_ROOM
const limitIn = ({ room, held, settled }: KeySpend): NanoUsd => room + held + settled

async function pairDrift(store: Store, suspects: Suspect[], differs_ms: number): Promise<Drift[]> {
  const found = await recheckPairs(store, suspects, differs_ms)
  return found.map(({ account_id, job_id, what, expected, found }) => ({
    ...difference(account_id, what, expected, found),
    job_id,
  }))
}

const sum = (amounts: NanoUsd[]): NanoUsd => amounts.reduce((total, amount) => total + amount, 0n)

const difference = (account_id: string, what: string, expected: NanoUsd, found: NanoUsd): Drift => ({
  account_id,
  what,
  expected_usd: formatUsd(expected),
  found_usd: formatUsd(found),
})
