// The margin: what we charged for jobs against what their providers will charge us, by day, provider and model. It reads
// jobs hour by hour, so that no question keeps the store for long, and past days once.
import type { Operation } from '../../contract.ts'
import { formatUsd, type NanoUsd } from '../../ledger/money.ts'
import { repeatUntilKnown } from '../../ledger/writes.ts'
import type { JobRecord } from '../../store/jobs.ts'
import type { MarginRow } from '../../store/margin_days.ts'
import { type Page, type PageQuery, pageBy } from '../../store/page.ts'
import { Failure } from '../failure.ts'
import { lowestId } from '../ids.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'

export const MARGIN_GROUPS = ['day', 'provider', 'model', 'operation'] as const
export type MarginGroup = (typeof MARGIN_GROUPS)[number]

const DAYS_MAX = 100
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** After this long all jobs of a day have ended, whatever their deadline: its sums are kept. */
const CLOSED_MS = 7 * DAY_MS

export interface MarginQuery {
  /** Whole days of UTC, by the time at which jobs were created: from the day of this on, and before the day of that. */
  from: Date
  to: Date
  group_by: readonly MarginGroup[]
}

/** Named after what they are grouped by; `margin_usd` = charged − refunded − provider. */
export type MarginView = Partial<Record<MarginGroup, string>> & {
  jobs: number
  charged_usd: string
  refunded_usd: string
  provider_usd: string
  margin_usd: string
  jobs_below_cost: number
  below_cost_usd: string
}

export interface DayRow extends MarginRow {
  day: string
  refunded: NanoUsd
}

/** Throws Failure invalid_value for a time that ends before it begins or is too long. */
export async function getMargin(services: Pick<Services, 'store'>, query: MarginQuery): Promise<MarginView[]> {
  const rows = await readDays(services, query)
  const groups = Map.groupBy(rows, (row) => JSON.stringify(query.group_by.map((name) => row[name])))
  return [...groups.values()].map((own) => marginView(own, query.group_by))
}

function marginView(rows: DayRow[], group_by: readonly MarginGroup[]): MarginView {
  const sum = (field: 'charged' | 'refunded' | 'list' | 'loss') => rows.reduce((total, row) => total + row[field], 0n)
  const count = (field: 'jobs' | 'below') => rows.reduce((total, row) => total + row[field], 0)
  const names = Object.fromEntries(group_by.map((name) => [name, rows[0]?.[name]]))
  return {
    ...names,
    jobs: count('jobs'),
    charged_usd: formatUsd(sum('charged')),
    refunded_usd: formatUsd(sum('refunded')),
    provider_usd: formatUsd(sum('list')),
    margin_usd: formatUsd(sum('charged') - sum('refunded') - sum('list')),
    jobs_below_cost: count('below'),
    below_cost_usd: formatUsd(sum('loss')),
  }
}

/** All rows of whole days, each with its day, in order. */
export async function readDays(
  services: Pick<Services, 'store'>,
  { from, to }: Pick<MarginQuery, 'from' | 'to'>,
): Promise<DayRow[]> {
  const [first, end] = [dayBegin(from), dayBegin(new Date(to.getTime() + DAY_MS - 1))]
  if (from.getTime() < 0 || first >= end)
    throw new Failure(400, 'invalid_value', "'from' must be before 'to', and after 1970.", { param: 'from' })
  if (end - first > DAYS_MAX * DAY_MS)
    throw new Failure(400, 'invalid_value', `At most ${DAYS_MAX} days at once.`, { param: 'from' })
  const refunded = await readRefunds(services, new Date(first), new Date(end))
  const rows: DayRow[] = []
  for (let begin = first; begin < end; begin += DAY_MS) {
    const day = dayOf(new Date(begin))
    for (const row of await readDay(services, begin)) {
      rows.push({ ...row, day, refunded: refunded.get(rowName(day, row)) ?? 0n })
    }
  }
  return rows
}

const dayBegin = (at: Date): number => Math.floor(at.getTime() / DAY_MS) * DAY_MS
const dayOf = (at: Date): string => at.toISOString().slice(0, 10)

async function readDay({ store }: Pick<Services, 'store'>, begin: number): Promise<MarginRow[]> {
  const _id = dayOf(new Date(begin))
  const kept = await repeatUntilKnown(() => store.margin_days.findOne({ _id }))
  if (kept) return kept.rows
  const now = Date.now()
  if (begin > now) return []
  const rows = await addUpDay({ store }, begin)
  if (begin + DAY_MS + CLOSED_MS < now) {
    const line = { rows, made_at: new Date() }
    await repeatUntilKnown(() => store.margin_days.updateOne({ _id }, { $setOnInsert: line }, { upsert: true }))
  }
  return rows
}

