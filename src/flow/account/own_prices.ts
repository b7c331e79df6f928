// Selling prices of accounts: set and taken away by admins, read with the key of whoever calls, used wherever that caller is
// told or charged a price. A change reaches every router within the time for which callers are remembered.
import type { Operation } from '../../contract.ts'
import { repeatUntilKnown } from '../../ledger/writes.ts'
import type { Adjustment, Quote } from '../../pricing/schema.ts'
import { type OwnPrice, ownAdjustment, quoteAt } from '../../pricing/selling.ts'
import type { Offer } from '../../registry.ts'
import type { AccountPriceRecord } from '../../store/account_prices.ts'
import type { Store } from '../../store/connect.ts'
import { accountOf } from '../credit/ledger_view.ts'
import { Failure } from '../failure.ts'
import { newId } from '../ids.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'
import { audit } from './audit.ts'

/** Prices of an account in all, past ones included. */
const PRICES_MAX = 1000

/** The offer's price for this caller; undefined before its first price. */
export function sellingQuote(offer: Offer, prices: readonly OwnPrice[] | undefined, at: Date): Quote | undefined {
  const quote = offer.quote(at)
  return quote && prices ? quoteAt(quote, ownAdjustment(prices, offer, at.getTime())) : quote
}

/** Undefined for the many accounts that have none. */
export async function readOwnPrices({ account_prices }: Store, account_id: string): Promise<OwnPrice[] | undefined> {
  const records = await repeatUntilKnown(() => account_prices.find({ account_id }).sort({ _id: 1 }).toArray())
  return records.length > 0 ? records.map(ownPriceOf) : undefined
}

const ownPriceOf = ({ model, operation, from, ...record }: AccountPriceRecord): OwnPrice => ({
  ...(model !== null && { model }),
  ...(operation !== null && { operation }),
  adjustment: adjustmentOf(record),
  from: from.getTime(),
})

const adjustmentOf = ({ discount, margin }: Pick<AccountPriceRecord, 'discount' | 'margin'>): Adjustment => ({
  ...(discount !== null && { discount }),
  ...(margin !== null && { margin }),
})

export interface OwnPriceFields extends Adjustment {
  model: string | null
  operation: Operation | null
  from: Date
}

export interface OwnPriceView {
  id: string
  object: 'account_price'
  account_id: string
  model: string | null
  operation: Operation | null
  discount: string | null
  margin: string | null
  from: number | null
  created_at: number | null
}

export type OwnPriceServices = Pick<Services, 'store' | 'callers'>

/** Throws Failure user_not_found and too_many_prices. */
export async function setOwnPrice(
  services: OwnPriceServices,
  user_id: string,
  { model, operation, from, discount, margin }: OwnPriceFields,
  by: string,
): Promise<OwnPriceView> {
  const { store, callers } = services
  const account_id = await accountOf(services, user_id)
  if ((await repeatUntilKnown(() => store.account_prices.countDocuments({ account_id }))) >= PRICES_MAX)
    throw new Failure(
      409,
      'too_many_prices',
      `An account has at most ${PRICES_MAX} prices of its own. Delete old ones.`,
    )
  const record: AccountPriceRecord = {
    ...{ _id: newId('price'), account_id, model, operation, from, by, created_at: new Date() },
    ...{ discount: discount ?? null, margin: margin ?? null },
  }
  await repeatUntilKnown(() => store.account_prices.replaceOne({ _id: record._id }, record, { upsert: true }))
  callers.forgetAccount(account_id)
  const view = priceView(record)
  await audit(services, { by, action: 'price.set', subject: user_id, detail: { ...view } })
  return view
}

export async function listOwnPrices(services: OwnPriceServices, user_id: string): Promise<OwnPriceView[]> {
  const account_id = await accountOf(services, user_id)
  const records = await repeatUntilKnown(() =>
    services.store.account_prices.find({ account_id }).sort({ _id: -1 }).toArray(),
  )
  return records.map(priceView)
}

/** Throws Failure user_not_found and price_not_found. */
export async function deleteOwnPrice(
  services: OwnPriceServices,
  user_id: string,
  id: string,
  by: string,
): Promise<void> {
  const { store, callers } = services
  const account_id = await accountOf(services, user_id)
  const record = await repeatUntilKnown(() => store.account_prices.findOne({ _id: id, account_id }))
  if (!record)
    throw new Failure(404, 'price_not_found', `There is no price '${id.slice(0, 100)}' of this user.`, { param: 'id' })
  await repeatUntilKnown(() => store.account_prices.deleteOne({ _id: id, account_id }))
  callers.forgetAccount(account_id)
  await audit(services, { by, action: 'price.delete', subject: user_id, detail: { ...priceView(record) } })
}

const priceView = ({ _id, from, created_at, by: _, ...record }: AccountPriceRecord): OwnPriceView => ({
  id: _id,
  object: 'account_price',
  ...record,
  from: seconds(from),
  created_at: seconds(created_at),
})
