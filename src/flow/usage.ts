// What an account used and paid over a time: sums of its settled jobs by day, model, operation or key.
import { METERS, type Meters } from '../contract.ts'
import { formatUsd } from '../ledger/money.ts'
import { repeatUntilKnown } from '../ledger/writes.ts'
import { Failure } from './failure.ts'
import { lowestId } from './ids.ts'
import { seconds } from './job_view.ts'
import type { Services } from './services.ts'

export const USAGE_GROUPS = ['model', 'day', 'operation', 'key'] as const
export type UsageGroup = (typeof USAGE_GROUPS)[number]

export interface UsageQuery {
  account_id: string
  /** By the time at which jobs were created: from this on, and before that. */
  from: Date
  to: Date
  group_by: UsageGroup
}

/** Named after the group: `model`, `day` (UTC, 2026-11-20), `operation` or `key_id`. */
export type UsageRow = { jobs: number; cost_usd: string; meters: Meters } & Record<string, unknown>

export interface UsageReport {
  object: 'usage'
  account_id: string
  from: number | null
  to: number | null
  group_by: UsageGroup
  jobs: number
  cost_usd: string
  data: UsageRow[]
}

const DAYS_MAX = 400
const DAY_MS = 86_400_000

const EXPRESSIONS = {
  model: '$model',
  day: { $dateToString: { format: '%Y-%m-%d', date: '$created_at' } },
  operation: '$operation',
  key: '$key_id',
}

/** Throws Failure invalid_value for a time that ends before it begins or is longer than is kept. */
export async function getUsage({ store }: Pick<Services, 'store'>, query: UsageQuery): Promise<UsageReport> {
  const { account_id, from, to, group_by } = query
  if (from.getTime() < 0 || from >= to)
    throw new Failure(400, 'invalid_value', "'from' must be before 'to', and after 1970.", { param: 'from' })
  if (to.getTime() - from.getTime() > DAYS_MAX * DAY_MS)
    throw new Failure(400, 'invalid_value', `At most ${DAYS_MAX} days at once.`, { param: 'from' })
  const sums = Object.fromEntries(METERS.map((meter) => [meter, { $sum: `$usage.meters.${meter}` }]))
  // By the index of the account's jobs: their ids rise with time.
  const ids = { $gte: lowestId('job', from), $lt: lowestId('job', to) }
  const groups = await repeatUntilKnown(() =>
    store.jobs
      .aggregate<{ _id: string; jobs: unknown; cost: unknown } & Record<string, unknown>>([
        { $match: { account_id, _id: ids, state: { $in: ['settling', 'settled'] } } },
        { $group: { _id: EXPRESSIONS[group_by], jobs: { $sum: 1 }, cost: { $sum: '$cost' }, ...sums } },
        { $sort: { _id: 1 } },
      ])
      .toArray(),
  )
  const name = group_by === 'key' ? 'key_id' : group_by
  return {
    object: 'usage',
    account_id,
    from: seconds(from),
    to: seconds(to),
    group_by,
    jobs: groups.reduce((total, { jobs }) => total + Number(jobs), 0),
    cost_usd: formatUsd(groups.reduce((total, { cost }) => total + BigInt(String(cost)), 0n)),
    data: groups.map(({ _id, jobs, cost, ...meters }) => ({
      [name]: _id,
      jobs: Number(jobs),
      cost_usd: formatUsd(BigInt(String(cost))),
      meters: nonZero(meters),
    })),
  }
}

const nonZero = (meters: Record<string, unknown>): Meters =>
  Object.fromEntries(
    METERS.map((meter) => [meter, Number(meters[meter] ?? 0)] as const).filter(([, quantity]) => quantity > 0),
  )
