// Finds the offers for the name that a caller wrote: full, bare, pinned to a provider, or caught by a wildcard.
import type { Operation } from '../contract.ts'
import { nearestNames } from '../pricing/fault.ts'
import type { Offer, Registry } from '../registry.ts'

export type Lookup =
  | { found: true; offers: readonly Offer[] }
  | {
      found: false
      reason: 'unknown' | 'ambiguous' | 'unpriced' | 'wrong_operation'
      /** unknown: the nearest; ambiguous: the full names to choose from; else the model itself. */
      names: string[]
      /** wrong_operation: what the model does. */
      operations?: Operation[]
    }

/**
 * `vendor/name`; `name`, if one vendor alone has it; either of them after `provider:`. The offers come in routing order
 * and are all for the operation, with a price at the time.
 */
export function lookUp(registry: Registry, name: string, operation: Operation, at: Date = new Date()): Lookup {
  const index = indexOf(registry)
  const { provider, rest } = pinned(index, name)
  const model = rest.includes('/') ? rest : fullName(index, rest, operation, provider)
  if (typeof model !== 'string') return model
  const offers = (exactOffers(registry, model) ?? wildcardOffers(registry, model)).filter(
    (offer) => provider === undefined || offer.provider === provider,
  )
  if (offers.length === 0) return unknown(index, rest, operation, provider)
  const able = offers.filter((offer) => offer.operation === operation)
  if (able.length === 0) {
    return {
      found: false,
      reason: 'wrong_operation',
      names: [model],
      operations: [...new Set(offers.map((offer) => offer.operation))],
    }
  }
  const priced = able.filter((offer) => offer.quote(at))
  return priced.length > 0 ? { found: true, offers: priced } : { found: false, reason: 'unpriced', names: [model] }
}

interface Index {
  /** Full names by bare name. */
  bare: Map<string, string[]>
  offers: Registry['offers']
  providers: Set<string>
}

/** Made at the first look-up: a registry never changes. */
const indexes = new WeakMap<Registry, Index>()

function indexOf(registry: Registry): Index {
  const known = indexes.get(registry)
  if (known) return known
  const bare = new Map<string, string[]>()
  for (const [model, [offer]] of registry.offers) {
    if (offer?.wildcard) continue
    const name = model.slice(model.indexOf('/') + 1)
    bare.set(name, [...(bare.get(name) ?? []), model])
  }
  const index = { bare, offers: registry.offers, providers: new Set(registry.providers.map(({ id }) => id)) }
  indexes.set(registry, index)
  return index
}

/** A colon may also be part of a name (`llama3:8b`): only a provider's id before it pins. */
function pinned({ providers }: Index, name: string): { provider: string | undefined; rest: string } {
  const colon = name.indexOf(':')
  const provider = name.slice(0, Math.max(0, colon))
  return providers.has(provider) ? { provider, rest: name.slice(colon + 1) } : { provider: undefined, rest: name }
}

/** The full name of a bare one, or why there is none. */
function fullName(index: Index, name: string, operation: Operation, provider: string | undefined): string | Lookup {
  const models = (index.bare.get(name) ?? []).filter(
    (model) => provider === undefined || offeredBy(index, model, provider),
  )
  const [only, ...others] = models
  if (only === undefined) return unknown(index, name, operation, provider)
  return others.length === 0 ? only : { found: false, reason: 'ambiguous', names: models }
}

const offeredBy = ({ offers }: Index, model: string, provider: string) =>
  (offers.get(model) ?? []).some((offer) => offer.provider === provider)

/** The wildcards themselves are no names. */
const exactOffers = ({ offers }: Registry, model: string) => (model.includes('*') ? undefined : offers.get(model))

/** `local/*` serves whatever follows the slash, under the upstream's pattern. */
function wildcardOffers({ offers }: Registry, model: string): readonly Offer[] {
  const slash = model.indexOf('/')
  const rest = model.slice(slash + 1)
  if (rest === '' || rest.includes('*')) return []
  const wild = offers.get(`${model.slice(0, slash)}/*`) ?? []
  return wild.map((offer) => ({ ...offer, model, upstream: offer.upstream.replace('*', () => rest) }))
}

/** Full and bare names are compared, of models for this operation. */
function unknown(index: Index, name: string, operation: Operation, provider: string | undefined): Lookup {
  const able = [...index.offers.values()]
    .flat()
    .filter((offer) => !offer.wildcard && offer.operation === operation)
    .filter((offer) => provider === undefined || offer.provider === provider)
    .map(({ model }) => model)
  const full = new Set(able)
  const bare = [...index.bare].filter(([, models]) => models.some((model) => full.has(model)))
  const byBare = nearestNames(
    name.slice(name.indexOf('/') + 1),
    bare.map(([each]) => each),
    5,
  )
  const names = [
    ...nearestNames(name, full, 5),
    ...byBare.flatMap((each) => index.bare.get(each) ?? []).filter((model) => full.has(model)),
  ]
  return { found: false, reason: 'unknown', names: [...new Set(names)].slice(0, 5) }
}
