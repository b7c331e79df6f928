// Claiming: which jobs are due, and taking them under this router's name, many at once. Each claim raises the fence, so
// that an earlier owner's late writes miss; what another router was faster with is left to it.
import { repeatUntilKnown, update } from '../../ledger/writes.ts'
import type { JobRecord } from '../../store/jobs.ts'
import type { Services } from '../services.ts'

export interface Due {
  _id: string
  fence: number
}

/** The jobs of a queue that are due, oldest first, at most so many; since when, and when the next one will be. */
export async function dueJobs(
  { store, works }: Pick<Services, 'store' | 'works'>,
  queue: string,
  most: number,
): Promise<{ due: Due[]; since: number | undefined; next_at: number | undefined }> {
  const now = Date.now()
  const found = await store.jobs
    .find({ queue, poll_at: { $exists: true } }, { projection: { poll_at: 1, 'lease.fence': 1 } })
    .sort({ poll_at: 1 })
    .limit(most + 1)
    .toArray()
  const next = found[most] ?? found.find(({ poll_at }) => (poll_at?.getTime() ?? 0) > now)
  const due = found
    .slice(0, most)
    // One that this router has just handed back, and not yet let go, is taken the next time.
    .filter(({ _id, poll_at }) => (poll_at?.getTime() ?? 0) <= now && !works.has(_id))
    .map(({ _id, lease }) => ({ _id, fence: lease.fence }))
  return { due, since: found[0]?.poll_at?.getTime(), next_at: next?.poll_at?.getTime() }
}

/** All queues that hold a job, each with the time at which its first one is due: one jump along the index for each. */
export async function waitingQueues({ store }: Pick<Services, 'store'>): Promise<Map<string, number>> {
  const queues = new Map<string, number>()
  for (let last = ''; ; ) {
    const [first] = await store.jobs
      .find({ queue: { $gt: last }, poll_at: { $exists: true } }, { projection: { queue: 1, poll_at: 1 } })
      .sort({ queue: 1, poll_at: 1 })
      .limit(1)
      .toArray()
    if (!first?.queue) return queues
    queues.set(first.queue, first.poll_at?.getTime() ?? 0)
    last = first.queue
  }
}

/**
 * Takes the jobs under this router's name; answers those that it got, without their requests: a look needs none. Said to
 * `works` before the store is asked, so that recovery never takes them for lost.
 */
export async function claimJobs({ store, router_id, works }: Services, due: Due[]): Promise<JobRecord[]> {
  if (due.length === 0) return []
  const wanted = new Map(due.map(({ _id, fence }) => [_id, fence + 1]))
  for (const id of wanted.keys()) works.claim(id)
  let claimed: JobRecord[] = []
  try {
    await repeatUntilKnown(() =>
      update(
        store.database,
        'jobs',
        due.map((each) => statement(each, router_id)),
      ),
    )
    const ours = { _id: { $in: [...wanted.keys()] }, 'lease.owner': router_id }
    const found = await repeatUntilKnown(() => store.jobs.find(ours, { projection: { request: 0 } }).toArray())
    claimed = found.filter(({ _id, lease }) => lease.fence === wanted.get(_id))
    return claimed
  } finally {
    for (const { _id } of claimed) wanted.delete(_id)
    for (const id of wanted.keys()) works.unclaim(id)
  }
}

const statement = ({ _id, fence }: Due, router_id: string) => ({
  q: { _id, 'lease.fence': fence, poll_at: { $exists: true }, state: { $in: ['new', 'running'] } },
  u: { $set: { 'lease.owner': router_id }, $inc: { 'lease.fence': 1 }, $unset: { poll_at: '' } },
})

/** Gives jobs that wait without a queue, from before there were queues, the one of work. */
export async function queueOldJobs({ store }: Pick<Services, 'store'>, queue: string): Promise<void> {
  const old = { poll_at: { $exists: true }, queue: { $exists: false } }
  await store.jobs.updateMany(old, { $set: { queue } })
}
