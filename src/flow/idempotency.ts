// Idempotency keys: whatever is asked for under one key of an account is done and charged once, and its answer is given
// again to whoever repeats the request. It knows no route and no format; an answer is a status, headers and bytes.
import { hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { isDuplicate, repeatUntilKnown } from '../ledger/writes.ts'
import type { IdempotencyRecord } from '../store/idempotency.ts'
import type { JobRecord } from '../store/jobs.ts'
import { Failure } from './failure.ts'
import { newId } from './ids.ts'
import { type Answer, KEPT_MS, keepAnswer, keptBody, type Owner, type Trial } from './kept_answers.ts'
import type { Services } from './services.ts'

export interface Outcome {
  /** Absent where it broke off, or was too large to be kept. */
  answer: Answer | undefined
  /** Sent while it was made: its status was told before its end was known. */
  streamed: boolean
  job_id: string | null
}

export interface Replay {
  status: number
  headers: Record<string, string>
  body: Uint8Array | Readable
}

/** A living router that says nothing of the end of its work for so long has lost it, as while the store was silent. */
const DECIDED_MS = 30_000
const NO_JOB_MS = 10 * 60_000
/** How often the row is looked at again in one request: each time because somebody else had changed it. */
const LOOKS_MAX = 10
const RETRY_AFTER_MS = 1000

/** Statuses that another try may change: time, load, credit, or a caller who left. */
const MAY_CHANGE = new Set([402, 408, 409, 425, 429, 499])

type JobEnd = Pick<JobRecord, '_id' | 'mode' | 'decision' | 'cost' | 'error'>

export class Idempotency {
  readonly #services: () => Services
  /** Of this router: what is running, and what is just being written down. */
  readonly #running = new Map<string, Promise<void> | undefined>()

  /** The services are made together with this one. */
  constructor(services: () => Services) {
    this.#services = services
  }

  /**
   * Either the work is the caller's to do, or its answer is there. Throws Failure: idempotency_key_in_use (409),
   * idempotency_key_reused (422), idempotency_answer_gone (410).
   */
  async begin(account_id: string, key: string, request_hash: string): Promise<Trial | Replay> {
    const trial = { id: `${account_id}:${hash('sha256', key)}`, attempt: newId('try') }
    this.#running.set(trial.attempt, undefined)
    let begun = false
    try {
      for (let look = 0; look < LOOKS_MAX; look++) {
        const row = await this.#insert(account_id, trial, request_hash)
        if (!row) {
          begun = true
          return trial
        }
        if (row.hash !== request_hash) throw reused()
        const replay = await this.#answerOf(row)
        if (replay) return replay
      }
      throw inUse()
    } finally {
      if (!begun) this.#running.delete(trial.attempt)
    }
  }

  /** Keeps the answer, or lets the key be used for another try. Never rejects. */
  conclude(trial: Trial, caller: Owner, outcome: Outcome): Promise<void> {
    const concluded = this.#conclude(trial, caller, outcome)
      .catch((error: unknown) =>
        this.#services().log.error({ job: outcome.job_id, error }, 'An answer could not be kept under its key.'),
      )
      .finally(() => this.#running.delete(trial.attempt))
    this.#running.set(trial.attempt, concluded)
    return concluded
  }

  /** Resolves when what was answered by now is kept. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values())
  }

  /** The row that is there already; undefined where ours is the first. */
  async #insert(
    account_id: string,
    { id, attempt }: Trial,
    request_hash: string,
  ): Promise<IdempotencyRecord | undefined> {
    const { store, router_id } = this.#services()
    const now = new Date()
    const row: IdempotencyRecord = {
      _id: id,
      account_id,
      hash: request_hash,
      attempt,
      state: 'running',
      router: router_id,
      job_id: null,
      status: 0,
      headers: {},
      body: null,
      sealed: false,
      body_key: null,
      created_at: now,
      expires_at: new Date(now.getTime() + KEPT_MS),
    }
    for (;;) {
      const inserted = await repeatUntilKnown(() =>
        store.idempotency.insertOne(row).then(
          () => true,
          (error: unknown) => {
            if (isDuplicate(error)) return false
            throw error
          },
        ),
      )
      if (inserted) return undefined
      const standing = await repeatUntilKnown(() => store.idempotency.findOne({ _id: id }))
      // Its answer was lost on the way, and the write was repeated.
      if (standing?.attempt === attempt) return undefined
      // The store removes what is over now and then, not at the moment.
      if (standing && standing.expires_at > now) return standing
      if (standing) await this.#forget(standing)
    }
  }

  /** Undefined: the row has changed, or was taken away, and the key is to be tried again. */
  async #answerOf(row: IdempotencyRecord): Promise<Replay | undefined> {
    if (row.state === 'running') return this.#takeUp(row)
    const job = row.job_id === null ? null : await this.#jobOf({ _id: row.job_id })
    // Work that was accepted and has failed since, by no fault of the caller's, may be tried again.
    if (job?.mode === 'async' && job.decision && !isFinal(job)) return this.#forget(row)
    if (row.state === 'gone') throw gone(row.job_id)
    const body = await keptBody(this.#services(), row)
    if (body) return { status: row.status, headers: row.headers, body }
    throw gone(row.job_id)
  }

  /** Of somebody who works on it, or of a router that died over it. */
  async #takeUp(row: IdempotencyRecord): Promise<undefined> {
    const { router_id } = this.#services()
    if (this.#running.has(row.attempt)) {
      const concluding = this.#running.get(row.attempt)
      if (!concluding) throw inUse()
      return concluding.then(() => undefined)
    }
    const job = await this.#jobOf({ 'idempotency.attempt': row.attempt })
    const lives = row.router !== router_id && (await this.#lives(row.router))
    const since = job?.decision?.at ?? row.created_at
    if (lives && Date.now() - since.getTime() < (job ? DECIDED_MS : NO_JOB_MS)) throw inUse(job?._id)
    // Recovery releases what waited for its caller, and hands on what had been accepted.
    if (job && !job.decision) throw inUse(job._id)
    if (job && isFinal(job) && job.cost !== null) return this.#lose(row, row.attempt, job._id)
    return this.#forget(row)
  }

  async #lives(router: string): Promise<boolean> {
    const { store } = this.#services()
    const found = await repeatUntilKnown(() =>
      store.routers.findOne({ _id: router }, { projection: { alive_until: 1 } }),
    )
    return found !== null && found.alive_until.getTime() > Date.now()
  }

  #jobOf(query: object): Promise<JobEnd | null> {
    const { store } = this.#services()
    const projection = { mode: 1, decision: 1, cost: 1, error: 1 }
    return repeatUntilKnown(() => store.jobs.findOne<JobEnd>(query, { projection, sort: { _id: -1 } }))
  }

  async #conclude(trial: Trial, caller: Owner, { answer, streamed, job_id }: Outcome): Promise<void> {
    const row = { _id: trial.id, attempt: trial.attempt }
    const told = answer !== undefined && !streamed
    const job = told || job_id === null ? null : await this.#jobOf({ _id: job_id })
    // Nothing is known yet: whoever asks next looks at the job again.
    if (job && !job.decision && !answer) return
    const final = told ? isFinalStatus(answer.status) : job?.decision ? isFinal(job) : answer !== undefined
    if (!final) return this.#forget(row)
    if (!answer) return this.#lose(row, trial.attempt, job_id)
    await keepAnswer(this.#services(), trial, caller, answer, job_id)
  }

  async #forget({ _id, attempt }: Pick<IdempotencyRecord, '_id' | 'attempt'>): Promise<undefined> {
    await repeatUntilKnown(() => this.#services().store.idempotency.deleteOne({ _id, attempt }))
  }

  /** The work was charged and its answer is lost: the key is never used for the same work again. */
  async #lose({ _id }: Pick<IdempotencyRecord, '_id'>, attempt: string, job_id: string | null): Promise<undefined> {
    const change = { $set: { state: 'gone' as const, job_id } }
    await repeatUntilKnown(() => this.#services().store.idempotency.updateOne({ _id, attempt }, change))
  }
}

