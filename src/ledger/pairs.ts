// Each charged job beside its entry: the two are read in the order of their ids, page by page, and whatever does not
// agree is looked at again by itself. It only reads, holds one page of each in memory, and lets others in between pages.
import { setTimeout as pause } from 'node:timers/promises'
import type { Store } from '../store/connect.ts'
import type { EntryRecord } from '../store/entries.ts'
import type { JobRecord } from '../store/jobs.ts'
import type { NanoUsd } from './money.ts'

/** What a job and its entry disagree about. */
export interface PairFault {
  account_id: string
  job_id: string
  what: string
  expected: NanoUsd
  found: NanoUsd
}

/** What is looked at again: an entry, and the job that it should be of. */
export interface Suspect {
  job_id: string
  entry_id: string
}

type Job = Pick<JobRecord, '_id' | 'account_id' | 'key_id' | 'state' | 'cost'>

const JOB_FIELDS = { account_id: 1, key_id: 1, state: 1, cost: 1 }
/** So many at once: a store of one thread serves others in between. */
const PAGE = 1000
/** Of more, the first ones tell what is wrong. */
const SUSPECTS_MAX = 10_000
const REREAD_MS = 100

/** Takes the entries in the order of their ids. One a look. */
export class Pairs {
  readonly #jobs: AsyncIterator<Job>
  #job: Job | undefined
  #begun = false
  readonly #suspects: Suspect[] = []

  constructor({ jobs }: Store) {
    const charged = jobs
      .find<Job>({ state: { $in: ['settling', 'settled'] } }, { projection: JOB_FIELDS })
      .sort({ _id: 1 })
      .batchSize(PAGE)
    this.#jobs = charged[Symbol.asyncIterator]()
  }

  async take(entry: EntryRecord): Promise<void> {
    if (entry.type !== 'settle') return
    const { _id: entry_id } = entry
    const job_id = entry.job_id ?? entry_id
    if (!this.#begun) await this.#next()
    for (; this.#job && this.#job._id < job_id; await this.#next()) this.#leave(this.#job)
    const job = this.#job
    if (job?._id !== job_id || faultsOf(job, entry).length > 0) this.#suspect({ job_id, entry_id })
    if (job?._id === job_id) await this.#next()
  }

  /** After the last entry: the jobs that are worth another look. */
  async rest(): Promise<Suspect[]> {
    if (!this.#begun) await this.#next()
    for (; this.#job; await this.#next()) this.#leave(this.#job)
    return this.#suspects
  }

  /** A job without an entry: one that is being settled has it on the way. */
  #leave({ _id, state }: Job): void {
    if (state === 'settled') this.#suspect({ job_id: _id, entry_id: `${_id}:f` })
  }

  async #next(): Promise<void> {
    this.#begun = true
    const { value, done } = await this.#jobs.next()
    this.#job = done ? undefined : value
  }

  #suspect(suspect: Suspect): void {
    if (this.#suspects.length < SUSPECTS_MAX) this.#suspects.push(suspect)
  }
}

/** Reads the pairs until they agree or `differs_ms` are over, for work goes on meanwhile. */
export async function recheckPairs(store: Store, suspects: Suspect[], differs_ms: number): Promise<PairFault[]> {
  const until = Date.now() + differs_ms
  let open = suspects
  for (;;) {
    const looked: { suspect: Suspect; faults: PairFault[] }[] = []
    for (let at = 0; at < open.length; at += PAGE) looked.push(...(await lookAgain(store, open.slice(at, at + PAGE))))
    const wrong = looked.filter(({ faults }) => faults.length > 0)
    if (wrong.length === 0 || Date.now() > until) return wrong.flatMap(({ faults }) => faults)
    open = wrong.map(({ suspect }) => suspect)
    await pause(REREAD_MS)
  }
}

async function lookAgain({ jobs, entries }: Store, suspects: Suspect[]) {
  // The entries first: a job that is charged afterwards has none yet.
  const entry_ids = suspects.map(({ entry_id }) => entry_id)
  const written = await entries.find({ _id: { $in: entry_ids }, type: 'settle' }).toArray()
  const job_ids = suspects.map(({ job_id }) => job_id)
  const found = await jobs.find<Job>({ _id: { $in: job_ids } }, { projection: JOB_FIELDS }).toArray()
  const entryOf = new Map(written.map((entry) => [entry._id, entry]))
  const jobOf = new Map(found.map((job) => [job._id, job]))
  return suspects.map((suspect) => {
    const { job_id, entry_id } = suspect
    return { suspect, faults: faultsNow(job_id, jobOf.get(job_id), entryOf.get(entry_id)) }
  })
}

function faultsNow(job_id: string, job: Job | undefined, entry: EntryRecord | undefined): PairFault[] {
  if (entry && job) return faultsOf(job, entry)
  if (entry) return [fault({ ...entry, _id: job_id }, 'an entry without its job', 0n, amountOf(entry))]
  return job?.state === 'settled' ? [fault(job, 'a charge without its entry', BigInt(job.cost ?? 0n), 0n)] : []
}

function faultsOf(job: Job, entry: EntryRecord): PairFault[] {
  const amount = amountOf(entry)
  const cost = BigInt(job.cost ?? 0n)
  const charged = job.state === 'settling' || job.state === 'settled'
  const found: PairFault[] = []
  if (!charged) found.push(fault(job, 'an entry of a job that was not charged', 0n, amount))
  else if (amount !== cost) found.push(fault(job, 'an entry that is not what its job cost', cost, amount))
  if (entry._id !== `${job._id}:f`) found.push(fault(job, 'a second entry of a job', 0n, amount))
  if (entry.account_id !== job.account_id)
    found.push(fault(job, "an entry in another account than its job's", cost, 0n))
  if (entry.key_id !== job.key_id) found.push(fault(job, "an entry under another key than its job's", cost, 0n))
  return found
}

const amountOf = ({ amount }: EntryRecord): NanoUsd => BigInt(amount)

const fault = (
  { _id, account_id }: Pick<Job, '_id' | 'account_id'>,
  what: string,
  expected: NanoUsd,
  found: NanoUsd,
): PairFault => ({ account_id, job_id: _id, what, expected, found })
