// What is served: providers/ and pricing/ discovered, checked against each other and frozen. It never calls a provider;
// a reload builds a whole new one.
import type { Connection, JsonObject, Operation, Tools } from './contract.ts'
import { type Fault, faultLine } from './pricing/fault.ts'
import { loadPrices, type PricedModel, type Prices } from './pricing/load.ts'
import type { Limits, Pack, Quote } from './pricing/schema.ts'
import { discover } from './registry/discover.ts'
import { makeOffers } from './registry/offers.ts'
import { inRoutingOrder } from './registry/order.ts'
import { connectProvider, type FoundProvider } from './registry/provider.ts'
import { warningsOf } from './registry/warnings.ts'

/** One provider's service of one model for one operation, at a price. */
export interface Offer {
  /** `vendor/name`; of a wildcard `vendor/*`, until `lookUp` puts in what the caller named. */
  model: string
  provider: string
  /** The provider's own name of the model. */
  upstream: string
  operation: Operation
  limits: Limits
  /** What the adapter wants to know of this model, checked by it. */
  options: JsonObject
  connection: Connection
  wildcard: boolean
  /** The price at a time, with the site's discount or margin but not an account's own; undefined before its first price. */
  quote(at: Date): Quote | undefined
  /** ISO date on which somebody last compared the price file with its source. */
  checked: string
  source: string
  /** Unix seconds, for the list of models. */
  created: number
}

export interface ProviderState {
  id: string
  /** For people. */
  name: string
  docs: string
  status: 'on' | 'off'
  /** Why it is off. */
  reason?: string
  operations: Operation[]
  /** How many models its price file has. */
  models: number
}

export interface Registry {
  readonly revision: number
  /** By full model name; the offers of a model in routing order. */
  readonly offers: ReadonlyMap<string, readonly Offer[]>
  readonly providers: readonly ProviderState[]
  readonly warnings: readonly Fault[]
  /** What the site sells credit in, by name. */
  readonly packs: Readonly<Record<string, Pack>>
  /** Undefined for a provider that is off or unknown. */
  connection(provider: string): Connection | undefined
  /** `host` or `host:port` of the provider's own addresses, as configured; none of one that is off or unknown. */
  hosts(provider: string): readonly string[]
  /** Undefined where its adapter does not say. */
  pollsPerSecond(provider: string): number | undefined
}

export type { Fault } from './pricing/fault.ts'
export { type Lookup, lookUp } from './registry/look_up.ts'

/** Everything that is wrong with all adapters and price files, at once; the message has a line for each. */
export class RegistryFaults extends Error {
  override name = 'RegistryFaults'
  readonly faults: Fault[]
  constructor(faults: Fault[]) {
    super(faults.map(faultLine).join('\n'))
    this.faults = faults
  }
}

export interface RegistryOptions {
  /** Searched in order: an adapter or price of a later folder takes the place of the same one before it. */
  provider_dirs: string[]
  pricing_dirs: string[]
  environment: Record<string, string | undefined>
  sandbox: boolean
  /** One more than the last one's; 1 if absent. */
  revision?: number
  /** For tests: decides what is stale and in which order offers stand. */
  now?: Date
  makeTools(provider: string): Tools
}

/** Throws RegistryFaults. */
export async function buildRegistry(options: RegistryOptions): Promise<Registry> {
  const now = options.now ?? new Date()
  const prices = loadPrices(options.pricing_dirs)
  const found = await discover(options.provider_dirs)
  const providers = found.providers.map((provider) => connectProvider(provider, options))
  const faults = [...found.faults, ...providers.flatMap((provider) => provider.faults), ...prices.faults]
  const offers = providers.flatMap(({ id, definition, connection }) => {
    if (!connection) return []
    const made = makeOffers(id, definition, connection, prices)
    faults.push(...made.faults)
    return made.offers
  })
  faults.push(...unknownProviders(prices, found.names))
  if (faults.length > 0) throw new RegistryFaults(faults)
  const states = providers.map((provider) => stateOf(provider, prices))
  const connections = new Map(providers.map(({ id, connection }) => [id, connection]))
  return Object.freeze({
    revision: options.revision ?? 1,
    offers: inRoutingOrder(offers, prices, now),
    providers: Object.freeze(states),
    warnings: Object.freeze([...found.warnings, ...warningsOf(states, prices, now)]),
    packs: Object.freeze(prices.site.packs),
    connection: (provider: string) => connections.get(provider),
    hosts: (provider: string) => providers.find(({ id }) => id === provider)?.hosts ?? [],
    pollsPerSecond: (provider: string) => providers.find(({ id }) => id === provider)?.definition.polls_per_second,
  })
}

/** `names` has the adapters that failed to load too: theirs is one fault, not two. */
function unknownProviders(prices: Prices, names: ReadonlySet<string>): Fault[] {
  return [...prices.files]
    .filter(([provider]) => !names.has(provider))
    .map(([provider, file]) => ({
      file,
      place: '',
      problem: `there is no provider "${provider}"`,
      remedy: `name the file after its adapter in providers/ (${[...names].join(', ') || 'there is none'})`,
    }))
}

function stateOf({ id, definition, connection, reason }: FoundProvider, prices: Prices): ProviderState {
  const models: PricedModel[] = [...(prices.providers.get(id)?.values() ?? [])]
  const { name, docs } = definition ?? { name: id, docs: '' }
  return Object.freeze({
    id,
    name,
    docs,
    status: connection ? 'on' : 'off',
    ...(reason !== undefined && { reason }),
    operations: [...new Set(models.flatMap(({ operation }) => operation))],
    models: models.length,
  })
}
