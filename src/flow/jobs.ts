// What an owner does with jobs: look, list, wait, cancel, delete. Another account's job is as good as none.
import { setTimeout as pause } from 'node:timers/promises'
import type { JsonObject, Operation } from '../contract.ts'
import type { JobRecord } from '../store/jobs.ts'
import { Failure } from './failure.ts'
import { type JobStatus, jobStatus } from './job_view.ts'
import { eraseAnswer } from './kept_answers.ts'
import type { Services } from './services.ts'
import { release } from './settle.ts'
import { canceled } from './work.ts'
import { abandon } from './worker/late.ts'
import { heldNonce } from './worker/recover.ts'
import { offersOf } from './worker/upstream.ts'

/** A job of the account, or 404: a name that is not there and a name of somebody else's are told alike. */
export async function findJob({ store }: Services, account_id: string | undefined, id: string): Promise<JobRecord> {
  const job = await store.jobs.findOne({ _id: id, ...(account_id !== undefined && { account_id }), deleted_at: null })
  if (job) return job
  throw new Failure(
    404,
    'job_not_found',
    `There is no job '${id.slice(0, 100)}' in this account. GET /v1/jobs lists its jobs.`,
    { param: 'id' },
  )
}

export interface JobFilter {
  account_id?: string
  operation?: Operation
  model?: string
  status?: JobStatus
  endpoint?: string
  after?: string
  before?: string
  limit: number
  order: 'asc' | 'desc'
}

/** One page more than asked tells whether there are more. */
export async function listJobs(
  { store }: Services,
  filter: JobFilter,
): Promise<{ jobs: JobRecord[]; has_more: boolean }> {
  const { account_id, operation, model, status, endpoint, after, before, limit, order } = filter
  const beyond = order === 'desc' ? { $lt: after } : { $gt: after }
  const query = {
    ...(account_id !== undefined && { account_id }),
    ...(operation && { operation }),
    ...(model !== undefined && { model }),
    ...(endpoint !== undefined && { endpoint }),
    ...(status && statusQuery(status)),
    ...(after !== undefined ? { _id: beyond } : before !== undefined && { _id: { $gt: before } }),
    deleted_at: null,
  }
  const jobs = await store.jobs
    .find(query as never)
    .sort({ _id: order === 'desc' ? -1 : 1 })
    .limit(limit + 1)
    .toArray()
  return { jobs: jobs.slice(0, limit), has_more: jobs.length > limit }
}

function statusQuery(status: JobStatus): object {
  if (status === 'queued') return { state: 'new', decision: null }
  if (status === 'in_progress') return { state: 'running', decision: null }
  return { 'decision.status': status }
}

/** Ends a job: what was delivered is charged and nothing more. A job that has ended is answered as it is. */
export async function cancelJob(services: Services, account_id: string, id: string): Promise<JobRecord> {
  const job = await findJob(services, account_id, id)
  if (job.decision) return job
  const work = services.works.get(id)
  if (work || job.lease.owner !== undefined) {
    // Whoever works on it knows what was delivered. Work that waits between two looks may just be handed back and not hear
    // of it: so that the next look does, it is written down as well.
    work?.abort.abort(canceled())
    if (!work || job.mode === 'async')
      await services.store.jobs.updateOne({ _id: id, decision: null }, { $set: { cancel_at: new Date() } })
    return waitForJob(services, account_id, id, CANCEL_MS)
  }
  const nonce = job.nonce || (await heldNonce(services, job))
  const abort = new AbortController()
  const stranger = { job: { ...job, nonce }, offers: offersOf(services, job), abort, decided: false }
  const won = await release(services, stranger, canceled(), 'canceled')
  if (won) await abandon(services, stranger)
  return findJob(services, account_id, id)
}

/** Work that is canceled here ends within moments; a provider that does not listen is not waited for longer. */
const CANCEL_MS = 5000
const LOOK_MS = 50

/** The job when it has ended, or as it is after `timeout_ms`. */
export async function waitForJob(
  services: Services,
  account_id: string,
  id: string,
  timeout_ms: number,
): Promise<JobRecord> {
  const until = Date.now() + timeout_ms
  for (;;) {
    const job = await findJob(services, account_id, id)
    if (job.decision || Date.now() > until) return job
    await pause(LOOK_MS)
  }
}

/** Its content goes, its money stays. 409 while it runs. */
export async function deleteJob(services: Services, account_id: string, id: string): Promise<void> {
  const job = await findJob(services, account_id, id)
  if (!job.decision) {
    throw new Failure(409, 'job_not_finished', 'The job still runs. Cancel it first, or wait for its end.', {
      param: 'id',
    })
  }
  await eraseContent(services, job, { deleted_at: new Date() })
}

/** Removes the files of a job, and what it says of its content. */
export async function eraseContent(
  { store, storage }: Services,
  job: JobRecord,
  more: { deleted_at?: Date },
): Promise<void> {
  await storage.removeAll(`${job.account_id}/${job._id}/`)
  await eraseAnswer({ store }, job)
  await store.jobs.updateOne(
    { _id: job._id },
    {
      $set: {
        outputs: job.outputs.map((output) => ({ ...output, key: null })),
        echo: more.deleted_at ? {} : withoutContent(job),
        request: null,
        ...more,
      },
      $unset: { expires_at: '' },
    },
  )
}

/** What may still be told of a film when its words and files are gone: its shape, and when that was. */
function withoutContent({ operation, echo, expires_at }: JobRecord): JsonObject {
  if (operation !== 'video') return {}
  const facts = Object.entries(echo).filter(([name]) => name !== 'prompt')
  return { ...Object.fromEntries(facts), ...(expires_at && { expired_at: Math.floor(expires_at.getTime() / 1000) }) }
}

/** Each change of a job until its end, the present state first: what a watcher is shown. */
export async function* jobChanges(
  services: Services,
  account_id: string,
  id: string,
  gone: AbortSignal,
): AsyncGenerator<JobRecord> {
  let shown = ''
  while (!gone.aborted) {
    const job = await findJob(services, account_id, id)
    const state = `${jobStatus(job)} ${job.percent}`
    if (state !== shown) yield job
    shown = state
    if (job.decision) return
    await pause(WATCH_MS, undefined, { signal: gone }).catch(() => undefined)
  }
}

const WATCH_MS = 400
