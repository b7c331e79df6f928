// The site for its admins: providers, list and selling prices, the reload of both, the proof of the books.
import { type Verification, verify } from '../ledger/verify.ts'
import type { Quote } from '../pricing/schema.ts'
import { type Fault, type Offer, type ProviderState, RegistryFaults } from '../registry.ts'
import { audit, type Change } from './account/audit.ts'
import { Failure } from './failure.ts'
import type { Services } from './services.ts'

export interface ProviderView extends Omit<ProviderState, 'reason'> {
  object: 'provider'
  /** Why it is off; null while it is on. */
  reason: string | null
}

export function listProviders({ registry }: Pick<Services, 'registry'>): ProviderView[] {
  return registry().providers.map((provider) => ({ ...provider, object: 'provider', reason: provider.reason ?? null }))
}

/** One offer and its price of today, as its price file has it. */
export interface OfferPriceView {
  /** `provider:vendor/name`, the name that pins a request to this offer. */
  id: string
  object: 'price'
  model: string
  provider: string
  upstream: string
  operation: string
  limits: Offer['limits']
  /** List prices; null before the first price holds. */
  rates: Quote['rates'] | null
  /** The discount or margin between list and selling price. */
  adjustment: Quote['adjustment']
  from: string | null
  source: string
  checked: string
}

export function listPrices(
  { registry }: Pick<Services, 'registry'>,
  { provider, model }: { provider?: string | undefined; model?: string | undefined },
  at: Date = new Date(),
): OfferPriceView[] {
  return [...registry().offers.values()]
    .flat()
    .filter((offer) => provider === undefined || offer.provider === provider)
    .filter((offer) => model === undefined || offer.model === model)
    .map((offer) => offerPriceView(offer, at))
}

function offerPriceView(offer: Offer, at: Date): OfferPriceView {
  const quote = offer.quote(at)
  const { model, provider, upstream, operation, limits, source, checked } = offer
  return {
    id: `${provider}:${model}`,
    object: 'price',
    model,
    provider,
    upstream,
    operation,
    limits,
    rates: quote?.rates ?? null,
    adjustment: quote?.adjustment ?? {},
    from: quote?.from ?? null,
    source,
    checked,
  }
}

export interface Reloaded {
  object: 'registry'
  revision: number
  providers: number
  models: number
  warnings: readonly Fault[]
}

/** Throws Failure invalid_configuration with every fault; the old registry then stays. */
export async function reloadSite(services: Pick<Services, 'store' | 'reload'>, by: string): Promise<Reloaded> {
  try {
    const { revision, providers, offers, warnings } = await services.reload()
    const change: Change = { by, action: 'registry.reload', subject: 'registry', detail: { revision } }
    await audit(services, change)
    const on = providers.filter(({ status }) => status === 'on').length
    return { object: 'registry', revision, providers: on, models: offers.size, warnings }
  } catch (error) {
    if (!(error instanceof RegistryFaults)) throw error
    throw new Failure(
      422,
      'invalid_configuration',
      `Providers or prices have ${error.faults.length} fault${error.faults.length === 1 ? '' : 's'}; the old ones stay in use.`,
      { facts: { faults: error.faults } },
    )
  }
}

/** Adds every account up again, after this router has finished what it had under way. */
export async function verifyBooks({ store, ledger }: Pick<Services, 'store' | 'ledger'>): Promise<Verification> {
  await ledger.flush()
  return verify(store)
}
