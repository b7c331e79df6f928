// The worker: takes asynchronous jobs when they are due, of each provider what there is room for, one router each by
// lease and fence, and steps them on. A lost wake-up costs only time; a lost router costs nothing.
import { setTimeout as pause } from 'node:timers/promises'
import type { JobRecord } from '../../store/jobs.ts'
import type { Services } from '../services.ts'
import { canceled } from '../work.ts'
import { claimJobs, type Due, dueJobs, queueOldJobs, waitingQueues } from './claims.ts'
import { providerOf } from './hand_back.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { Lane } from './lanes.ts'
import { lookAtGivenUp } from './late.ts'
import type { Leave } from './places.ts'
import { queueName, readQueue } from './queues.ts'
import { step } from './step.ts'

const LOOK_MS = 250
const AHEAD_MS_MAX = 2000
/** Between two looks that are asked for by jobs that come and go. */
const SOON_MS = 20
/** How often queues are looked for that other routers have filled. */
const DISCOVER_MS = 1000
/** Jobs of one queue that are claimed together. */
const CLAIM_MAX = 100
/** Finished work that waits for a download of its provider's; with more, no more is looked for. */
const WAITING_MAX = 64
const GIVEN_UP_AT_ONCE = 4

const UNSEEN = 'Work that was given up could not be looked at; it is tried again.'

export interface Worker {
  /** Looks for due jobs now, or at that time; in one queue, where that is known. */
  wake(at?: Date, queue?: string): void
  /** Claims nothing more; resolves when what is claimed is handed back or ended. */
  stop(): Promise<void>
}

export function startWorker(services: Services, { heard_at }: Pick<Heartbeat, 'heard_at'>): Worker {
  const { works, lanes, log } = services
  const stepping = new Map<string, Promise<void>>()
  /** When the first job of each queue is due, as far as this router knows. */
  const queues = new Map<string, number>()
  let looking: Promise<void> | undefined
  let soon: NodeJS.Timeout | undefined
  let discover_at = 0
  /** For how long polls are claimed ahead: until the next look, which takes longer where the store is slow. */
  let ahead_ms = LOOK_MS
  let stopped = false
  let old = true

  function look() {
    if (stopped || looking) return
    const began_ms = performance.now()
    looking = takeDue()
      .then(() => {
        ahead_ms = Math.min(AHEAD_MS_MAX, Math.max(LOOK_MS, 2 * (performance.now() - began_ms)))
      })
      .catch((error: unknown) => log.error({ error }, 'The worker could not look for due jobs; it tries again.'))
      .finally(() => {
        looking = undefined
      })
  }

  function lookSoon(in_ms = SOON_MS) {
    if (stopped || soon) return
    soon = setTimeout(() => {
      soon = undefined
      look()
    }, in_ms)
  }

  async function takeDue() {
    if (Date.now() >= discover_at) await discover()
    const now = Date.now()
    const due_queues = [...queues].filter(([, at]) => at <= now).map(([queue]) => queue)
    const due = await Promise.all(due_queues.map((queue) => dueIn(queue)))
    for (const job of await claimJobs(services, due.flat())) begin(job)
  }

  async function discover() {
    if (old) await queueOldJobs(services, queueName('work', ''))
    old = false
    discover_at = Date.now() + DISCOVER_MS * (0.9 + Math.random() * 0.2)
    for (const [queue, at] of await waitingQueues(services)) queues.set(queue, at)
  }

  /** What of a queue is due and has room; notes when to look at it next. */
  async function dueIn(queue: string): Promise<Due[]> {
    const { kind, provider } = readQueue(queue)
    const lane = lanes.of(provider)
    if (kind === 'late') {
      queues.delete(queue)
      const most = Math.min(GIVEN_UP_AT_ONCE, pollsNow(lane))
      // Nothing waits for it, not even the end of the router: a look that is lost is followed by another.
      if (most > 0) lookAtGivenUp(services, queue, most).catch((error: unknown) => log.warn({ error }, UNSEEN))
      return []
    }
    const most = Math.min(CLAIM_MAX, kind === 'poll' ? pollsNow(lane) : worksNow(lane))
    if (most === 0) return []
    const { due, since, next_at } = await dueJobs(services, queue, most)
    if (kind === 'poll') lane.polls_late_ms = Math.max(0, Date.now() - (since ?? Number.POSITIVE_INFINITY))
    if (next_at === undefined) queues.delete(queue)
    else queues.set(queue, next_at)
    return due
  }

  function pollsNow(lane: Lane): number {
    if (lane.work.waiting >= WAITING_MAX || Date.now() < heard_at) return 0
    const now = performance.now()
    return Math.min(lane.polls.free, lane.pace.room(now, now + ahead_ms))
  }

  const worksNow = (lane: Lane) => (lane.isOpen(performance.now()) ? lane.work.free : 0)

  function begin(job: JobRecord) {
    const lane = lanes.of(providerOf(job))
    if (readQueue(job.queue ?? '').kind !== 'poll')
      return stepAside(job._id, () => step(services, job, lane.work.take()))
    const leave = lane.polls.take()
    const now = performance.now()
    const wait_ms = lane.pace.take(now) - now
    stepAside(job._id, () => stepAfter(job, leave, wait_ms))
  }

  async function stepAfter(job: JobRecord, leave: Leave, wait_ms: number) {
    if (wait_ms >= 1) await pause(wait_ms)
    await step(services, job, leave)
  }

  function stepAside(id: string, act: () => Promise<void>) {
    const done = act()
      .catch((error: unknown) => log.error({ job: id, error }, 'A step of a job failed; the sweep will take it up.'))
      .finally(() => {
        stepping.delete(id)
        // Its place is free for another.
        lookSoon()
      })
    stepping.set(id, done)
  }

  let listening = false
  const timer = setInterval(() => {
    works.endOverdue()
    look()
    if (listening) return
    listening = true
    endCanceled(services)
      .catch((error: unknown) => log.error({ error }, 'Cancels could not be looked for; it is tried again.'))
      .finally(() => {
        listening = false
      })
  }, LOOK_MS)
  return {
    wake(at, queue) {
      const due_at = at?.getTime() ?? Date.now()
      if (queue === undefined) discover_at = Math.min(discover_at, due_at)
      else queues.set(queue, Math.min(queues.get(queue) ?? Number.POSITIVE_INFINITY, due_at))
      // Later ones are found by the clock.
      const in_ms = due_at - Date.now()
      if (in_ms < LOOK_MS) lookSoon(Math.max(in_ms, 1))
    },
    async stop() {
      stopped = true
      clearInterval(timer)
      clearTimeout(soon)
      await looking
      await Promise.all(stepping.values())
    },
  }
}

/** Ends work of this router whose cancel was asked of another one. Only by that field: its index is all but empty. */
async function endCanceled({ store, works }: Services): Promise<void> {
  const asked = store.jobs.find({ cancel_at: { $exists: true } }, { projection: { _id: 1 } })
  for await (const { _id } of asked) works.get(_id)?.abort.abort(canceled())
}
