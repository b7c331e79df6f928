// The writes of jobs that carry no money: the intent (S1) and the start (S3), each batched across jobs.
import { isDuplicate, isRefused, repeatUntilKnown, update } from '../ledger/writes.ts'
import { Batch } from '../store/batch.ts'
import type { Store } from '../store/connect.ts'
import type { JobRecord } from '../store/jobs.ts'

export interface Started {
  job_id: string
  nonce: string
  started_at: Date
  /** Asked when the batch goes out: a job that is decided by then needs no start any more. */
  isDecided(): boolean
}

type ChangedField =
  | 'nonce'
  | 'state'
  | 'started_at'
  | 'ref'
  | 'percent'
  | 'polls'
  | 'polled_at'
  | 'made'
  | 'queue'
  | 'offer'
  | 'attempts'

/** What changes on an asynchronous job while a router works on it. */
export interface JobChange {
  job_id: string
  /** The lease under which the router works: a job that another has taken over since stays untouched. */
  fence: number
  set: Partial<Pick<JobRecord, ChangedField>>
  /** Gives the job back until then, to whichever router comes first. */
  poll_at?: Date
}

/** S3 only tells readers that work began; the decision accepts a job in either state, so it may be late. */
const START_LINGER_MS = 200

export class JobWrites {
  readonly #inserts: Batch<JobRecord, void>
  readonly #changes: Batch<JobChange, boolean>
  readonly #starts: Batch<Started, void>

  constructor(store: Store) {
    this.#inserts = new Batch((jobs) => insert(store, jobs), { items_max: 200, linger_ms: 0, apart: isRefused })
    this.#changes = new Batch((changes) => change(store, changes), { items_max: 200, linger_ms: 0, apart: isRefused })
    this.#starts = new Batch((started) => markStarted(store, started), { items_max: 500, linger_ms: START_LINGER_MS })
  }

  /** Durable when it resolves. Throws StoreUnavailable: then the job may or may not be there. */
  insert(job: JobRecord): Promise<void> {
    return this.#inserts.add(job)
  }

  /** Applies only while the job is open and the lease ours; false where it was not. */
  change(jobChange: JobChange): Promise<boolean> {
    return this.#changes.add(jobChange)
  }

  markStarted(started: Started): Promise<void> {
    return this.#starts.add(started)
  }
}

async function insert(store: Store, jobs: JobRecord[]): Promise<void[]> {
  await repeatUntilKnown(() =>
    insertThem(store, jobs).catch((error: unknown) => {
      // Ids are fresh, so a document that is there already is our own, from a write whose answer was lost.
      if (!isDuplicate(error)) throw error
    }),
  )
  return jobs.map(() => undefined)
}

async function insertThem({ jobs }: Store, records: JobRecord[]): Promise<void> {
  const [only] = records
  // As a bulk of one it would take 50 µs longer (mongodb 7.8, 2026-11).
  if (only && records.length === 1) await jobs.insertOne(only)
  else await jobs.insertMany(records, { ordered: false })
}

async function markStarted(store: Store, started: Started[]): Promise<void[]> {
  const open = started.filter(({ isDecided }) => !isDecided())
  const statements = open.map(({ job_id, nonce, started_at }) => ({
    q: { _id: job_id, state: 'new' },
    u: { $set: { state: 'running', nonce, started_at } },
  }))
  if (statements.length > 0) await repeatUntilKnown(() => update(store.database, 'jobs', statements))
  return started.map(() => undefined)
}

async function change(store: Store, changes: JobChange[]): Promise<boolean[]> {
  const statements = changes.map(({ job_id, fence, set, poll_at }) => ({
    q: { _id: job_id, 'lease.fence': fence, state: { $in: ['new', 'running'] } },
    u: {
      $set: { ...set, ...(poll_at && { poll_at }) },
      ...(poll_at && { $unset: { 'lease.owner': '' } }),
    },
  }))
  const matched = await repeatUntilKnown(() => update(store.database, 'jobs', statements))
  if (matched === statements.length) return changes.map(() => true)
  if (statements.length === 1) return [false]
  // Which of them were not ours any more is found by halves: what applied before applies again, and changes nothing.
  const half = Math.ceil(changes.length / 2)
  const first = await change(store, changes.slice(0, half))
  return [...first, ...(await change(store, changes.slice(half)))]
}
