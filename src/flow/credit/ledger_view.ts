// The ledger as an admin reads it: entries of all accounts or of one user's. It reads and never writes.
import { sharesOf } from '../../ledger/lot_order.ts'
import { formatUsd } from '../../ledger/money.ts'
import { repeatUntilKnown } from '../../ledger/writes.ts'
import type { EntryRecord } from '../../store/entries.ts'
import { type Page, type PageQuery, pageByTime } from '../../store/page.ts'
import { userNotFound } from '../account/accounts.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'

export interface EntryView {
  id: string
  object: 'entry'
  account_id: string
  type: EntryRecord['type']
  /** What the account gained (grant, refund) or lost (settle, expire, reclaim). */
  amount_usd: string
  /** Add up to zero. */
  legs: { ledger: string; amount_usd: string }[]
  /** Which lots bear it; null until that is written, a few seconds later. */
  lots: { lot_id: string; amount_usd: string }[] | null
  job_id: string | null
  key_id: string | null
  reason: string | null
  by: string | null
  at: number | null
}

/** Throws Failure user_not_found. */
export async function listEntries(
  { store, ledger }: Pick<Services, 'store' | 'ledger'>,
  { user_id, ...query }: PageQuery & { user_id?: string | undefined },
): Promise<Page<EntryView>> {
  await ledger.flush()
  const filter = user_id === undefined ? {} : { account_id: await accountOf({ store }, user_id) }
  const { items, has_more } = await pageByTime(store.entries, filter, query)
  return { items: items.map(entryView), has_more }
}

/** The account of a user. Throws Failure user_not_found. */
export async function accountOf({ store }: Pick<Services, 'store'>, user_id: string): Promise<string> {
  const user = await repeatUntilKnown(() => store.users.findOne({ _id: user_id }))
  if (!user) throw userNotFound(user_id)
  return user.account_id
}

export const entryView = ({ _id, amount, legs, at, ...entry }: EntryRecord): EntryView => ({
  id: _id,
  object: 'entry',
  account_id: entry.account_id,
  type: entry.type,
  amount_usd: formatUsd(amount),
  legs: legs.map(({ ledger, amount }) => ({ ledger, amount_usd: formatUsd(amount) })),
  lots: entry.lots
    ? sharesOf(entry.lots, amount).map((share) => ({ lot_id: share.lot, amount_usd: formatUsd(share.amount) }))
    : null,
  job_id: entry.job_id,
  key_id: entry.key_id,
  reason: entry.reason,
  by: entry.by,
  at: seconds(at),
})
