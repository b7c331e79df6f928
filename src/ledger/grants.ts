// Credit given to accounts, and the spending limits of keys: the changes of an account that no job makes.

import { type AccountRecord, type AppliedGrant, UNLIMITED_ROOM } from '../store/accounts.ts'
import type { Store } from '../store/connect.ts'
import type { EntryRecord } from '../store/entries.ts'
import type { NanoUsd } from './money.ts'
import { isDuplicate, repeatUntilKnown } from './writes.ts'

const DAY_MS = 24 * 3600 * 1000

export interface Grant {
  /** The caller's own id of the grant: the same id is credited once, however often it is delivered. */
  id: string
  account_id: string
  amount: NanoUsd
  reason: string
  by: string
}

/** A new account, without credit. */
export async function openAccount(store: Store, id: string, name: string): Promise<void> {
  const account: AccountRecord = {
    _id: id,
    name,
    credits: 0n,
    available: 0n,
    held: 0n,
    settled: 0n,
    holds: {},
    keys: {},
    applied: [],
    created_at: new Date(),
  }
  await repeatUntilKnown(() => store.accounts.insertOne(account).catch(ignoreDuplicate))
}

/** Adds credit once; answers the account as it stands, or undefined where there is no such account. */
export async function grant(
  store: Store,
  { id, account_id, amount, reason, by }: Grant,
): Promise<AccountRecord | undefined> {
  const applied: AppliedGrant = { id, amount, reason, by, at: new Date() }
  // Looked up first: the account forgets a grant a day after it was journaled.
  const known = await repeatUntilKnown(() => store.entries.findOne({ _id: id }))
  if (!known) {
    await repeatUntilKnown(() =>
      store.accounts.updateOne(
        { _id: account_id, 'applied.id': { $ne: id } },
        { $inc: { credits: amount, available: amount }, $push: { applied } },
      ),
    )
  }
  const account = await repeatUntilKnown(() => store.accounts.findOne({ _id: account_id }))
  if (account) await journalGrants(store, account)
  return account ?? undefined
}

/** Writes the entries of what is applied, then forgets what was journaled a day ago. Safe to repeat by anyone. */
export async function journalGrants(store: Store, account: Pick<AccountRecord, '_id' | 'applied'>): Promise<void> {
  const entries = account.applied.map((each) => grantEntry(account._id, each))
  if (entries.length === 0) return
  await repeatUntilKnown(() => store.entries.insertMany(entries, { ordered: false }).catch(ignoreDuplicate))
  const old = account.applied.filter(({ at }) => at.getTime() < Date.now() - DAY_MS).map(({ id }) => id)
  if (old.length === 0) return
  await repeatUntilKnown(() =>
    store.accounts.updateOne({ _id: account._id }, { $pull: { applied: { id: { $in: old } } } }),
  )
}

function grantEntry(account_id: string, { id, amount, reason, by, at }: AppliedGrant): EntryRecord {
  return {
    _id: id,
    account_id,
    type: 'grant',
    amount,
    legs: [
      { ledger: `account:${account_id}`, amount },
      { ledger: 'grants', amount: -amount },
    ],
    job_id: null,
    key_id: null,
    reason,
    by,
    at,
  }
}

/** Sets what a key may spend in all (null: no limit), whatever it holds or has settled at this moment. */
export async function limitKey(store: Store, account_id: string, key_id: string, limit: NanoUsd | null): Promise<void> {
  const field = `keys.${key_id}`
  for (;;) {
    const account = await repeatUntilKnown(() =>
      store.accounts.findOne({ _id: account_id }, { projection: { [field]: 1 } }),
    )
    if (!account) throw new Error(`Account ${account_id} is not in the store.`)
    const spend = account.keys?.[key_id]
    const used = spend ?? { held: 0n, settled: 0n }
    const room = (limit ?? UNLIMITED_ROOM) - used.held - used.settled
    // Applies only to the spend that was read; a hold or settlement in between means reading again.
    const unchanged = spend
      ? { [`${field}.held`]: spend.held, [`${field}.settled`]: spend.settled }
      : { [field]: { $exists: false } }
    const change = spend ? { [`${field}.room`]: room } : { [field]: { room, ...used } }
    const { matchedCount } = await repeatUntilKnown(() =>
      store.accounts.updateOne({ _id: account_id, ...unchanged }, { $set: change }),
    )
    if (matchedCount === 1) return
  }
}

function ignoreDuplicate(error: unknown) {
  if (!isDuplicate(error)) throw error
}
