// Credit that leaves an account without a job: what is left of a lot whose time is over, and what an admin takes back. Never
// more than is available, so nothing that is held for a job.
import type { AccountRecord } from '../store/accounts.ts'
import type { Store } from '../store/connect.ts'
import type { EntryRecord } from '../store/entries.ts'
import type { LotRecord, Taking } from '../store/lots.ts'
import { expirable } from './lot_order.ts'
import { allocate, openLots, takeStep } from './lots.ts'
import type { NanoUsd } from './money.ts'
import { repeatUntilKnown } from './writes.ts'

const BY = 'expiry'

/**
 * Attributes what is settled, then takes what is left of expired lots out of the account. What was held before a lot
 * expired stays in it until those jobs have ended: it is taken by a later call. False where the books are damaged.
 */
export async function expireLots(store: Store, account_id: string, now = new Date()): Promise<boolean> {
  const refused = new Set<string>()
  for (;;) {
    const allocated = await allocate(store, account_id)
    if (!allocated) return true
    if (allocated.short) return false
    const lots = await openLots(store, account_id)
    const expired = lots.filter(({ expires_at }) => expires_at !== null && expires_at <= now)
    if (expired.length === 0) return true
    const account = await repeatUntilKnown(() => store.accounts.findOne({ _id: account_id }))
    if (!account) return true
    const share = expirable(expired, setAsideIn(account, lots)).find(({ lot }) => !refused.has(lot))
    const lot = expired.find(({ _id }) => _id === share?.lot)
    if (!share || !lot) return true
    // Where all of it is held by younger jobs, nothing is taken this time; the next look may find more.
    refused.add(lot._id)
    const { book } = allocated
    await begin(store, book, lot, {
      ...{ id: `${lot._id}:x${book.step + 1}`, type: 'expire', lot: lot._id, amount: share.amount, whole: false },
      ...{ reason: 'Expired', by: BY },
    })
  }
}

/** What may still be charged to a lot that expired then: what is settled and not attributed, and what was held before. */
function setAsideIn({ available, held, holds }: AccountRecord, lots: LotRecord[]): (expires_at: Date) => NanoUsd {
  const remaining = lots.reduce((total, lot) => total + lot.remaining, 0n)
  const pending = remaining - available - held
  return (expires_at) =>
    Object.values(holds)
      .filter(({ at }) => at < expires_at)
      .reduce((total, { amount }) => total + amount, pending > 0n ? pending : 0n)
}

export interface Reclaim {
  /** The same id takes once, however often it is delivered. */
  id: string
  account_id: string
  lot: string
  amount: NanoUsd
  reason: string
  by: string
}

export type Reclaimed = { taken: true; entry: EntryRecord } | { taken: false; unspent: NanoUsd; available: NanoUsd }

/** Takes back what was not spent of a lot: all of the amount, or nothing. Undefined where there is no such lot. */
export async function reclaim(
  store: Store,
  { id, account_id, lot, amount, reason, by }: Reclaim,
): Promise<Reclaimed | undefined> {
  for (;;) {
    const allocated = await allocate(store, account_id)
    const source = await repeatUntilKnown(() => store.lots.findOne({ _id: lot, account_id }))
    const account = await repeatUntilKnown(() => store.accounts.findOne({ _id: account_id }))
    const entry = await repeatUntilKnown(() => store.entries.findOne({ _id: id }))
    if (entry) return { taken: true, entry }
    if (!allocated || !source || !account) return undefined
    const applied = account.applied.find((change) => change.id === id)
    const refused = { taken: false as const, unspent: source.remaining, available: account.available }
    if (applied?.amount === 0n) return refused
    if (applied || source.remaining < amount || account.available < amount) {
      // A step in between may have been this very taking, by somebody else: only a book at rest says no.
      const book = await repeatUntilKnown(() => store.lot_books.findOne({ _id: account_id }))
      if (!applied && book?.step === allocated.book.step) return refused
      continue
    }
    await begin(store, allocated.book, source, { id, type: 'reclaim', lot, amount, whole: true, reason, by })
  }
}

/** The lot gives it up first, in a step of its book; carrying that out is `allocate`'s, as it is of whoever comes by. */
function begin(store: Store, book: Parameters<typeof takeStep>[1], lot: LotRecord, taking: Taking): Promise<boolean> {
  const given = { ...lot, remaining: lot.remaining - taking.amount }
  return takeStep(store, book, { attributed: book.attributed, lots: [given], opened: [], parts: [], taking })
}
