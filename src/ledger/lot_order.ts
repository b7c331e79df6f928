// Which lots bear what: the order in which they are drawn on, the parts of an entry, and what a refund gives back. Pure:
// the same lots and entries always give the same answer.
import type { LotPart, LotRecord } from '../store/lots.ts'
import type { NanoUsd } from './money.ts'

/** Half of a lot's terms: enough to put it in order. */
type Ordered = Pick<LotRecord, '_id' | 'kind' | 'expires_at' | 'created_at'>

/** First what expires first and last what never does; of the same day the promotional, then the older. */
export function inSpendingOrder<Lot extends Ordered>(lots: readonly Lot[]): Lot[] {
  return lots.toSorted(
    (a, b) =>
      expiryOf(a) - expiryOf(b) ||
      Number(a.kind === 'paid') - Number(b.kind === 'paid') ||
      a.created_at.getTime() - b.created_at.getTime() ||
      (a._id < b._id ? -1 : 1),
  )
}

const NEVER = 8.64e15
const expiryOf = ({ expires_at }: Ordered): number => expires_at?.getTime() ?? NEVER

export interface Share {
  lot: string
  amount: NanoUsd
}

/** What each of the lots gives of an amount, in their order; undefined where they have not enough together. */
export function draw(lots: Iterable<Pick<LotRecord, '_id' | 'remaining'>>, amount: NanoUsd): Share[] | undefined {
  const shares: Share[] = []
  let open = amount
  for (const { _id, remaining } of lots) {
    if (open === 0n) break
    const share = min(remaining, open)
    if (share > 0n) shares.push({ lot: _id, amount: share })
    open -= share
  }
  return open === 0n ? shares : undefined
}

/** As the entry keeps it: the last lot bears the rest, so that entries of one lot alone are written alike. */
export const partsOf = (shares: readonly Share[]): LotPart[] =>
  shares.map(({ lot, amount }, index) => (index === shares.length - 1 ? { lot } : { lot, amount }))

export function sharesOf(parts: readonly LotPart[], amount: NanoUsd): Share[] {
  let rest = amount
  return parts.map(({ lot, amount: share = rest }) => {
    rest -= share
    return { lot, amount: share }
  })
}

/**
 * What a refund gives back: of the lots that bore the charge the last first, as though the job had cost that much less.
 * `before` was given back already.
 */
export function givenBack(shares: readonly Share[], before: NanoUsd, amount: NanoUsd): Share[] {
  const given: Share[] = []
  let from = 0n
  for (const { lot, amount: share } of shares.toReversed()) {
    const low = max(from, before)
    const high = min(from + share, before + amount)
    if (high > low) given.push({ lot, amount: high - low })
    from += share
  }
  return given
}

/**
 * What may leave each of the expired lots: all but what is set aside, of which the lots that expired first bear first.
 * `setAside` tells how much of it may still fall on a lot that expired then.
 */
export function expirable<Lot extends Pick<LotRecord, '_id' | 'remaining' | 'expires_at'>>(
  expired: readonly Lot[],
  setAside: (expires_at: Date) => NanoUsd,
): Share[] {
  let kept = 0n
  return expired.flatMap(({ _id, remaining, expires_at }) => {
    if (!expires_at) return []
    const keep = min(remaining, max(setAside(expires_at) - kept, 0n))
    kept += keep
    return remaining > keep ? [{ lot: _id, amount: remaining - keep }] : []
  })
}

const min = (a: NanoUsd, b: NanoUsd): NanoUsd => (a < b ? a : b)
const max = (a: NanoUsd, b: NanoUsd): NanoUsd => (a > b ? a : b)
