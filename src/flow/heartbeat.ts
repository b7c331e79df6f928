// The heartbeat: this router says that it lives, and takes over the jobs of routers whose heart stopped.
import { repeatUntilKnown } from '../ledger/writes.ts'
import { recoverJobsOf, recoverLostJobs, releaseOrphanedHolds } from './recover.ts'
import type { Services } from './services.ts'

const BEAT_MS = 4000
/** A router that has not said so for this long is dead: long enough for an election of the store. */
const ALIVE_MS = 14_000
/** Holds without an open job are looked for at the start and then now and again: only a lost write can leave one. */
const ORPHANS_MS = 10 * 60_000

export interface Heartbeat {
  stop(): Promise<void>
}

/** `alone`: no other router can be alive on this store, because it is embedded in this process. */
export async function startHeartbeat(services: Services, { alone }: { alone: boolean }): Promise<Heartbeat> {
  await beat(services)
  if (alone)
    await services.store.routers.updateMany(
      { _id: { $ne: services.router_id } },
      { $set: { alive_until: new Date(0) } },
    )
  let working = recover(services, true)
  let orphans_at = Date.now() + ORPHANS_MS
  const timer = setInterval(() => {
    beat(services).catch((error: unknown) =>
      services.log.error({ error }, 'The heartbeat could not be written; the next one is due in a moment.'),
    )
    const orphans = Date.now() > orphans_at
    if (orphans) orphans_at = Date.now() + ORPHANS_MS
    working = working.then(() => recover(services, orphans))
  }, BEAT_MS)
  return {
    async stop() {
      clearInterval(timer)
      await working
      await services.store.routers.updateOne({ _id: services.router_id }, { $set: { alive_until: new Date(0) } })
    },
  }
}

async function beat({ store, router_id }: Services): Promise<void> {
  const now = Date.now()
  await repeatUntilKnown(() =>
    store.routers.updateOne(
      { _id: router_id },
      { $set: { alive_until: new Date(now + ALIVE_MS) }, $setOnInsert: { started_at: new Date(now) } },
      { upsert: true },
    ),
  )
}

/** Never rejects: what fails now is tried again at the next beat. */
async function recover(services: Services, orphans: boolean): Promise<void> {
  try {
    const dead = await services.store.routers
      .find({ alive_until: { $lt: new Date() }, _id: { $ne: services.router_id } })
      .toArray()
    for (const { _id } of dead) {
      await recoverJobsOf(services, _id)
      await services.store.routers.deleteOne({ _id, alive_until: { $lt: new Date() } })
    }
    await recoverLostJobs(services)
    if (orphans) await releaseOrphanedHolds(services)
  } catch (error) {
    services.log.error({ error }, 'Recovery was interrupted; it goes on at the next heartbeat.')
  }
}
