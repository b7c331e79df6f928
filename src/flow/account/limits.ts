// Limits as callers and admins see them: what a refusal says of the limit that is full, and how far the others are. It
// counts nothing: that is done where credit is held.
import type { Json, Usage } from '../../contract.ts'
import type { FullLimit, HoldOutcome } from '../../ledger/hold.ts'
import { isMoney, LIMIT_OWNERS, marksOf, windowAt, windowEnd } from '../../ledger/limits.ts'
import { formatUsd, type NanoUsd } from '../../ledger/money.ts'
import type { LimitChange } from '../../ledger/set_limits.ts'
import { type Allowance, type LimitKind, type Limits, UNLIMITED_ROOM } from '../../store/accounts.ts'
import { Failure } from '../failure.ts'
import { seconds } from '../job_view.ts'
import type { Caller, Services } from '../services.ts'

export type { LimitChange }

type Refusal = Extract<HoldOutcome, { held: false }>

/** How far a limit a minute is: the narrower one, where both the key and its account have one. */
export interface RateStanding {
  kind: 'requests' | 'tokens'
  limit: bigint
  remaining: bigint
  resets_at: Date
}

const KIND_NAMES: Record<LimitKind, string> = {
  day: 'daily',
  month: 'monthly',
  requests: 'requests_per_minute',
  tokens: 'tokens_per_minute',
  jobs: 'jobs_at_once',
}
/** Work that ends makes room again: when, nobody knows. */
const JOBS_RETRY_AFTER_MS = 1000

/** Beyond what any job can use: a provider that reports more by mistake changes no count beyond repair. */
const TOKENS_MAX = 1e12

/** All tokens of whatever kind, for limits of tokens a minute. */
export function tokensOf({ meters }: Pick<Usage, 'meters'>): number {
  const counts = Object.entries(meters).flatMap(([meter, count]) => (meter.endsWith('_tokens') ? [count] : []))
  return Math.min(Math.ceil(counts.reduce((sum, count) => sum + Math.max(0, count), 0)), TOKENS_MAX)
}

/** Of a usage as a job keeps it; undefined where it has none. */
export function keptTokens(usage: Json): bigint | undefined {
  const meters = (usage as { meters?: Usage['meters'] } | null)?.meters
  return meters ? BigInt(tokensOf({ meters })) : undefined
}

/** Why a hold was refused, in words: 402 for money, 429 for what time brings back. */
function refusalOf(needed: NanoUsd, { reason, available, full }: Refusal): Failure {
  if (full) return isMoney(full.kind) ? budgetRefusal(full, available) : rateRefusal(full, available)
  const facts = { needed_usd: formatUsd(needed), available_usd: formatUsd(available) }
  const needs = `This call needs ${facts.needed_usd} USD set aside`
  if (reason === 'insufficient_credits')
    return new Failure(
      402,
      'insufficient_credits',
      `${needs} and ${facts.available_usd} USD are available. Add credit, or ask for less output.`,
      { facts },
    )
  return new Failure(
    402,
    'key_budget_exhausted',
    `${needs} and this key may still spend ${facts.available_usd} USD. Raise the key's limit, or ask for less output.`,
    { facts: { ...facts, limit: 'key_total', resets_at: null } },
  )
}

function budgetRefusal({ owner, kind, limit, needed, resets_at }: FullLimit, available: bigint): Failure {
  const facts = {
    needed_usd: formatUsd(needed),
    available_usd: formatUsd(available),
    limit: `${owner}_${KIND_NAMES[kind]}`,
    limit_usd: formatUsd(limit),
    resets_at: seconds(resets_at),
  }
  const who = owner === 'key' ? 'this key' : 'this account'
  return new Failure(
    402,
    owner === 'key' ? 'key_budget_exhausted' : 'account_budget_exhausted',
    `This call needs ${facts.needed_usd} USD set aside and ${who} may still spend ${facts.available_usd} USD of its ${KIND_NAMES[kind]} ${facts.limit_usd} USD, which begin anew at ${resets_at?.toISOString()}. Wait until then, raise the limit, or ask for less output.`,
    { facts },
  )
}

const COUNTED = { requests: 'requests a minute', tokens: 'tokens a minute', jobs: 'jobs at once' } as const

function rateRefusal({ owner, kind, limit, needed, resets_at }: FullLimit, available: bigint): Failure {
  const facts = {
    limit: `${owner}_${KIND_NAMES[kind]}`,
    limit_value: Number(limit),
    needed: Number(needed),
    available: Number(available),
    resets_at: seconds(resets_at),
  }
  const what = `${owner === 'key' ? 'This key' : 'This account'} is limited to ${limit} ${COUNTED[kind as RateStanding['kind']]}`
  if (needed > limit)
    return new Failure(
      429,
      'request_exceeds_rate_limit',
      limit === 0n
        ? `${what}: it may make no calls.`
        : `${what}, and this call alone may use ${needed} ${kind}. Ask for less output (max_tokens), or have the limit raised.`,
      { facts },
    )
  const retry_after_ms = resets_at ? Math.max(1, resets_at.getTime() - Date.now()) : JOBS_RETRY_AFTER_MS
  return new Failure(
    429,
    'rate_limit_exceeded',
    `${what}: ${available} are left and ${needed} are needed. Nothing was charged; try again in ${Math.ceil(retry_after_ms / 1000)} s.`,
    { facts, retry_after_ms },
  )
}

