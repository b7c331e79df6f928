// Limits of keys and of accounts that renew themselves: money a day and a month, requests and tokens a minute, jobs at
// once. They stand in the account document and are guarded by the statement that holds. It reads and writes nothing.
import type { Allowance, LimitKind, Limits } from '../store/accounts.ts'
import type { NanoUsd } from './money.ts'

export type LimitOwner = 'account' | 'key'

/** In the order in which a refusal names them: what waiting does not mend comes first. */
export const LIMIT_KINDS: readonly LimitKind[] = ['month', 'day', 'requests', 'tokens', 'jobs']
export const LIMIT_OWNERS: readonly LimitOwner[] = ['key', 'account']

/** Which limits a hold was counted in, and in which of their windows. */
export interface Mark {
  owner: LimitOwner
  kind: LimitKind
  window: string
  /** Of tokens: how many were expected. */
  quantity?: bigint
}

const MINUTE_MS = 60_000
/** Work at once is counted in one window that never ends. */
const FOREVER = 'always'

/** Before anything was counted: a minute begins with its first call. */
export const UNBEGUN: Record<LimitKind, string> = {
  month: '0000-00',
  day: '0000-00-00',
  requests: new Date(0).toISOString(),
  tokens: new Date(0).toISOString(),
  jobs: FOREVER,
}

/** The window that counts now, where `window` was the last. Windows only go on: clocks of routers differ a little. */
export function windowAt(kind: LimitKind, window: string, now: Date): string {
  if (kind === 'jobs') return FOREVER
  if (kind === 'requests' || kind === 'tokens')
    return now.getTime() < Date.parse(window) + MINUTE_MS ? window : now.toISOString()
  const calendar = now.toISOString().slice(0, kind === 'day' ? 10 : 7)
  return calendar > window ? calendar : window
}

/** When the window ends; null: it does not. Days and months are those of UTC. */
export function windowEnd(kind: LimitKind, window: string): Date | null {
  if (kind === 'jobs') return null
  const begin = new Date(window)
  if (kind === 'day') return new Date(begin.getTime() + 24 * 60 * MINUTE_MS)
  if (kind === 'month') return new Date(Date.UTC(begin.getUTCFullYear(), begin.getUTCMonth() + 1))
  return new Date(begin.getTime() + MINUTE_MS)
}

/** Where the limits of this owner stand in the account document. */
export const limitsField = (owner: LimitOwner, key_id: string): string =>
  owner === 'account' ? 'limits' : `keys.${key_id}.limits`

/** What a hold takes of a limit. */
export function takenBy({ kind, quantity }: Pick<Mark, 'kind' | 'quantity'>, amount: NanoUsd): bigint {
  if (kind === 'tokens') return quantity ?? 0n
  return isMoney(kind) ? amount : 1n
}

/** What the job used in the end of what was taken: money its cost, tokens those that there were, a request itself. */
export function usedOf(mark: Mark, cost: NanoUsd | undefined, tokens: bigint | undefined): bigint {
  if (isMoney(mark.kind)) return cost ?? 0n
  if (mark.kind === 'tokens') return cost === undefined ? 0n : (tokens ?? mark.quantity ?? 0n)
  return mark.kind === 'requests' ? 1n : 0n
}

export const isMoney = (kind: LimitKind): boolean => kind === 'day' || kind === 'month'

/** A fresh nonce that tells in what its hold is counted, so that whoever ends the job knows it from the job alone. */
export const nonceWith = (nonce: string, marks: readonly Mark[]): string => [nonce, ...marks.map(textOf)].join(' ')

const textOf = ({ owner, kind, window, quantity }: Mark): string =>
  [owner, kind, window, ...(quantity === undefined ? [] : [quantity])].join('|')

export function marksOf(nonce: string): Mark[] {
  const [, ...marks] = nonce.split(' ')
  return marks.map((text) => {
    const [owner, kind, window = '', quantity] = text.split('|')
    return {
      owner: owner as LimitOwner,
      kind: kind as LimitKind,
      window,
      ...(quantity !== undefined && { quantity: BigInt(quantity) }),
    }
  })
}

/** The windows of money that a charge counts in, for its entry: `day`, `month`, `key_day`, `key_month`. */
export function moneyWindows(nonce: string): Record<string, string> | undefined {
  const money = marksOf(nonce).filter(({ kind }) => isMoney(kind))
  if (money.length === 0) return undefined
  return Object.fromEntries(money.map(({ owner, kind, window }) => [windowField(owner, kind), window]))
}

export const windowField = (owner: LimitOwner, kind: LimitKind): string => (owner === 'key' ? `key_${kind}` : kind)

/** Each of the limits that there are. */
export function allowancesOf(limits: Limits | undefined): [LimitKind, Allowance][] {
  return LIMIT_KINDS.flatMap((kind) => {
    const allowance = limits?.[kind]
    return allowance ? [[kind, allowance] as [LimitKind, Allowance]] : []
  })
}
