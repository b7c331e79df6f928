// Makes the offers of one connected provider out of its prices. A model whose operation the provider cannot do is a fault.
import {
  type Connection,
  type JsonObject,
  OPERATIONS,
  type Operation,
  type PricedEntry,
  type ProviderDefinition,
} from '../contract.ts'
import type { Fault } from '../pricing/fault.ts'
import type { PricedModel, Prices } from '../pricing/load.ts'
import type { Adjustment, Quote, Site } from '../pricing/schema.ts'
import { siteAdjustment } from '../pricing/selling.ts'
import type { Offer } from '../registry.ts'

export function makeOffers(
  provider: string,
  definition: ProviderDefinition,
  connection: Connection,
  prices: Prices,
): { offers: Offer[]; faults: Fault[] } {
  const offers: Offer[] = []
  const faults: Fault[] = []
  for (const model of prices.providers.get(provider)?.values() ?? []) {
    const options = readOptions(definition, model)
    if (!options.read) {
      faults.push(...options.faults)
      continue
    }
    for (const operation of model.operation) {
      if (connection[operation])
        offers.push(offerOf(provider, connection, model, options.value, operation, prices.site))
      else faults.push(lacksOperation(provider, connection, model, operation))
    }
  }
  return { offers, faults }
}

type ReadOptions = { read: true; value: JsonObject } | { read: false; faults: Fault[] }

/** `options` as the adapter takes them. */
function readOptions({ options: schema, name }: ProviderDefinition, model: PricedModel): ReadOptions {
  const { file, options } = model
  const place = `models."${model.name}".options`
  if (!schema) {
    if (Object.keys(options).length === 0) return { read: true, value: options }
    return { read: false, faults: [{ file, place, problem: `${name} takes no options`, remedy: 'leave them out' }] }
  }
  const parsed = (typeof schema === 'function' ? schema(entryOf(model)) : schema).safeParse(options)
  if (parsed.success) return { read: true, value: parsed.data }
  const faults = parsed.error.issues.map((issue) => ({
    file,
    place: [place, ...issue.path.map(String)].join('.'),
    problem: issue.message,
    remedy: remedyOf(issue) ?? `correct it; the adapter of ${name} says what it takes`,
  }))
  return { read: false, faults }
}

const entryOf = ({ upstream, operation, limits, prices }: PricedModel): PricedEntry => ({
  upstream,
  operation,
  limits: { ...limits },
  meters: [...new Set(prices.flatMap(({ rates }) => rates.map(({ meter }) => meter)))],
})

/** An adapter's own checks may bring their remedy along. */
function remedyOf(issue: object): string | undefined {
  const params: unknown = Reflect.get(issue, 'params')
  const remedy: unknown = typeof params === 'object' && params !== null ? Reflect.get(params, 'remedy') : undefined
  return typeof remedy === 'string' ? remedy : undefined
}

function lacksOperation(
  provider: string,
  connection: Connection,
  { name, file }: PricedModel,
  operation: Operation,
): Fault {
  const able = OPERATIONS.filter((each) => connection[each])
  return {
    file,
    place: `models."${name}".operation`,
    problem: `the provider "${provider}" does no ${operation}`,
    remedy: able.length > 0 ? `it does ${able.join(', ')}` : 'its adapter serves nothing yet',
  }
}

function offerOf(
  provider: string,
  connection: Connection,
  model: PricedModel,
  options: JsonObject,
  operation: Operation,
  site: Site,
): Offer {
  const { name, upstream, limits, checked, source, created } = model
  const quotes = quotesOf(model, siteAdjustment(site, name, operation))
  const first = quotes[0]?.quote.from ?? checked
  return Object.freeze({
    model: name,
    provider,
    upstream,
    operation,
    limits: Object.freeze(limits),
    options: Object.freeze(options),
    connection,
    wildcard: name.endsWith('/*'),
    quote: (at: Date) => quotes.findLast(({ since }) => since <= at.getTime())?.quote,
    checked,
    source,
    created: Date.parse(created ?? first) / 1000,
  })
}

/** Shared by all jobs of the offer, so nobody may change them. */
function quotesOf({ prices, source }: PricedModel, adjustment: Adjustment): { since: number; quote: Quote }[] {
  for (const { rates } of prices) Object.freeze(rates).forEach(Object.freeze)
  return prices.map(({ from, rates }) => ({
    since: Date.parse(from),
    quote: Object.freeze({ rates, adjustment, from, source }),
  }))
}
