// What credit is sold and given in: one lot, or the two of a pack, what is paid for and what is given on top.
import { formatUsd, type NanoUsd } from '../../ledger/money.ts'
import type { Pack } from '../../pricing/schema.ts'
import type { LotKind, LotTerms } from '../../store/lots.ts'
import { Failure } from '../failure.ts'
import type { Services } from '../services.ts'

export type LotsToGive = readonly (LotTerms & { amount: NanoUsd })[]

export const plainLot = (amount: NanoUsd, kind: LotKind = 'paid', expires_at: Date | null = null): LotsToGive => [
  { amount, kind, expires_at, source: { type: 'grant', id: null } },
]

const DAY_MS = 86_400_000

/** The lots of a pack that is given now. Throws Failure pack_not_found. */
export function lotsOfPack({ registry }: Pick<Services, 'registry'>, name: string, now = new Date()): LotsToGive {
  const pack = findPack({ registry }, name)
  return packLots(name, pack).map(({ expires_days, ...lot }) => ({ ...lot, expires_at: daysAfter(now, expires_days) }))
}

/** The same with their times in days, which begin on the day on which they are given. */
export function packLots(name: string, { pay, get, expires_days, promotional_expires_days }: Pack) {
  const source = { type: 'pack' as const, id: name }
  const paid = { kind: 'paid' as const, amount: pay, expires_days: expires_days ?? null, source }
  if (get === pay) return [paid]
  const promotional_days = promotional_expires_days ?? expires_days ?? null
  return [paid, { ...paid, kind: 'promotional' as const, amount: get - pay, expires_days: promotional_days }]
}

export function findPack({ registry }: Pick<Services, 'registry'>, name: string): Pack {
  const { packs } = registry()
  const pack = Object.hasOwn(packs, name) ? packs[name] : undefined
  if (pack) return pack
  const names = Object.keys(packs)
  throw new Failure(
    404,
    'pack_not_found',
    `There is no pack '${name.slice(0, 64)}'. ${names.length > 0 ? `There are: ${names.join(', ')}.` : 'pricing/site.toml names none.'}`,
    { param: 'pack' },
  )
}

export const daysAfter = (now: Date, days: number | null): Date | null =>
  days === null ? null : new Date(now.getTime() + days * DAY_MS)

export interface PackView {
  id: string
  object: 'pack'
  pay_usd: string
  get_usd: string
  expires_days: number | null
  promotional_expires_days: number | null
}

export const listPacks = ({ registry }: Pick<Services, 'registry'>): PackView[] =>
  Object.entries(registry().packs).map(([id, { pay, get, expires_days, promotional_expires_days }]) => ({
    id,
    object: 'pack',
    pay_usd: formatUsd(pay),
    get_usd: formatUsd(get),
    expires_days: expires_days ?? null,
    promotional_expires_days: promotional_expires_days ?? expires_days ?? null,
  }))