/** Why a call is refused before anything is written: its key was just found out of requests. */
export function knownRefusal({ ledger }: Services, caller: Caller, hold: NanoUsd): Failure | undefined {
  const refusal = ledger.refusal(caller.key_id)
  return refusal && refuse(caller, hold, refusal)
}

/** The words for a refusal; the caller is told how far the limit is that stands in its way. */
export function refuse(caller: Caller, needed: NanoUsd, refusal: Refusal): Failure {
  const { full, available } = refusal
  if (full && isRate(full.kind) && full.resets_at)
    caller.tellRates?.([{ kind: full.kind, limit: full.limit, remaining: available, resets_at: full.resets_at }])
  return refusalOf(needed, refusal)
}

/** Tells the caller how far the limits a minute are that a hold counts in; one look at the account, for those that have them. */
export async function tellRates(services: Services, caller: Caller, nonce: string): Promise<void> {
  if (!caller.tellRates || !marksOf(nonce).some(({ kind }) => isRate(kind))) return
  try {
    const limits = await services.ledger.limits(caller.account_id, caller.key_id)
    caller.tellRates((['requests', 'tokens'] as const).flatMap((kind) => rateStanding(limits, kind) ?? []))
  } catch (error) {
    services.log.warn({ error }, 'How far the limits of a caller are could not be read; its call goes on without.')
  }
}

const isRate = (kind: LimitKind): kind is RateStanding['kind'] => kind === 'requests' || kind === 'tokens'

function rateStanding(
  limits: Record<'account' | 'key', Limits | undefined>,
  kind: RateStanding['kind'],
): RateStanding | undefined {
  const [narrowest] = LIMIT_OWNERS.flatMap((owner) => {
    const allowance = limits[owner]?.[kind]
    if (!allowance || isUnlimited(allowance)) return []
    const { limit, room, window } = standing(kind, allowance, new Date())
    const resets_at = windowEnd(kind, window) ?? new Date()
    return [{ kind, limit, remaining: room < 0n ? 0n : room, resets_at }]
  }).sort((one, other) => Number(one.remaining - other.remaining))
  return narrowest
}

/** In a window that is over nothing is used any more, though the next has not begun. */
function standing(kind: LimitKind, allowance: Allowance, now: Date): Allowance {
  const window = windowAt(kind, allowance.window, now)
  if (window === allowance.window) return allowance
  return { window, limit: allowance.limit, room: allowance.limit, held: 0n, settled: 0n }
}

const isUnlimited = ({ limit }: Allowance) => limit === UNLIMITED_ROOM

/** null: there is no such limit. Days and months are those of UTC. */
export interface LimitsView {
  limit_daily_usd: string | null
  remaining_daily_usd: string | null
  limit_monthly_usd: string | null
  remaining_monthly_usd: string | null
  requests_per_minute: number | null
  tokens_per_minute: number | null
  jobs_at_once: number | null
  /** How many jobs run now, where they are limited. */
  jobs_now: number | null
}

export function limitsView(limits: Limits | undefined): LimitsView {
  const now = new Date()
  const of = (kind: LimitKind): Allowance | undefined => {
    const allowance = limits?.[kind]
    return allowance && !isUnlimited(allowance) ? standing(kind, allowance, now) : undefined
  }
  const usd = (amount: bigint | undefined) => (amount === undefined ? null : formatUsd(amount > 0n ? amount : 0n))
  const count = (quantity: bigint | undefined) => (quantity === undefined ? null : Number(quantity))
  return {
    limit_daily_usd: usd(of('day')?.limit),
    remaining_daily_usd: usd(of('day')?.room),
    limit_monthly_usd: usd(of('month')?.limit),
    remaining_monthly_usd: usd(of('month')?.room),
    requests_per_minute: count(of('requests')?.limit),
    tokens_per_minute: count(of('tokens')?.limit),
    jobs_at_once: count(of('jobs')?.limit),
    jobs_now: count(of('jobs')?.held),
  }
}

const FIELDS: Record<LimitKind, string> = {
  day: 'limit_daily_usd',
  month: 'limit_monthly_usd',
  requests: 'requests_per_minute',
  tokens: 'tokens_per_minute',
  jobs: 'jobs_at_once',
}

/** A change of limits for the audit trail, under the names of the API. */
export function limitsDetail(change: LimitChange): Record<string, string | number | null> {
  return Object.fromEntries(
    (Object.entries(change) as [LimitKind, bigint | null][]).map(([kind, limit]) => [
      FIELDS[kind],
      limit === null ? null : isMoney(kind) ? formatUsd(limit) : Number(limit),
    ]),
  )
}
