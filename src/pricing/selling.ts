// Selling prices of one account: its own discounts and margins in place of the site's. The most specific one that holds
// stands alone; they never stack. Pure.
import type { Operation } from '../contract.ts'
import type { Adjustment, Quote, Site } from './schema.ts'

/** One discount or margin of an account: for a model, for a vendor's models (`openai/*`), for an operation, or for all. */
export interface OwnPrice {
  model?: string
  operation?: Operation
  adjustment: Adjustment
  /** Milliseconds since 1970; of two for the same thing the later one that holds. */
  from: number
}

export interface Priced {
  model: string
  operation: Operation
}

/** The account's own adjustment at a time; undefined where the site's stands. */
export function ownAdjustment(prices: readonly OwnPrice[], of: Priced, at: number): Adjustment | undefined {
  let best: OwnPrice | undefined
  let best_rank = 0
  for (const price of prices) {
    const rank = price.from <= at ? rankOf(price, of) : 0
    if (rank === 0 || rank < best_rank || (rank === best_rank && best && price.from < best.from)) continue
    best = price
    best_rank = rank
  }
  return best?.adjustment
}

/** How specific it is; 0 where it is not for this. */
function rankOf({ model, operation }: OwnPrice, of: Priced): number {
  if (model !== undefined) {
    if (model === of.model) return 4
    return model.endsWith('/*') && of.model.startsWith(model.slice(0, -1)) ? 3 : 0
  }
  if (operation !== undefined) return operation === of.operation ? 2 : 0
  return 1
}

/** The site's: the most specific stands alone, a model's, an operation's, the one for all. */
export function siteAdjustment(site: Site, model: string, operation: Operation): Adjustment {
  const { discount, margin } = site.models[model] ?? site.operations[operation] ?? site
  return Object.freeze({ ...(discount !== undefined && { discount }), ...(margin !== undefined && { margin }) })
}

/** Made once for each adjustment: quotes are shared by all jobs, and their rates are read once. */
const made = new WeakMap<Quote, Map<string, Quote>>()

/** The same rates at the account's own price. */
export function quoteAt(quote: Quote, own: Adjustment | undefined): Quote {
  if (!own) return quote
  const { discount, margin } = own
  const name = discount === undefined ? `+${margin ?? 0}` : `-${discount}`
  const known = made.get(quote) ?? new Map<string, Quote>()
  made.set(quote, known)
  const there = known.get(name)
  if (there) return there
  const adjustment = Object.freeze({
    ...(discount !== undefined && { discount }),
    ...(margin !== undefined && { margin }),
  })
  const adjusted = Object.freeze({ ...quote, adjustment })
  known.set(name, adjusted)
  return adjusted
}
