// What an account, or all of them, used and paid over a time: sums of charged jobs by any of day, model, operation, key
// and user. Days that are over come from their sums, the rest from the jobs themselves.
import { METERS, type Meters } from '../../contract.ts'
import { formatUsd } from '../../ledger/money.ts'
import { Failure } from '../failure.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'
import { daysDone, sumsOfDays } from './usage_days.ts'
import { chargedJobs, DAY_MS, type DatedSum, type Span, Sums, startOf } from './usage_sums.ts'

export const USAGE_GROUPS = ['model', 'day', 'operation', 'key', 'user'] as const
export type UsageGroup = (typeof USAGE_GROUPS)[number]

/** By the time at which jobs were created, which their ids tell. */
export interface UsageQuery extends Span {
  /** Absent: of all accounts. */
  account_id?: string
  /** In the order in which rows are sorted; at least one. */
  group_by: UsageGroup[]
}

/** Named after the groups: `model`, `day` (UTC, 2026-11-20), `operation`, `key_id`, `user_id`. */
export type UsageRow = { jobs: number; cost_usd: string; meters: Meters } & Record<string, unknown>

export interface UsageReport {
  object: 'usage'
  account_id?: string
  from: number | null
  to: number | null
  /** As it was asked: `model`, or `day,model`. */
  group_by: string
  jobs: number
  cost_usd: string
  data: UsageRow[]
}

const DAYS_MAX = 400
const ROWS_MAX = 50_000

/** What each group is called in a row, and where it is found. */
const NAMES = {
  model: 'model',
  day: 'day',
  operation: 'operation',
  key: 'key_id',
  user: 'user_id',
} as const satisfies Record<UsageGroup, keyof DatedSum>

/** Throws Failure invalid_value for a time that ends before it begins or is longer than is kept, and for too many rows. */
export async function getUsage(services: Pick<Services, 'store'>, query: UsageQuery): Promise<UsageReport> {
  const { account_id, from, to, group_by } = query
  checkSpan(query)
  const names = group_by.map((group) => NAMES[group])
  const sums = new Sums<string[]>()
  for await (const sum of sumsWithin(services, query, account_id)) {
    const group = names.map((name) => sum[name])
    sums.add(group.join('\n'), () => group, sum)
    if (sums.size > ROWS_MAX) throw tooManyRows()
  }
  const rows = sums.values().sort((one, other) => compare(one.group, other.group))
  return {
    object: 'usage',
    ...(account_id !== undefined && { account_id }),
    from: seconds(from),
    to: seconds(to),
    group_by: group_by.join(','),
    jobs: rows.reduce((total, { jobs }) => total + jobs, 0),
    cost_usd: formatUsd(rows.reduce((total, { cost }) => total + cost, 0n)),
    data: rows.map(({ group, jobs, cost, meters }) => ({
      ...Object.fromEntries(names.map((name, index) => [name, group[index]])),
      jobs,
      cost_usd: formatUsd(cost),
      meters,
    })),
  }
}

/** For spreadsheets: a column for each group and for each meter that was used. */
export function usageTable({ group_by, data }: UsageReport): { columns: string[]; rows: unknown[][] } {
  const names = group_by.split(',').map((group) => NAMES[group as UsageGroup])
  const meters = METERS.filter((meter) => data.some((row) => row.meters[meter] !== undefined))
  return {
    columns: [...names, 'jobs', 'cost_usd', ...meters],
    rows: data.map((row) => [
      ...names.map((name) => row[name]),
      row.jobs,
      row.cost_usd,
      ...meters.map((meter) => row.meters[meter] ?? 0),
    ]),
  }
}

function checkSpan({ from, to }: Span): void {
  if (from.getTime() < 0 || from >= to)
    throw new Failure(400, 'invalid_value', "'from' must be before 'to', and after 1970.", { param: 'from' })
  if (to.getTime() - from.getTime() > DAYS_MAX * DAY_MS)
    throw new Failure(400, 'invalid_value', `At most ${DAYS_MAX} days at once.`, { param: 'from' })
}

const tooManyRows = () =>
  new Failure(400, 'invalid_value', `More than ${ROWS_MAX} rows: ask for fewer groups, or for a shorter time.`, {
    param: 'group_by',
  })

async function* sumsWithin(
  services: Pick<Services, 'store'>,
  span: Span,
  account_id: string | undefined,
): AsyncGenerator<DatedSum> {
  const whole = (await daysDone(services, span)).filter((day) => isWithin(startOf(day), span)).sort()
  yield* sumsOfDays(services, whole, account_id)
  for (const rest of without(span, whole)) yield* chargedJobs(services, rest, account_id)
}

const isWithin = (start: Date, { from, to }: Span) => start >= from && start.getTime() + DAY_MS <= to.getTime()

/** What is left of a span when these days, in order, are taken out. */
function without({ from, to }: Span, days: string[]): Span[] {
  const spans: Span[] = []
  let begin = from
  for (const start of days.map(startOf)) {
    if (start > begin) spans.push({ from: begin, to: start })
    begin = new Date(start.getTime() + DAY_MS)
  }
  if (begin < to) spans.push({ from: begin, to })
  return spans
}

function compare(one: string[], other: string[]): number {
  const place = one.findIndex((value, index) => value !== other[index])
  if (place === -1) return 0
  return (one[place] ?? '') < (other[place] ?? '') ? -1 : 1
}
