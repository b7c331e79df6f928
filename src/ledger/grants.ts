// Credit given to accounts, and the spending limits of keys: the changes of an account that no job makes.

import { type AccountRecord, type AppliedChange, UNLIMITED_ROOM } from '../store/accounts.ts'
import type { Store } from '../store/connect.ts'
import type { LotTerms } from '../store/lots.ts'
import { ignoreDuplicate, journalChanges } from './changes.ts'
import type { NanoUsd } from './money.ts'
import { repeatUntilKnown } from './writes.ts'

export interface Grant {
  /** The caller's own id of the grant: the same id is credited once, however often it is delivered. */
  id: string
  account_id: string
  amount: NanoUsd
  reason: string
  by: string
  /** Of its lot; paid and without end, where nothing is said. */
  terms?: LotTerms
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
export function grant(store: Store, grant: Grant): Promise<AccountRecord | undefined> {
  return grantLots(store, grant.account_id, [grant])
}

/** Several lots in one update, all of them or none. The first one's id is known only if all were given. */
export async function grantLots(
  store: Store,
  account_id: string,
  lots: [Omit<Grant, 'account_id'>, ...Omit<Grant, 'account_id'>[]],
): Promise<AccountRecord | undefined> {
  const at = new Date()
  const applied = lots.map(
    ({ id, amount, reason, by, terms }): AppliedChange => ({
      ...{ id, type: 'grant', amount, reason, by, at },
      ...(terms && { terms }),
    }),
  )
  const [{ id }] = lots
  const sum = lots.reduce((total, { amount }) => total + amount, 0n)
  // Looked up first: the account forgets a grant a day after it was journaled.
  const known = await repeatUntilKnown(() => store.entries.findOne({ _id: id }))
  if (!known) {
    await repeatUntilKnown(() =>
      store.accounts.updateOne(
        { _id: account_id, 'applied.id': { $ne: id } },
        { $inc: { credits: sum, available: sum }, $push: { applied: { $each: applied } } },
      ),
    )
  }
  const account = await repeatUntilKnown(() => store.accounts.findOne({ _id: account_id }))
  if (account) await journalChanges(store, account)
  return account ?? undefined
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
