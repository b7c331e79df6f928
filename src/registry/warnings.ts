// What an operator should know and what keeps nothing from working: stale prices, providers without prices.
import type { Fault } from '../pricing/fault.ts'
import type { PricedModel, Prices } from '../pricing/load.ts'
import type { ProviderState } from '../registry.ts'

export const STALE_AFTER_DAYS = 45
const DAY_MS = 86_400_000

export function warningsOf(states: readonly ProviderState[], prices: Prices, now: Date): Fault[] {
  return [
    ...states.flatMap((state) => withoutPrices(state, prices)),
    ...stale(prices, now),
    ...notYet(prices, now),
    ...idleSite(prices),
  ]
}

function withoutPrices({ id }: ProviderState, prices: Prices): Fault[] {
  const models = prices.providers.get(id)
  if (models && models.size > 0) return []
  const file = prices.files.get(id)
  const remedy = 'a model is served only if it is priced: add its models'
  if (file) return [{ file, place: 'models', problem: 'there is no model', remedy }]
  return [{ file: `pricing/${id}.toml`, place: '', problem: `the provider "${id}" has no price file`, remedy }]
}

/** One line a file: all its models were compared with their source on the same day. */
function stale(prices: Prices, now: Date): Fault[] {
  const checked = new Map(allModels(prices).map(({ file, checked, source }) => [file, { checked, source }]))
  return [...checked].flatMap(([file, { checked, source }]) => {
    const days = Math.floor((now.getTime() - Date.parse(checked)) / DAY_MS)
    if (days <= STALE_AFTER_DAYS) return []
    return [
      {
        file,
        place: 'checked',
        problem: `the prices were checked ${days} days ago`,
        remedy: `compare them with ${source} and set the date`,
      },
    ]
  })
}

function notYet(prices: Prices, now: Date): Fault[] {
  return allModels(prices).flatMap(({ file, name, prices: [first] }) => {
    if (!first || Date.parse(first.from) <= now.getTime()) return []
    const place = `models."${name}".prices[0].from`
    return [{ file, place, problem: `has no price before ${first.from}`, remedy: 'until then the model is not served' }]
  })
}

/** An adjustment for a model that nobody offers is most likely a name mistyped. */
function idleSite({ site, site_file = 'site.toml', ...prices }: Prices): Fault[] {
  const names = new Set(allModels(prices).map(({ name }) => name))
  return Object.keys(site.models)
    .filter((name) => !names.has(name))
    .map((name) => ({
      file: site_file,
      place: `models."${name}"`,
      problem: 'no price file has this model',
      remedy: 'correct the name',
    }))
}

const allModels = ({ providers }: Pick<Prices, 'providers'>): PricedModel[] =>
  [...providers.values()].flatMap((models) => [...models.values()])
