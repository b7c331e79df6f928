// The decision about a job's money (S5): a compare-and-set out of new or running, made once, durable before anyone is
// told. Whoever loses the race learns that it lost and changes nothing.
import { randomUUID } from 'node:crypto'
import type { Json } from '../contract.ts'
import { Batch } from '../store/batch.ts'
import type { Store } from '../store/connect.ts'
import type { JobAttempt, JobDecision, JobError, JobOutput } from '../store/jobs.ts'
import type { NanoUsd } from './money.ts'
import { isRefused, repeatUntilKnown, update } from './writes.ts'

/** A charge: the cost is fixed here, and never exceeds the hold. */
export interface Charge {
  cost: NanoUsd
  list_cost: NanoUsd
  lines: Json[]
}

export interface DecisionRequest {
  job_id: string
  nonce: string
  status: JobDecision['status']
  /** The router that decides: from here on the job is under its name, and what follows is its duty. */
  by: string
  /** Absent: nothing is charged and the hold is given back. */
  charge?: Charge
  error?: JobError
  usage?: Json
  partial?: Json
  outputs?: JobOutput[]
  offer?: number
  attempts?: JobAttempt[]
  started_at?: Date
  expires_at?: Date
}

interface Decision extends DecisionRequest {
  id: string
  at: Date
}

export type Verdict = 'won' | 'lost' | 'undecided'

/** A batch of decisions; each answers whether it won. Undecided: the store refused to write it, and nobody else did. */
export function decideBatch(store: Store): Batch<DecisionRequest, Verdict> {
  return new Batch((requests) => decide(store, requests), { items_max: 200, linger_ms: 0, apart: isRefused })
}

async function decide(store: Store, requests: DecisionRequest[]): Promise<Verdict[]> {
  const decisions: Decision[] = requests.map((request) => ({ ...request, id: randomUUID(), at: new Date() }))
  return repeatUntilKnown(async () => {
    const matched = await update(store.database, 'jobs', decisions.map(statement))
    if (matched === decisions.length) return decisions.map(() => 'won')
    const ids = decisions.map(({ job_id }) => job_id)
    const jobs = await store.jobs.find({ _id: { $in: ids } }, { projection: { 'decision.id': 1 } }).toArray()
    const decided = new Map(jobs.map((job) => [job._id, job.decision?.id]))
    return decisions.map(({ job_id, id }) => {
      const standing = decided.get(job_id)
      if (standing === undefined) return 'undecided'
      return standing === id ? 'won' : 'lost'
    })
  })
}

function statement(decision: Decision) {
  const {
    id,
    at,
    job_id,
    nonce,
    status,
    by,
    charge,
    error,
    usage,
    partial,
    outputs,
    offer,
    attempts,
    started_at,
    expires_at,
  } = decision
  return {
    q: { _id: job_id, state: { $in: ['new', 'running'] } },
    u: {
      $set: {
        state: charge ? 'settling' : 'releasing',
        nonce,
        decision: { id, status, by, at },
        'lease.owner': by,
        completed_at: at,
        percent: status === 'completed' ? 100 : 0,
        ...(charge && { cost: charge.cost, list_cost: charge.list_cost, lines: charge.lines }),
        // So that what is sold below what it costs is found without looking through all that is sold.
        ...(charge && charge.list_cost > charge.cost && { loss: charge.list_cost - charge.cost }),
        ...(error && { error }),
        ...(usage !== undefined && { usage }),
        ...(partial !== undefined && { partial }),
        ...(outputs && { outputs }),
        ...(offer !== undefined && { offer }),
        ...(attempts && { attempts }),
        ...(started_at && { started_at }),
        ...(expires_at && { expires_at }),
      },
      $unset: { poll_at: '', cancel_at: '' },
    },
  }
}
