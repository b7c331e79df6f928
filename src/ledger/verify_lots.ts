// Proves the lots: what remains in them is what the account can still spend, and every one of them adds up. It only reads,
// but for what it attributes when an account differs.
import type { Store } from '../store/connect.ts'
import type { LotBookRecord } from '../store/lots.ts'
import { journalChanges } from './changes.ts'
import { allocate } from './lots.ts'
import type { NanoUsd } from './money.ts'
import { repeatUntilKnown } from './writes.ts'

interface LotSums {
  remaining: NanoUsd
  /** By how much lots differ from what became of them. */
  crooked: NanoUsd
}

export interface LotDrift {
  what: string
  expected: NanoUsd
  found: NanoUsd
}

/**
 * Of all accounts at once, while work goes on: those whose lots seem to differ. An account without a lot book has never
 * been attributed, and is no fault.
 */
export async function suspectLots(store: Store): Promise<string[]> {
  const [lots, unattributed] = [await sumLots(store, {}), await sumUnattributed(store, {})]
  const spendable = new Map<string, NanoUsd>()
  for await (const { _id, available, held } of store.accounts.find({}, { projection: { available: 1, held: 1 } }))
    spendable.set(_id, available + held)
  const suspects: string[] = []
  for await (const book of store.lot_books.find({}, { projection: { taking: 1 } })) {
    const { remaining, crooked } = lots.get(book._id) ?? NONE
    const pending = unattributed.get(book._id) ?? 0n
    if (crooked !== 0n || remaining !== (spendable.get(book._id) ?? 0n) + pending || book.taking)
      suspects.push(book._id)
  }
  return suspects
}

const NONE: LotSums = { remaining: 0n, crooked: 0n }

/**
 * One account exactly: everything journaled is attributed first, and the book is read before and after the lots, which no
 * one changes but by a step of it. Undefined where that was not to be had; look again.
 */
export async function lotDrift(store: Store, account_id: string): Promise<LotDrift[] | undefined> {
  const account = await repeatUntilKnown(() => store.accounts.findOne({ _id: account_id }))
  if (!account) return []
  await journalChanges(store, account)
  const allocated = await allocate(store, account_id)
  if (!allocated) return []
  const { book } = allocated
  const lots = (await sumLots(store, { account_id })).get(account_id) ?? NONE
  const borne = await sumAttributed(store, account_id)
  const after = await store.accounts.findOne({ _id: account_id }, { projection: { credits: 1, applied: 1 } })
  const later: LotBookRecord | null = await store.lot_books.findOne({ _id: account_id })
  const moved = after?.credits !== account.credits || after.applied.length !== account.applied.length
  if (later?.step !== book.step || moved) return undefined
  const found: [what: string, expected: NanoUsd, found: NanoUsd][] = [
    ['remaining in lots', account.credits - book.attributed, lots.remaining],
    ['spent from lots', borne, book.attributed],
    ['what became of lots', 0n, lots.crooked],
    ['not borne by any lot', 0n, (await sumUnattributed(store, { account_id })).get(account_id) ?? 0n],
  ]
  const drift = found.filter(([, expected, is]) => expected !== is)
  // A charge that was journaled just now is attributed the next time.
  if (!allocated.short && drift.some(([what]) => what.startsWith('not borne'))) return undefined
  return drift.map(([what, expected, is]) => ({ what, expected, found: is }))
}

async function sumLots({ lots }: Store, match: object): Promise<Map<string, LotSums>> {
  const groups = await lots
    .aggregate<{ _id: string } & Record<'amount' | 'remaining' | 'spent' | 'expired' | 'reclaimed', bigint>>([
      { $match: match },
      {
        $group: {
          _id: '$account_id',
          amount: { $sum: '$amount' },
          remaining: { $sum: '$remaining' },
          spent: { $sum: '$spent' },
          expired: { $sum: '$expired' },
          reclaimed: { $sum: '$reclaimed' },
        },
      },
    ])
    .toArray()
  return new Map(
    groups.map(({ _id, amount, remaining, spent, expired, reclaimed }) => {
      const became = BigInt(remaining) + BigInt(spent) + BigInt(expired) + BigInt(reclaimed)
      return [_id, { remaining: BigInt(remaining), crooked: BigInt(amount) - became }]
    }),
  )
}

const SIGNED = { $sum: { $cond: [{ $eq: ['$type', 'refund'] }, { $multiply: ['$amount', -1] }, '$amount'] } }

/** What is journaled and not borne by lots yet: charges, less refunds. That index holds nothing else. */
async function sumUnattributed({ entries }: Store, match: object): Promise<Map<string, NanoUsd>> {
  const groups = await entries
    .aggregate<{ _id: string; amount: bigint }>([
      { $match: { unattributed: true, ...match } },
      { $group: { _id: '$account_id', amount: SIGNED } },
    ])
    .toArray()
  return new Map(groups.map(({ _id, amount }) => [_id, BigInt(amount)]))
}

async function sumAttributed({ entries }: Store, account_id: string): Promise<NanoUsd> {
  const charges = { account_id, type: { $in: ['settle', 'refund'] }, lots: { $exists: true } }
  const [sum] = await entries
    .aggregate<{ amount: bigint }>([{ $match: charges }, { $group: { _id: null, amount: SIGNED } }])
    .toArray()
  return BigInt(sum?.amount ?? 0n)
}
