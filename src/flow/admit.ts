// Admission: which offers may serve a request and what it can cost at most. Everything that can be refused before money
// is touched is refused here.
import type { Operation, Usage } from '../contract.ts'
import { formatUsd, type NanoUsd, parseUsd } from '../ledger/money.ts'
import { cost, UnpricedUsage } from '../pricing/cost.ts'
import type { Quote } from '../pricing/schema.ts'
import { lookUp, type Offer } from '../registry.ts'
import { checkAllowed } from './account/allow.ts'
import { sellingQuote } from './account/own_prices.ts'
import { Failure } from './failure.ts'
import type { Caller, Services } from './services.ts'

/** How many offers of a model are tried, the first included. */
const OFFERS_MAX = 3

export interface Demand {
  operation: Operation
  /** As the caller wrote it: `vendor/name`, a bare alias, or pinned `provider:vendor/name`. */
  model: string
  /** A true upper bound of what this offer may consume. Throws Failure or ProviderError for what the offer cannot do. */
  estimate(offer: Offer, quote: Quote): Usage
  max_cost_usd?: string
}

/** What serving needs of an offer; a job that waits finds it again after a restart. */
export type ServingOffer = Pick<Offer, 'model' | 'provider' | 'upstream' | 'limits' | 'options' | 'connection'>

export interface AdmittedOffer {
  offer: ServingOffer
  quote: Quote
  estimate: Usage
  /** What the estimate costs at the selling price. */
  cost: NanoUsd
}

export interface Admitted {
  /** The model's full name. */
  model: string
  /** In the order in which they are tried; at least one. */
  offers: [AdmittedOffer, ...AdmittedOffer[]]
  /** Enough for whichever offer serves it. */
  hold: NanoUsd
}

/** Throws Failure: model_not_found, model_not_allowed, operation_not_allowed, invalid_request, max_cost_exceeded. */
export function admit(services: Services, caller: Caller, demand: Demand): Admitted {
  const offers = findOffers(services, caller, demand)
  const admitted: AdmittedOffer[] = []
  let refusal: unknown
  for (const offer of offers.slice(0, OFFERS_MAX)) {
    try {
      admitted.push(price(caller, offer, demand))
    } catch (error) {
      // Another offer may do what this one cannot; if none does, the first one's reason is the caller's answer.
      refusal ??= error
    }
  }
  const [first, ...others] = admitted
  if (!first) throw refusal
  const hold =
    admitted
      .map((each) => each.cost)
      .sort(ascending)
      .at(-1) ?? first.cost
  checkMaxCost(hold, demand.max_cost_usd)
  return { model: first.offer.model, offers: [first, ...others], hold }
}

const ascending = (one: NanoUsd, other: NanoUsd) => Number(one - other)

/** The offers of a model that this key may call, in routing order. Throws Failure model_not_found, model_not_allowed, operation_not_allowed. */
export function findOffers(
  services: Services,
  caller: Caller,
  { operation, model }: Pick<Demand, 'operation' | 'model'>,
): readonly Offer[] {
  const found = lookUp(services.registry(), model, operation)
  if (!found.found) throw notFound(model, operation, found)
  const name = found.offers[0]?.model ?? model
  checkAllowed(caller, name, operation)
  return found.offers
}

function notFound(
  model: string,
  operation: Operation,
  { reason, names, operations }: Extract<ReturnType<typeof lookUp>, { found: false }>,
) {
  const list = names.length > 0 ? ` ${names.join(', ')}` : ''
  const messages = {
    unknown: `There is no model ${quoted(model)} here.${list ? ` The nearest names:${list}.` : ''} GET /v1/models lists all.`,
    ambiguous: `${quoted(model)} is the name of several models. Use the full name:${list}.`,
    unpriced: `${quoted(model)} has no price at the moment, so it is not served. Choose another model, or tell the operator.`,
    wrong_operation: `${quoted(model)} does ${operations?.join(', ') ?? 'something else'}, not ${operation}. GET /v1/models tells what each model does.`,
  }
  const status = reason === 'wrong_operation' ? 400 : 404
  const code = reason === 'wrong_operation' ? 'unsupported_operation' : 'model_not_found'
  return new Failure(status, code, messages[reason], { param: 'model', facts: { models: names } })
}

/** Names come from outside and go into messages: cut to a length at which they can be read. */
const quoted = (name: string) => `'${name.length > 100 ? `${name.slice(0, 100)}…` : name}'`

function price({ prices }: Caller, offer: Offer, demand: Demand): AdmittedOffer {
  const quote = sellingQuote(offer, prices, new Date())
  if (!quote) throw notFound(offer.model, demand.operation, { found: false, reason: 'unpriced', names: [] })
  try {
    const estimate = demand.estimate(offer, quote)
    return { offer, quote, estimate, cost: cost(estimate, quote).amount }
  } catch (error) {
    if (!(error instanceof UnpricedUsage)) throw error
    throw new Failure(400, 'unpriced_option', `${offer.model} has no price for this request: ${error.message}`, {
      cause: error,
    })
  }
}

function checkMaxCost(hold: NanoUsd, max_cost_usd: string | undefined) {
  if (max_cost_usd === undefined) return
  const most = parseUsd(max_cost_usd)
  if (most === undefined) {
    throw new Failure(
      400,
      'invalid_value',
      'max_cost_usd must be a string with an amount in USD of 0 to 9 decimals, like "0.05".',
      { param: 'max_cost_usd' },
    )
  }
  if (hold <= most) return
  throw new Failure(
    400,
    'max_cost_exceeded',
    `This call could cost ${formatUsd(hold)} USD, more than max_cost_usd allows. Ask for less output, or raise max_cost_usd.`,
    {
      param: 'max_cost_usd',
      facts: { hold_usd: formatUsd(hold), max_cost_usd: formatUsd(most) },
    },
  )
}
