// The worker: takes asynchronous jobs when they are due, one router each by lease and fence, and steps them on. A lost
// wake-up costs only time; a lost router costs nothing.
import type { JobRecord } from '../store/jobs.ts'
import type { Services } from './services.ts'
import { step } from './step.ts'
import { canceled } from './work.ts'

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

  let listening = false
  const timer = setInterval(() => {
    services.works.endOverdue()
    look()
    if (listening) return
    listening = true
    endCanceled(services)
      .catch((error: unknown) => services.log.error({ error }, 'Cancels could not be looked for; it is tried again.'))
      .finally(() => {
        listening = false
      })
  }, LOOK_MS)
  return {
    wake(at) {
      const in_ms = at ? Math.max(0, at.getTime() - Date.now()) : 0
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
async function claimDue({ store, router_id, works, log }: Services, count: number): Promise<JobRecord[]> {
  if (count <= 0) return []
  const due = await store.jobs
    .find({ poll_at: { $lte: new Date() } }, { projection: { poll_at: 1 } })
    .sort({ poll_at: 1 })
    .limit(count)
    .toArray()
  // One that this router has just handed back, and not yet let go, is taken the next time.
  const claims = due
    .filter(({ _id }) => !works.has(_id))
    .map(async ({ _id, poll_at }) => {
      works.claim(_id)
      let job: JobRecord | null = null
      try {
        job = await store.jobs.findOneAndUpdate(
          { _id, poll_at, state: { $in: ['new', 'running'] } } as never,
          { $set: { 'lease.owner': router_id }, $inc: { 'lease.fence': 1 }, $unset: { poll_at: '' } } as never,
          { returnDocument: 'after' },
        )
      } finally {
        if (!job) works.unclaim(_id)
      }
      return job
    })
  const claimed: JobRecord[] = []
  for (const claim of await Promise.allSettled(claims)) {
    if (claim.status === 'fulfilled') {
      if (claim.value) claimed.push(claim.value)
    } else log.warn({ error: claim.reason }, 'A due job could not be claimed; it is looked for again.')
  }
  return claimed
}

/** Ends work of this router whose cancel was asked of another one. Only by that field: its index is all but empty. */
async function endCanceled({ store, works }: Services): Promise<void> {
  const asked = store.jobs.find({ cancel_at: { $exists: true } }, { projection: { _id: 1 } })
  for await (const { _id } of asked) works.get(_id)?.abort.abort(canceled())
}
