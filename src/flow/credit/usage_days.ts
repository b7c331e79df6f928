// The days that are over, added up once: when every job of a day is decided, its sums are written down, and reports read
// them instead of its jobs. Any router may do it, twice even: the same jobs make the same sums under the same ids.
import { setTimeout as pause } from 'node:timers/promises'
import { isDuplicate, repeatUntilKnown } from '../../ledger/writes.ts'
import type { UsageSum, UsageSumsRecord } from '../../store/usage.ts'
import { lowestId, timeOf } from '../ids.ts'
import type { Services } from '../services.ts'
import { chargedJobs, DAY_MS, type DatedSum, dayOf, type Span, Sums, startOf } from './usage_sums.ts'

type Parts = Pick<Services, 'store' | 'log'>

const LOOK_MS = 10 * 60_000
const FIRST_LOOK_MS = 60_000
/** After midnight so long: clocks differ, and what was begun is to end. */
const AFTER_MS = 3600_000
/** Whoever began a day is left to it for so long. */
const CLAIM_MS = 30 * 60_000
/** A day with work that is still open is looked at again after so long. */
const OPEN_MS = 3600_000
const DAYS_MAX = 400
const PAGE = 500

export function startUsageDays(services: Parts): { stop(): void } {
  const stopping = new AbortController()
  const look = async () => {
    // Routers that were started together need not look together.
    await pause(FIRST_LOOK_MS * (1 + Math.random()), undefined, { signal: stopping.signal })
    for (;;) {
      await addUpDays(services, new Date(), stopping.signal).catch((error: unknown) =>
        services.log.error({ error }, 'Usage could not be added up by days; reports read jobs until it is.'),
      )
      await pause(LOOK_MS, undefined, { signal: stopping.signal })
    }
  }
  look().catch(() => undefined)
  return { stop: () => stopping.abort() }
}

/** Every day that is over and not added up yet, the latest first: that is the one that is asked for. */
export async function addUpDays({ store, log }: Parts, now: Date, stopping?: AbortSignal): Promise<void> {
  const oldest = await store.jobs
    .find({}, { projection: { _id: 1 } })
    .sort({ _id: 1 })
    .limit(1)
    .next()
  if (!oldest) return
  const last = new Date(now.getTime() - AFTER_MS - DAY_MS)
  const first = Math.max(timeOf(oldest._id).getTime(), now.getTime() - DAYS_MAX * DAY_MS)
  const done = new Set(await daysDone({ store }, { from: new Date(first - DAY_MS), to: now }))
  for (let at = startOf(dayOf(last)); at.getTime() + DAY_MS > first; at = new Date(at.getTime() - DAY_MS)) {
    if (stopping?.aborted) return
    if (!done.has(dayOf(at))) await addUpDay({ store, log }, dayOf(at), now)
  }
}

/** The days within a span whose sums are there. */
export async function daysDone({ store }: Pick<Services, 'store'>, { from, to }: Span): Promise<string[]> {
  const days = await repeatUntilKnown(() =>
    store.usage_days.find({ _id: { $gte: dayOf(from), $lte: dayOf(to) }, state: 'done' }).toArray(),
  )
  return days.map(({ _id }) => _id)
}

/** The sums of days that are done: of an account, or of all. */
export async function* sumsOfDays(
  { store }: Pick<Services, 'store'>,
  days: string[],
  account_id?: string,
): AsyncGenerator<DatedSum> {
  if (days.length === 0) return
  const [first, last] = [days[0] ?? '', days.at(-1) ?? '']
  const ids =
    account_id === undefined
      ? { $gte: `${first}:`, $lt: `${last};` }
      : { $in: days.map((day) => `${day}:${account_id}`) }
  const wanted = new Set(days)
  for await (const { _id, sums, ...owner } of store.usage_sums.find({ _id: ids }).batchSize(PAGE)) {
    const day = _id.slice(0, _id.indexOf(':'))
    if (wanted.has(day)) for (const sum of sums) yield { ...owner, ...sum, day, cost: BigInt(sum.cost) }
  }
}

async function addUpDay({ store, log }: Parts, day: string, now: Date): Promise<void> {
  if (!(await claim({ store }, day, now))) return
  const span = { from: startOf(day), to: new Date(startOf(day).getTime() + DAY_MS) }
  if (await hasOpenJobs({ store }, span)) {
    await store.usage_days.updateOne({ _id: day }, { $set: { until: new Date(now.getTime() + OPEN_MS) } })
    return
  }
  const sums = new Sums<Omit<DatedSum, 'jobs' | 'cost' | 'meters'>>()
  for await (const sum of chargedJobs({ store }, span)) {
    const { jobs, cost, meters, ...group } = sum
    sums.add(`${group.account_id} ${group.key_id} ${group.model} ${group.operation}`, () => group, sum)
  }
  const records = byAccount(day, sums)
  for (let at = 0; at < records.length; at += PAGE) {
    const writes = records.slice(at, at + PAGE).map((record) => ({
      replaceOne: { filter: { _id: record._id }, replacement: record, upsert: true },
    }))
    await repeatUntilKnown(() => store.usage_sums.bulkWrite(writes, { ordered: false }))
  }
  await repeatUntilKnown(() => store.usage_days.updateOne({ _id: day }, { $set: { state: 'done' } }))
  log.info({ day, accounts: records.length }, 'The usage of a day was added up.')
}

function byAccount(day: string, sums: Sums<Omit<DatedSum, 'jobs' | 'cost' | 'meters'>>): UsageSumsRecord[] {
  const records = new Map<string, UsageSumsRecord>()
  for (const { group, jobs, cost, meters } of sums.values()) {
    const { account_id, user_id, key_id, model, operation } = group
    const record = records.get(account_id) ?? { _id: `${day}:${account_id}`, account_id, user_id, sums: [] }
    records.set(account_id, record)
    const sum: UsageSum = { key_id, model, operation, jobs, cost, meters }
    record.sums.push(sum)
  }
  return [...records.values()]
}

/** Only so that not every router does the same work: done twice it comes to the same. */
async function claim({ store }: Pick<Services, 'store'>, day: string, now: Date): Promise<boolean> {
  const until = new Date(now.getTime() + CLAIM_MS)
  try {
    await store.usage_days.insertOne({ _id: day, state: 'under way', until })
    return true
  } catch (error) {
    if (!isDuplicate(error)) throw error
  }
  const free = { _id: day, state: 'under way' as const, until: { $lt: now } }
  const { matchedCount } = await store.usage_days.updateOne(free, { $set: { until } })
  return matchedCount === 1
}

/** By the indexes of what is open, which are small: under a router's name, or waiting for one. */
async function hasOpenJobs({ store }: Pick<Services, 'store'>, { from, to }: Span): Promise<boolean> {
  const of_the_day = { _id: { $gte: lowestId('job', from), $lt: lowestId('job', to) } }
  const open = { decision: null, ...of_the_day }
  const owned = await store.jobs.findOne({ ...of_the_day, 'lease.owner': { $exists: true } } as never)
  return owned !== null || (await store.jobs.findOne({ ...open, poll_at: { $exists: true } } as never)) !== null
}
