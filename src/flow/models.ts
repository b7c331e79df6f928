// What is served, as callers and admins see it: models with their limits and selling prices, and the providers behind
// them. A wildcard is no model: what it serves is found by name.
import { type Meter, OPERATIONS, type Operation } from '../contract.ts'
import { factorOf } from '../pricing/cost.ts'
import { decimalText, fraction, multiply } from '../pricing/decimal.ts'
import type { Limits, Quote, Rate } from '../pricing/schema.ts'
import { lookUp, type Offer, type Registry } from '../registry.ts'
import { type Allowed, allowsModel, allowsOperation, EVERYTHING, modelNotAllowed } from './account/allow.ts'
import { sellingQuote } from './account/own_prices.ts'
import { Failure } from './failure.ts'
import type { Caller } from './services.ts'

export interface PriceView {
  provider: string
  operation: Operation
  /** ISO date from which it holds. */
  from: string
  /** Selling prices: `usd` for `per` units of the meter, where every condition of `when` holds. */
  rates: Rate[]
}

export interface ModelView {
  id: string
  object: 'model'
  created: number
  owned_by: string
  operations: Operation[]
  modalities: { input: string[]; output: string[] }
  limits: Limits
  /** In the order in which the offers are tried. */
  prices: PriceView[]
  providers: string[]
}

/** Whose list it is: what the key may call, at what its account pays. */
type Viewer = Allowed & Pick<Caller, 'prices'>

export function listModels({ offers }: Registry, allowed: Viewer, at: Date = new Date()): ModelView[] {
  return [...offers]
    .filter(([model, [first]]) => !first?.wildcard && allowsModel(allowed, model))
    .filter(([, each]) => each.some(({ operation }) => allowsOperation(allowed, operation)))
    .flatMap(([, each]) => modelView(each, allowed.prices, at))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** By any name that a request may use. Throws Failure model_not_found and model_not_allowed. */
export function getModel(registry: Registry, allowed: Viewer, name: string, at: Date = new Date()): ModelView {
  const found = OPERATIONS.map((operation) => lookUp(registry, name, operation, at))
  const offers = found.flatMap((each) => (each.found ? each.offers : []))
  const [view] = modelView(offers, allowed.prices, at)
  if (!view) {
    const names = [...new Set(found.flatMap((each) => (each.found ? [] : each.names)))].slice(0, 5)
    const nearest = names.length > 0 ? ` The nearest names: ${names.join(', ')}.` : ''
    throw new Failure(
      404,
      'model_not_found',
      `There is no model '${name.slice(0, 100)}' here.${nearest} GET /v1/models lists all.`,
      { param: 'model', facts: { models: names } },
    )
  }
  if (!allowsModel(allowed, view.id)) throw modelNotAllowed(allowed, view.id)
  return view
}

/** The full names for an allow-list: a full name or `vendor/*` stands as it is (it may come later), a bare one must be known. */
export function fullModelNames(registry: Registry, names: string[]): string[] {
  return names.map((name) => (name.includes('/') ? name : getModel(registry, EVERYTHING, name).id))
}

/** No view where none of the offers has a price today. */
function modelView(all: readonly Offer[], prices: Caller['prices'], at: Date): ModelView[] {
  const priced = all.flatMap((offer) => {
    const quote = sellingQuote(offer, prices, at)
    return quote ? [{ offer, quote }] : []
  })
  const first = priced[0]?.offer
  if (!first) return []
  const operations = [...new Set(priced.map(({ offer }) => offer.operation))]
  const meters = new Set(priced.flatMap(({ quote }) => quote.rates.map(({ meter }) => meter)))
  const view: ModelView = {
    id: first.model,
    object: 'model',
    created: first.created,
    owned_by: first.model.split('/', 1)[0] ?? first.provider,
    operations,
    modalities: {
      input: modalities(operations, 'input', meters),
      output: modalities(operations, 'output', meters),
    },
    limits: first.limits,
    prices: priced.map(({ offer, quote }) => priceView(offer, quote)),
    providers: [...new Set(priced.map(({ offer }) => offer.provider))],
  }
  return [view]
}

const priceView = ({ provider, operation }: Offer, { from, rates, adjustment }: Quote): PriceView => ({
  provider,
  operation,
  from,
  rates: rates.map((rate) => ({ ...rate, usd: decimalText(multiply(fraction(rate.usd), factorOf(adjustment))) })),
})

const MODALITIES: Record<Operation, { input: string[]; output: string[] }> = {
  chat: { input: ['text'], output: ['text'] },
  embedding: { input: ['text'], output: ['embedding'] },
  image: { input: ['text', 'image'], output: ['image'] },
  video: { input: ['text', 'image'], output: ['video'] },
  speech: { input: ['text'], output: ['audio'] },
  transcription: { input: ['audio'], output: ['text'] },
  moderation: { input: ['text', 'image'], output: ['moderation'] },
}

const PRICED_MODALITIES: { side: 'input' | 'output'; meter: Meter; modality: string }[] = [
  { side: 'input', meter: 'input_image_tokens', modality: 'image' },
  { side: 'input', meter: 'input_audio_tokens', modality: 'audio' },
  { side: 'output', meter: 'output_image_tokens', modality: 'image' },
  { side: 'output', meter: 'output_audio_tokens', modality: 'audio' },
]

/** What the operations imply, and what has a price of its own. */
function modalities(operations: Operation[], side: 'input' | 'output', meters: Set<Meter>): string[] {
  const implied = operations.flatMap((operation) => MODALITIES[operation][side])
  const priced = PRICED_MODALITIES.filter((each) => each.side === side && meters.has(each.meter))
  return [...new Set([...implied, ...priced.map(({ modality }) => modality)])]
}
