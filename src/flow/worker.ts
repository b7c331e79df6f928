// The worker: takes asynchronous jobs when they are due, one router each by lease and fence, and steps them on. A lost
// wake-up costs only time; a lost router costs nothing.
import type { JobRecord } from '../store/jobs.ts'
import type { Services } from './services.ts'
import { step } from './step.ts'
import { endOverdue, workOn } from './work.ts'

/** How many jobs one router works on at once. */
const AT_ONCE_MAX = 64
const LOOK_MS = 250

export interface Worker {
  /** Looks for due jobs now, or at that time. */
  wake(at?: Date): void
  /** Claims nothing more; resolves when what is claimed is handed back or ended. */
  stop(): Promise<void>
}

export function startWorker(services: Services): Worker {
  const stepping = new Map<string, Promise<void>>()
  let looking: Promise<void> | undefined
  let again = false
  let stopped = false

  function look() {
    if (stopped) return
    again = looking !== undefined
    if (again) return
    looking = claimDue(services, AT_ONCE_MAX - stepping.size)
      .then((jobs) => {
        for (const job of jobs) begin(job)
      })
      .catch((error: unknown) =>
        services.log.error({ error }, 'The worker could not look for due jobs; it tries again.'),
      )
      .finally(() => {
        looking = undefined
        if (again) look()
      })
  }

  function begin(job: JobRecord) {
    const done = step(services, job)
      .catch((error: unknown) =>
        services.log.error({ job: job._id, error }, 'A step of a job failed; the sweep will take it up.'),
      )
      .finally(() => stepping.delete(job._id))
    stepping.set(job._id, done)
  }

  const timer = setInterval(() => {
    endOverdue()
    look()
  }, LOOK_MS)
  return {
    wake(at) {
      const in_ms = at ? at.getTime() - Date.now() : 0
      // Later ones are found by the clock.
      if (in_ms < LOOK_MS) setTimeout(look, in_ms).unref()
    },
    async stop() {
      stopped = true
      clearInterval(timer)
      await looking
      await Promise.all(stepping.values())
    },
  }
}

/** Takes due jobs under this router's name; each claim raises the fence, so that an earlier owner's late writes miss. */
async function claimDue(services: Services, count: number): Promise<JobRecord[]> {
  if (count <= 0) return []
  const { store, router_id } = services
  const due = await store.jobs
    .find({ poll_at: { $lte: new Date() } }, { projection: { poll_at: 1 } })
    .sort({ poll_at: 1 })
    .limit(count)
    .toArray()
  const claims = due.map(({ _id, poll_at }) =>
    store.jobs.findOneAndUpdate(
      { _id, poll_at, state: { $in: ['new', 'running'] } } as never,
      { $set: { 'lease.owner': router_id }, $inc: { 'lease.fence': 1 }, $unset: { poll_at: '' } } as never,
      { returnDocument: 'after' },
    ),
  )
  const claimed = await Promise.all(claims)
  return claimed.filter((job): job is JobRecord => job !== null && !workOn(job._id))
}
