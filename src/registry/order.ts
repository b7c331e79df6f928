// In which order the offers of a model are tried: the vendor's own provider, then the cheapest, then by file name.
import type { Meters, Operation } from '../contract.ts'
import { cost, UnpricedUsage } from '../pricing/cost.ts'
import type { Prices } from '../pricing/load.ts'
import type { Quote } from '../pricing/schema.ts'
import type { Offer } from '../registry.ts'

export function inRoutingOrder(
  offers: readonly Offer[],
  prices: Prices,
  now: Date,
): ReadonlyMap<string, readonly Offer[]> {
  const ranked = offers.map((offer) => ({ offer, own: isVendorsOwn(offer, prices), price: referencePrice(offer, now) }))
  ranked.sort(
    (a, b) =>
      Number(b.own) - Number(a.own) ||
      comparePrices(a.price, b.price) ||
      (a.offer.provider < b.offer.provider ? -1 : 1),
  )
  const byModel = new Map<string, Offer[]>()
  for (const { offer } of ranked) byModel.set(offer.model, [...(byModel.get(offer.model) ?? []), offer])
  return new Map([...byModel].sort(([a], [b]) => (a < b ? -1 : 1)).map(([model, own]) => [model, Object.freeze(own)]))
}

function isVendorsOwn({ model, provider }: Offer, prices: Prices): boolean {
  const vendor = model.slice(0, model.indexOf('/'))
  return vendor === (prices.providers.get(provider)?.get(model)?.vendor ?? provider)
}

/** One ordinary piece of work, in every way in which it may be counted: an offer charges for those that it prices. */
const REFERENCE: Record<Operation, Meters> = {
  chat: { requests: 1, input_tokens: 3000, output_tokens: 1000, compute_seconds: 10 },
  embedding: { requests: 1, input_tokens: 1000, characters: 4000, compute_seconds: 1 },
  image: { requests: 1, images: 1, megapixels: 1, input_tokens: 100, output_image_tokens: 1056, compute_seconds: 10 },
  video: { requests: 1, videos: 1, video_seconds: 5, output_tokens: 100_000, compute_seconds: 120 },
  speech: {
    requests: 1,
    characters: 1000,
    input_tokens: 250,
    output_audio_tokens: 1250,
    audio_seconds: 60,
    compute_seconds: 10,
  },
  transcription: { requests: 1, audio_seconds: 60, input_audio_tokens: 600, output_tokens: 200, compute_seconds: 5 },
  moderation: { requests: 1, input_tokens: 1000, characters: 4000 },
}

const REFERENCE_ATTRIBUTES = { resolution: '720p', size: '1024x1024', quality: 'medium' }

/** Undefined if it has no price today: such offers come last. */
function referencePrice({ operation, quote }: Offer, now: Date): bigint | undefined {
  const today = quote(now)
  if (!today) return undefined
  try {
    return cost({ meters: REFERENCE[operation], attributes: REFERENCE_ATTRIBUTES }, today).amount
  } catch (error) {
    if (!(error instanceof UnpricedUsage)) throw error
    return cost({ meters: REFERENCE[operation] }, withoutConditions(today)).amount
  }
}

/** For prices under conditions that the reference does not meet: the first of each meter, whatever its conditions. */
function withoutConditions(quote: Quote): Quote {
  const firsts = quote.rates.filter(
    ({ meter }, index, rates) => rates.findIndex((rate) => rate.meter === meter) === index,
  )
  return { ...quote, rates: firsts.map((rate) => ({ ...rate, when: {} })) }
}

function comparePrices(a: bigint | undefined, b: bigint | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  return a < b ? -1 : a > b ? 1 : 0
}
