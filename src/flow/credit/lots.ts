// Lots as callers and admins see them, brought up to date before anyone looks. What they are is the ledger's business.

import { openLots } from '../../ledger/lots.ts'
import { formatUsd } from '../../ledger/money.ts'
import { expireLots } from '../../ledger/take.ts'
import { repeatUntilKnown } from '../../ledger/writes.ts'
import type { LotKind, LotRecord, LotSource } from '../../store/lots.ts'
import { type Page, type PageQuery, pageBy } from '../../store/page.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'

export { LOT_KINDS } from '../../store/lots.ts'

export type LotServices = Pick<Services, 'store' | 'ledger' | 'log'>

/** `amount_usd` = remaining + spent + expired + reclaimed. */
export interface LotView {
  id: string
  object: 'lot'
  kind: LotKind
  amount_usd: string
  remaining_usd: string
  spent_usd: string
  expired_usd: string
  /** Taken back by an admin. */
  reclaimed_usd: string
  expires_at: number | null
  source: LotSource
  reason: string
  created_at: number | null
}

export const lotView = (lot: LotRecord): LotView => ({
  id: lot._id,
  object: 'lot',
  kind: lot.kind,
  amount_usd: formatUsd(lot.amount),
  remaining_usd: formatUsd(lot.remaining),
  spent_usd: formatUsd(lot.spent),
  expired_usd: formatUsd(lot.expired),
  reclaimed_usd: formatUsd(lot.reclaimed),
  expires_at: seconds(lot.expires_at),
  source: lot.source,
  reason: lot.reason,
  created_at: seconds(lot.created_at),
})

/** Attributes what was settled and takes out what expired; what cannot be done now is logged, and tried again by the keeper. */
export async function settleLots({ store, ledger, log }: LotServices, account_id: string): Promise<void> {
  await ledger.flush()
  try {
    if (await expireLots(store, account_id)) return
    log.error({ account: account_id }, 'The lots of an account cannot bear its charges: npm run verify tells more.')
  } catch (error) {
    log.error({ account: account_id, error }, 'The lots of an account could not be brought up to date yet.')
  }
}

/** What can still be spent, in the order in which it will be. */
export async function spendableLots({ store }: Pick<Services, 'store'>, account_id: string): Promise<LotView[]> {
  return (await openLots(store, account_id)).map(lotView)
}

/** Every lot that there ever was, newest first. */
export async function listLots(services: LotServices, account_id: string, query: PageQuery): Promise<Page<LotView>> {
  await settleLots(services, account_id)
  const { items, has_more } = await repeatUntilKnown(() =>
    pageBy('created_at', services.store.lots, { account_id }, query),
  )
  return { items: items.map(lotView), has_more }
}