/** What was charged, or is the caller's own fault, would be the same again. */
function isFinal({ decision, cost, error }: JobEnd): boolean {
  if (cost !== null || decision?.status === 'completed') return true
  return (
    decision?.status === 'failed' && error?.type === 'invalid_request_error' && error.code !== 'rate_limit_exceeded'
  )
}

const isFinalStatus = (status: number): boolean => status < 500 && !MAY_CHANGE.has(status)

const inUse = (job_id?: string) =>
  new Failure(
    409,
    'idempotency_key_in_use',
    'The call with this Idempotency-Key still runs. Send the same request again in a moment for its answer.',
    { param: 'Idempotency-Key', retry_after_ms: RETRY_AFTER_MS, ...(job_id !== undefined && { facts: { job_id } }) },
  )

const reused = () =>
  new Failure(
    422,
    'idempotency_key_reused',
    'This Idempotency-Key was used for another request. Send the same request, or use a fresh key.',
    { param: 'Idempotency-Key' },
  )

function gone(job_id: string | null): Failure {
  const where = job_id === null ? '' : ` GET /v1/jobs/${job_id} tells what is still known of it.`
  return new Failure(
    410,
    'idempotency_answer_gone',
    `The call with this Idempotency-Key was made, and its answer is not kept any more.${where} Use a fresh key to have the work done, and charged, again.`,
    { param: 'Idempotency-Key', ...(job_id !== null && { facts: { job_id } }) },
  )
}