/** Hours without a job are not asked about. */
async function addUpDay({ store }: Pick<Services, 'store'>, begin: number): Promise<MarginRow[]> {
  const rows = new Map<string, MarginRow>()
  const end = begin + DAY_MS
  for (let hour = begin; hour < end; ) {
    const next = await repeatUntilKnown(() =>
      store.jobs.findOne(
        { _id: { $gte: lowestId('job', new Date(hour)), $lt: lowestId('job', new Date(end)) } },
        { projection: { created_at: 1 }, sort: { _id: 1 } },
      ),
    )
    if (!next) break
    // The id has its own time, which the job's may follow by a moment.
    hour = Math.max(hour, Math.floor((next.created_at.getTime() - 1000) / HOUR_MS) * HOUR_MS)
    for (const row of await addUpHour({ store }, hour)) merge(rows, row)
    hour += HOUR_MS
  }
  return [...rows.values()].sort((a, b) => (rowName('', a) < rowName('', b) ? -1 : 1))
}

const rowName = (day: string, { provider, model, upstream, operation }: RowKey): string =>
  JSON.stringify([day, provider, model, upstream, operation])

function merge(rows: Map<string, MarginRow>, row: MarginRow): void {
  const name = rowName('', row)
  const there = rows.get(name)
  if (!there) return void rows.set(name, row)
  there.jobs += row.jobs
  there.charged += row.charged
  there.list += row.list
  there.below += row.below
  there.loss += row.loss
}

interface RowKey {
  provider: string
  model: string
  upstream: string
  operation: Operation
}
const ROW_KEY = {
  provider: { $arrayElemAt: ['$offers.provider', '$offer'] },
  upstream: { $arrayElemAt: ['$offers.upstream', '$offer'] },
  model: '$model',
  operation: '$operation',
}

async function addUpHour({ store }: Pick<Services, 'store'>, hour: number): Promise<MarginRow[]> {
  const ids = { $gte: lowestId('job', new Date(hour)), $lt: lowestId('job', new Date(hour + HOUR_MS)) }
  const groups = await repeatUntilKnown(() =>
    store.jobs
      .aggregate<{ _id: RowKey } & Record<'jobs' | 'charged' | 'list' | 'below' | 'loss', unknown>>([
        { $match: { _id: ids, state: { $in: ['settling', 'settled'] } } },
        {
          $group: {
            _id: ROW_KEY,
            jobs: { $sum: 1 },
            charged: { $sum: '$cost' },
            list: { $sum: '$list_cost' },
            below: { $sum: { $cond: [{ $gt: ['$loss', 0] }, 1, 0] } },
            loss: { $sum: '$loss' },
          },
        },
      ])
      .toArray(),
  )
  return groups.map(({ _id, jobs, charged, list, below, loss }) => ({
    ..._id,
    jobs: Number(jobs),
    charged: BigInt(String(charged)),
    list: BigInt(String(list)),
    below: Number(below),
    loss: BigInt(String(loss)),
  }))
}

/** By day and row: what was given back of the jobs of that day, whenever that was. */
async function readRefunds({ store }: Pick<Services, 'store'>, from: Date, to: Date): Promise<Map<string, NanoUsd>> {
  const groups = await repeatUntilKnown(() =>
    store.jobs
      .aggregate<{ _id: RowKey & { day: string }; refunded: unknown }>([
        { $match: { refunded: { $exists: true }, created_at: { $gte: from, $lt: to } } },
        {
          $group: {
            _id: { ...ROW_KEY, day: { $dateToString: { format: '%Y-%m-%d', date: '$created_at' } } },
            refunded: { $sum: '$refunded' },
          },
        },
      ])
      .toArray(),
  )
  return new Map(groups.map(({ _id, refunded }) => [rowName(_id.day, _id), BigInt(String(refunded))]))
}

export interface LossView {
  id: string
  object: 'loss'
  account_id: string
  provider: string | null
  model: string
  cost_usd: string
  provider_usd: string
  loss_usd: string
  created_at: number | null
}

/** Jobs that were sold below their provider's list price, newest first. */
export async function listLosses({ store }: Pick<Services, 'store'>, query: PageQuery): Promise<Page<LossView>> {
  const { items, has_more } = await repeatUntilKnown(() =>
    pageBy('created_at', store.jobs, { loss: { $exists: true } }, query),
  )
  return { items: items.map(lossView), has_more }
}

const lossView = ({
  _id,
  account_id,
  offers,
  offer,
  model,
  cost,
  list_cost,
  loss,
  created_at,
}: JobRecord): LossView => ({
  id: _id,
  object: 'loss',
  account_id,
  provider: offers[offer]?.provider ?? null,
  model,
  cost_usd: formatUsd(cost ?? 0n),
  provider_usd: formatUsd(list_cost ?? 0n),
  loss_usd: formatUsd(loss ?? 0n),
  created_at: seconds(created_at),
})
