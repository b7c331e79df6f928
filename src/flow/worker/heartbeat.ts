// The heartbeat: this router says that it lives, and takes over the jobs of routers whose heart stopped.
import { repeatUntilKnown } from '../../ledger/writes.ts'
import type { Services } from '../services.ts'
import { recoverJobsOf, recoverLostJobs, releaseOrphanedHolds } from './recover.ts'

export interface HeartbeatTimings {
  beat_ms: number
  /** A router that has not said so for this long is dead: long enough for an election of the store. */
  alive_ms: number
  /** Holds without an open job are looked for at the start and then now and again: only a late write can leave one. */
  orphans_ms: number
}

const TIMINGS: HeartbeatTimings = { beat_ms: 4000, alive_ms: 14_000, orphans_ms: 10 * 60_000 }
/** Until then the name of a dead router is kept: one that was only frozen may wake, and write under it, before it beats. */
const FORGOTTEN_MS = 24 * 3600_000
/** A router that has not beaten for so many beats has no share of the polls any more. */
const BEATS_MISSED_MAX = 1.75
/** So many routers are asked what they have learned. */
const TEACHERS_MAX = 10
/** How late a beat of another router may be. */
const BEAT_LATE_MS = 500

export interface Heartbeat {
  /** How many routers live on this store, this one included, as of the last beat. */
  routers(): number
  /** When every other router has heard of this one, in the time of Date.now(). */
  readonly heard_at: number
  stop(): Promise<void>
}

/** `alone`: no other router can be alive on this store, because it is embedded in this process. */
export async function startHeartbeat(
  services: Services,
  { alone, ...given }: { alone: boolean } & Partial<HeartbeatTimings>,
): Promise<Heartbeat> {
  const { beat_ms, alive_ms, orphans_ms } = { ...TIMINGS, ...given }
  await learnFromOthers(services)
  let stopped = false
  let routers = 1
  const silent_ms = beat_ms * BEATS_MISSED_MAX
  const others = new Others(silent_ms)
  /** An outage that is no longer than this leaves every router that lives its name. */
  const harmless_ms = Math.max(alive_ms - 2 * beat_ms, beat_ms)
  let unanswered_since: number | undefined
  let heard_since = alone ? 0 : Date.now()
  const say = async () => {
    unanswered_since ??= Date.now()
    await beat(services, alive_ms)
    const now = Date.now()
    if (now - (unanswered_since ?? now) > harmless_ms) heard_since = now
    unanswered_since = undefined
    routers = (await others.count(services)) + 1
  }
  /** Whether the store has been there for long enough that every router which lives has said so. */
  const isHeard = () => {
    const now = Date.now()
    return now - (unanswered_since ?? now) <= harmless_ms && now - heard_since > silent_ms + BEAT_LATE_MS
  }
  if (alone)
    await services.store.routers.updateMany(
      { _id: { $ne: services.router_id } },
      { $set: { alive_until: new Date(0) } },
    )
  await say()
  const heard_at = routers > 1 ? Date.now() + beat_ms + BEAT_LATE_MS : 0
  let orphans_at = 0
  let recovering: Promise<void> | undefined
  // While the store is silent one round after the other would pile up: a beat that finds one under way begins none.
  const look = () => {
    if (recovering || stopped) return
    const orphans = Date.now() > orphans_at
    if (orphans) orphans_at = Date.now() + orphans_ms
    recovering = recover(services, orphans, isHeard).finally(() => {
      recovering = undefined
    })
  }
  look()
  const timer = setInterval(() => {
    say().catch((error: unknown) =>
      services.log.error({ error }, 'The heartbeat could not be written; the next one is due in a moment.'),
    )
    look()
  }, beat_ms)
  return {
    routers: () => routers,
    heard_at,
    async stop() {
      stopped = true
      clearInterval(timer)
      await recovering
      await services.store.routers.updateOne({ _id: services.router_id }, { $set: { alive_until: new Date(0) } })
    },
  }
}

/**
 * The other routers, by what changes of them: their clocks may differ from ours, and one that has just died must not keep
 * its share of what providers bear for as long as its jobs are safe.
 */
class Others {
  readonly #silent_ms: number
  #seen = new Map<string, { alive_until: number; at: number }>()

  constructor(silent_ms: number) {
    this.#silent_ms = silent_ms
  }

  async count({ store, router_id }: Services): Promise<number> {
    const now = Date.now()
    const alive = { alive_until: { $gt: new Date(now) }, _id: { $ne: router_id } }
    const found = await store.routers.find(alive, { projection: { alive_until: 1 } }).toArray()
    const seen = found.map(({ _id, alive_until }): [string, { alive_until: number; at: number }] => {
      const before = this.#seen.get(_id)
      const same = before?.alive_until === alive_until.getTime()
      return [_id, same ? before : { alive_until: alive_until.getTime(), at: now }]
    })
    this.#seen = new Map(seen)
    return seen.filter(([, { at }]) => now - at < this.#silent_ms).length
  }
}

/** From the latest first: the ones before it know no better. */
async function learnFromOthers({ store, lanes }: Services): Promise<void> {
  const others = await store.routers.find({}).sort({ alive_until: -1 }).limit(TEACHERS_MAX).toArray()
  for (const { timings } of others) lanes.begin(timings ?? [])
}

async function beat({ store, router_id, lanes }: Services, alive_ms: number): Promise<void> {
  const now = Date.now()
  await repeatUntilKnown(() =>
    store.routers.updateOne(
      { _id: router_id },
      {
        $set: { alive_until: new Date(now + alive_ms), timings: lanes.sketches() },
        $setOnInsert: { started_at: new Date(now) },
      },
      { upsert: true },
    ),
  )
}

/** Never rejects: what fails now is tried again at the next beat. */
async function recover(services: Services, orphans: boolean, isHeard: () => boolean): Promise<void> {
  try {
    await recoverDead(services, isHeard)
    await recoverLostJobs(services)
    if (orphans) await releaseOrphanedHolds(services)
  } catch (error) {
    services.log.error({ error }, 'Recovery was interrupted; it goes on at the next heartbeat.')
  }
}

async function recoverDead(services: Services, isHeard: () => boolean): Promise<void> {
  const { routers } = services.store
  const now = Date.now()
  const silent = await routers.find({ alive_until: { $lt: new Date(now) }, _id: { $ne: services.router_id } }).toArray()
  // Asked after the store has answered, which may have taken an outage. Who said good-bye is gone in any case.
  const heard = isHeard()
  const dead = silent.filter(({ alive_until }) => heard || alive_until.getTime() === 0)
  if (dead.length === 0) return
  const names = dead.map(({ _id }) => _id)
  await recoverJobsOf(services, names)
  const forgotten = { _id: { $in: names }, alive_until: { $lt: new Date(now - FORGOTTEN_MS) } }
  await routers.deleteMany({ ...forgotten, started_at: { $lt: new Date(now - FORGOTTEN_MS) } })
}
