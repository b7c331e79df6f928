// Changes of an account that no job makes: each is applied by one guarded update that holds the whole of it, then journaled
// with its lot. Whoever finds one that is applied may journal it; nothing here decides whether it should be.
import type { AccountRecord, AppliedChange } from '../store/accounts.ts'
import type { Store } from '../store/connect.ts'
import type { EntryRecord, EntryType } from '../store/entries.ts'
import type { LotRecord, LotTerms } from '../store/lots.ts'
import { isDuplicate, repeatUntilKnown } from './writes.ts'

const DAY_MS = 24 * 3600 * 1000

/** What each type of entry does to the account, and the ledger on its other side. */
export const ENTRY_SIDES: Record<EntryType, { gains: boolean; other: string }> = {
  grant: { gains: true, other: 'grants' },
  settle: { gains: false, other: 'revenue' },
  refund: { gains: true, other: 'revenue' },
  expire: { gains: false, other: 'expired' },
  reclaim: { gains: false, other: 'grants' },
}

export function legsOf(account_id: string, type: EntryType, amount: bigint): EntryRecord['legs'] {
  const { gains, other } = ENTRY_SIDES[type]
  const own = gains ? amount : -amount
  return [
    { ledger: `account:${account_id}`, amount: own },
    { ledger: other, amount: -own },
  ]
}

/**
 * Writes the lots and entries of what is applied, then forgets what was journaled a day ago. Safe to repeat by anyone.
 * The lots come first: an entry that is there says that its lot is.
 */
export async function journalChanges(store: Store, account: Pick<AccountRecord, '_id' | 'applied'>): Promise<void> {
  const { _id: account_id, applied } = account
  if (applied.length === 0) return
  const made = applied.filter(({ amount }) => amount > 0n)
  const lots = made.filter((change) => typeOf(change) === 'grant').map((change) => lotOf(account_id, change))
  if (lots.length > 0)
    await repeatUntilKnown(() => store.lots.insertMany(lots, { ordered: false }).catch(ignoreDuplicate))
  const entries = made.map((change) => entryOf(account_id, change))
  if (entries.length > 0)
    await repeatUntilKnown(() => store.entries.insertMany(entries, { ordered: false }).catch(ignoreDuplicate))
  const old = applied.filter(({ at }) => at.getTime() < Date.now() - DAY_MS).map(({ id }) => id)
  if (old.length === 0) return
  await repeatUntilKnown(() =>
    store.accounts.updateOne({ _id: account_id }, { $pull: { applied: { id: { $in: old } } } }),
  )
}

const typeOf = ({ type = 'grant' }: AppliedChange) => type

/** What a grant says that says nothing of its lot, as all did before there were lots. */
export const PLAIN_TERMS: LotTerms = { kind: 'paid', expires_at: null, source: { type: 'grant', id: null } }

type Granted = Pick<AppliedChange, 'id' | 'amount' | 'reason' | 'at' | 'terms'>

export const lotOf = (account_id: string, { id, amount, reason, at, terms = PLAIN_TERMS }: Granted): LotRecord => ({
  _id: id,
  account_id,
  ...terms,
  amount,
  remaining: amount,
  spent: 0n,
  expired: 0n,
  reclaimed: 0n,
  reason,
  created_at: at,
  step: 0,
  open: true,
})

function entryOf(account_id: string, change: AppliedChange): EntryRecord {
  const { id, amount, reason, by, at, job_id = null, key_id = null, lot, before } = change
  const type = typeOf(change)
  return {
    _id: id,
    account_id,
    type,
    amount,
    legs: legsOf(account_id, type, amount),
    job_id,
    key_id,
    reason,
    by,
    at,
    ...(type === 'refund' ? { before: before ?? 0n, unattributed: true } : { lots: [{ lot: lot ?? id }] }),
  }
}

export function ignoreDuplicate(error: unknown): void {
  if (!isDuplicate(error)) throw error
}
