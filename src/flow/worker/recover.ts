// Recovery: what routers that died left behind is brought to its end. Every step repeats what the job itself says, so
// any router may do it, twice even, and the money moves once.
import type { JobRecord } from '../../store/jobs.ts'
import { Failure } from '../failure.ts'
import type { Services } from '../services.ts'
import { finish, jobError } from '../settle.ts'
import { canceled } from '../work.ts'

const PAGE = 200
/** A job of ours that nobody here works on: after this long it was lost, by an answer of the store that never came. */
const LOST_MS = 30_000
/** How often one job may be looked at in a row: once for its decision, once for what follows. */
const STUCK_MAX = 5
/** A write of which nothing was heard for this long will not arrive any more. */
const LATE_MS = 120_000

const interrupted = () =>
  new Failure(
    502,
    'provider_error',
    'The router was stopped while it worked on this job. Nothing was charged; send the request again.',
  )

/** Takes over everything under the names of dead routers. Rejects where some of it must be tried again. */
export async function recoverJobsOf(services: Services, router_ids: string[]): Promise<void> {
  const owned = { 'lease.owner': { $in: router_ids } }
  let stuck = 0
  for (let last = ''; stuck < STUCK_MAX; ) {
    const jobs = await services.store.jobs.find(owned).limit(PAGE).toArray()
    if (jobs.length === 0) return
    await Promise.all(jobs.map((job) => recoverJob(services, job)))
    const first = jobs[0]?._id ?? ''
    stuck = first === last ? stuck + 1 : 0
    last = first
  }
  throw new Error('A job of a dead router does not come to its end.')
}

/** Takes up jobs under this router's own name that it does not know any more. */
export async function recoverLostJobs(services: Services): Promise<void> {
  const { store, router_id, works } = services
  for (const [id, at] of works.lost()) {
    const job = works.has(id) ? null : await store.jobs.findOne({ _id: id })
    // Under another name, or claimed since, it was not lost.
    if (job && (job.lease.owner === router_id || job.lease.fence === 0)) await recoverJob(services, job)
    if (job || at.getTime() < Date.now() - LATE_MS) works.found(id)
  }
  const before = new Date(Date.now() - LOST_MS)
  const ours = store.jobs.find(
    { 'lease.owner': router_id, created_at: { $lt: before } },
    { projection: { completed_at: 1 } },
  )
  for await (const { _id, completed_at } of ours) {
    if (works.has(_id) || (completed_at && completed_at > before)) continue
    const job = await store.jobs.findOne({ _id, 'lease.owner': router_id })
    if (job && !works.has(_id)) await recoverJob(services, job)
  }
}

async function recoverJob(services: Services, job: JobRecord): Promise<void> {
  const { jobs } = services.store
  const { _id, state, lease, cost, decision, usage } = job
  switch (state) {
    case 'settling':
    case 'releasing':
      return finish(services, job, {
        charged: state === 'settling' ? (cost ?? 0n) : undefined,
        decided_at: decision?.at ?? new Date(),
        status: decision?.status ?? 'failed',
        usage,
      })
    case 'settled':
    case 'released':
      return void (await jobs.updateOne({ _id, 'lease.owner': lease.owner } as never, {
        $unset: { 'lease.owner': '' },
      }))
    case 'new':
    case 'running': {
      const nonce = await heldNonce(services, job)
      return isAccepted(job) && nonce !== '' ? handOn(services, job, nonce) : release(services, job, nonce)
    }
  }
}

/** Asynchronous work whose caller was told that it is queued, and has not asked for its end since. */
const isAccepted = ({ mode, lease, cancel_at }: JobRecord) => mode === 'async' && lease.fence > 0 && !cancel_at

/** Synchronous work died with its caller's connection: the hold goes back. Somebody else's decision is carried out. */
async function release(services: Services, job: JobRecord, nonce: string): Promise<void> {
  const { router_id: by, store, ledger } = services
  const status = job.cancel_at ? 'canceled' : 'failed'
  const error = jobError(job.cancel_at ? canceled() : interrupted())
  const won = await ledger.decide({ job_id: job._id, nonce, status, by, error })
  if (won)
    return finish(services, { ...job, nonce }, { charged: undefined, decided_at: new Date(), status, usage: null })
  const decided = await store.jobs.findOne({ _id: job._id, state: { $in: ['settling', 'releasing'] } })
  if (decided) await recoverJob(services, decided)
}

/** Asynchronous work lives at the provider: any router's worker takes it up, at once. */
async function handOn(services: Services, { _id, state, lease }: JobRecord, nonce: string): Promise<void> {
  await services.store.jobs.updateOne(
    { _id, 'lease.fence': lease.fence, state },
    { $set: { nonce, poll_at: new Date() }, $inc: { 'lease.fence': 1 }, $unset: { 'lease.owner': '' } },
  )
  services.wake()
}

/** The nonce of the job's hold as the account knows it: the job's own is written late. Empty: there is no hold. */
export async function heldNonce(
  { store }: Pick<Services, 'store'>,
  { _id, account_id }: Pick<JobRecord, '_id' | 'account_id'>,
): Promise<string> {
  const account = await store.accounts.findOne({ _id: account_id }, { projection: { [`holds.${_id}`]: 1 } })
  return account?.holds?.[_id]?.nonce ?? ''
}

/** Gives back holds that belong to no open job: a write that was repeated after its answer was lost can land late. */
export async function releaseOrphanedHolds(services: Services): Promise<void> {
  const { store, ledger } = services
  const before = new Date(Date.now() - LATE_MS)
  for await (const account of store.accounts.find({ held: { $gt: 0n } }, { projection: { holds: 1 } })) {
    for (const [job_id, { at, nonce, amount, key_id }] of Object.entries(account.holds)) {
      if (at > before) continue
      const job = await store.jobs.findOne({ _id: job_id }, { projection: { state: 1, nonce: 1 } })
      const atRest = !job || job.state === 'settled' || job.state === 'released'
      const foreign = job && job.nonce !== '' && job.nonce !== nonce && job.state !== 'new'
      if (!atRest && !foreign) continue
      services.log.warn({ job: job_id, account: account._id }, 'A hold without an open job was given back.')
      const hold = { job_id, account_id: account._id, key_id, nonce, hold: amount }
      await ledger.finish({ ...hold, cost: undefined, decided_at: new Date() })
    }
  }
}
