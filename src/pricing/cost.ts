// What usage costs: one exact sum, adjusted, rounded once. Pure: the same function makes the hold and the charge, and a
// larger quantity never costs less.
import { METERS, type Meter, type Usage } from '../contract.ts'
import {
  add,
  compare,
  decimalText,
  type Fraction,
  fraction,
  multiply,
  ONE,
  roundHalfEven,
  subtract,
  ZERO,
} from './decimal.ts'
import { bestRate, type Circumstances, contextOf, ratesOf, unpricedTier } from './match.ts'
import type { Adjustment, Quote, Rate } from './schema.ts'

/** A line of a receipt: `quantity × usd ÷ per`. The lines' `amount_usd` add up to the amount, to the last digit. */
export interface CostLine {
  meter: Meter | 'rounding' | 'discount' | 'margin'
  quantity: number
  usd: string
  per: number
  when: Record<string, string | number>
  /** The exact decimal, of whatever length; where there is none (a third), cut after 18 places, and `rounding` has the rest. */
  amount_usd: string
}

export interface Cost {
  /** Nano-USD at the selling price. */
  amount: bigint
  /** Nano-USD at the provider's list price. */
  list_amount: bigint
  /** At list price, one a meter; then the discount or margin; then the rounding. */
  lines: CostLine[]
}

/** Usage that the quote has no price for. The message says which meter and what is missing, in words for the caller. */
export class UnpricedUsage extends Error {
  override name = 'UnpricedUsage'
}

const NANO: Fraction = { numerator: 1_000_000_000n, denominator: 1n }

/** Throws UnpricedUsage if a meter has rates but none that applies, or if nothing at all is priced. */
export function cost(usage: Pick<Usage, 'meters' | 'attributes'>, quote: Quote): Cost {
  const circumstances = circumstancesOf(usage, quote)
  const lines: CostLine[] = []
  let list = ZERO
  let priced = false
  for (const meter of METERS) {
    const quantity = quantityOf(meter, usage)
    const rates = quantity === undefined ? [] : ratesOf(meter, quote.rates)
    if (quantity === undefined || rates.length === 0) continue
    priced = true
    if (quantity === 0) continue
    const rate = matchingRate(meter, rates, circumstances)
    const amount = multiply(exactQuantity(quantity), unitPrice(rate))
    list = add(list, amount)
    lines.push({ meter, quantity, usd: rate.usd, per: rate.per, when: rate.when, amount_usd: decimalText(amount) })
  }
  if (!priced)
    throw new UnpricedUsage(`nothing of it is priced: ${Object.keys(usage.meters).join(', ') || 'no quantities'}`)
  return sumUp(list, lines, quote.adjustment)
}

/**
 * Which of several meters has the dearest unit in these circumstances: an upper bound counts what it cannot tell apart
 * (plain input, or a write to the cache?) in that one. Meters that are not priced are passed over; the first if none is.
 */
export function dearestMeter<M extends Meter>(
  candidates: readonly [M, ...M[]],
  usage: Pick<Usage, 'meters' | 'attributes'>,
  quote: Quote,
): M {
  const circumstances = circumstancesOf(usage, quote)
  let dearest: { meter: M; price: Fraction } | undefined
  for (const meter of candidates) {
    const rate = bestRate(ratesOf(meter, quote.rates), circumstances)
    if (!rate) continue
    const price = unitPrice(rate)
    if (!dearest || compare(price, dearest.price) > 0) dearest = { meter, price }
  }
  return dearest?.meter ?? candidates[0]
}

function circumstancesOf(
  { meters, attributes = {} }: Pick<Usage, 'meters' | 'attributes'>,
  quote: Quote,
): Circumstances {
  const tier = unpricedTier(attributes, quote.rates)
  if (tier !== undefined) throw new UnpricedUsage(`the service tier "${tier}" has no price`)
  return { attributes, context: contextOf(meters) }
}

/** Every job is one request, whether or not its usage says so: a price per request must not depend on that. */
function quantityOf(meter: Meter, { meters }: Pick<Usage, 'meters'>): number | undefined {
  const quantity = meters[meter] ?? (meter === 'requests' ? 1 : undefined)
  if (quantity !== undefined && !(Number.isFinite(quantity) && quantity >= 0)) {
    throw new UnpricedUsage(`${meter} is ${quantity}, which is not a quantity`)
  }
  return quantity
}

function matchingRate(meter: Meter, rates: readonly Rate[], circumstances: Circumstances): Rate {
  const rate = bestRate(rates, circumstances)
  if (rate) return rate
  const asked = Object.entries(circumstances.attributes).map(([name, value]) => `${name}=${value.slice(0, 40)}`)
  const offered = rates.map(({ when }) =>
    Object.entries(when)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
  )
  throw new UnpricedUsage(
    `${meter} has no price for ${asked.join(' ') || 'a request without options'}; priced are: ${offered.join(', ')}`,
  )
}

/** Rates are shared by all jobs of an offer and never change: each is read once. */
const unitPrices = new WeakMap<Rate, Fraction>()

function unitPrice(rate: Rate): Fraction {
  const known = unitPrices.get(rate)
  if (known) return known
  const price = multiply(fraction(rate.usd), { numerator: 1n, denominator: BigInt(rate.per) })
  unitPrices.set(rate, price)
  return price
}

const exactQuantity = (quantity: number): Fraction =>
  Number.isSafeInteger(quantity) ? { numerator: BigInt(quantity), denominator: 1n } : fraction(String(quantity))

function sumUp(list: Fraction, lines: CostLine[], adjustment: Adjustment): Cost {
  const exact = multiply(list, factorOf(adjustment))
  const amount = roundHalfEven(multiply(exact, NANO))
  const list_amount = roundHalfEven(multiply(list, NANO))
  const change = subtract(exact, list)
  const all = [...lines]
  if (change.numerator !== 0n) all.push(adjustmentLine(decimalText(change), adjustment))
  const shown = all.reduce((total, { amount_usd }) => add(total, fraction(amount_usd)), ZERO)
  const rounding = subtract({ numerator: amount, denominator: NANO.numerator }, shown)
  if (rounding.numerator !== 0n) all.push(wholeLine('rounding', decimalText(rounding), {}))
  return { amount, list_amount, lines: all }
}

/** What a list price is multiplied by. */
export function factorOf({ discount, margin }: Adjustment): Fraction {
  if (discount !== undefined) return subtract(ONE, fraction(discount))
  return margin === undefined ? ONE : add(ONE, fraction(margin))
}

const adjustmentLine = (amount_usd: string, { discount, margin = '0' }: Adjustment): CostLine =>
  discount === undefined ? wholeLine('margin', amount_usd, { margin }) : wholeLine('discount', amount_usd, { discount })

/** A line that is one amount, so that `quantity × usd ÷ per` holds for it too. */
const wholeLine = (meter: CostLine['meter'], amount_usd: string, when: CostLine['when']): CostLine => ({
  meter,
  quantity: 1,
  usd: amount_usd,
  per: 1,
  when,
  amount_usd,
})
