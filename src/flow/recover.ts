// Recovery: what routers that died left behind is brought to its end. Every step repeats what the job itself says, so
// any router may do it, twice even, and the money moves once.
import type { JobRecord } from '../store/jobs.ts'
import { Failure } from './failure.ts'
import type { Services } from './services.ts'
import { jobError } from './settle.ts'
import { workOn } from './work.ts'

const PAGE = 200
/** A job of ours that nobody here works on: after this long it was lost, by an answer of the store that never came. */
const LOST_MS = 30_000
/** A hold may be older than its job's last write by the time that one repeated write takes. */
const ORPHAN_MS = 120_000

const interrupted = () =>
  new Failure(
    502,
    'provider_error',
    'The router was stopped while it worked on this job. Nothing was charged; send the request again.',
  )

/** Takes over everything under a dead router's name. */
export async function recoverJobsOf(services: Services, router_id: string): Promise<void> {
  for (;;) {
    const jobs = await services.store.jobs.find({ 'lease.owner': router_id }).limit(PAGE).toArray()
    await Promise.all(jobs.map((job) => recoverJob(services, job)))
    if (jobs.length < PAGE) return
  }
}

/** Takes up jobs under this router's own name that it does not know any more. */
export async function recoverLostJobs(services: Services): Promise<void> {
  const { store, router_id } = services
  const before = new Date(Date.now() - LOST_MS)
  const ours = store.jobs.find(
    { 'lease.owner': router_id, created_at: { $lt: before } },
    { projection: { completed_at: 1 } },
  )
  for await (const { _id, completed_at } of ours) {
    if (workOn(_id) || (completed_at && completed_at > before)) continue
    const job = await store.jobs.findOne({ _id })
    if (job && !workOn(_id)) await recoverJob(services, job)
  }
}

async function recoverJob(services: Services, job: JobRecord): Promise<void> {
  switch (job.state) {
    case 'settling':
      return services.ledger.finish({ ...decided(job), cost: job.cost ?? 0n })
    case 'releasing':
      return services.ledger.finish({ ...decided(job), cost: undefined })
    case 'new':
    case 'running':
      return job.mode === 'async' ? handOn(services, job) : releaseJob(services, job)
    case 'settled':
    case 'released':
      await services.store.jobs.updateOne({ _id: job._id }, { $unset: { 'lease.owner': '' } })
  }
}

const decided = ({ _id, account_id, key_id, nonce, hold, decision }: JobRecord) => ({
  job_id: _id,
  account_id,
  key_id,
  nonce,
  hold,
  decided_at: decision?.at ?? new Date(),
})

/** Synchronous work died with its caller's connection: the hold goes back. */
async function releaseJob(services: Services, job: JobRecord): Promise<void> {
  const nonce = await heldNonce(services, job)
  const won = await services.ledger.decide({
    job_id: job._id,
    nonce,
    status: 'failed',
    by: services.router_id,
    error: jobError(interrupted()),
  })
  if (won) await services.ledger.finish({ ...decided(job), nonce, cost: undefined, decided_at: new Date() })
}

/** Asynchronous work lives at the provider: any router's worker takes it up, at once. A job without a hold never began. */
async function handOn(services: Services, job: JobRecord): Promise<void> {
  const nonce = await heldNonce(services, job)
  if (nonce === '') return releaseJob(services, job)
  await services.store.jobs.updateOne(
    { _id: job._id, 'lease.fence': job.lease.fence, state: job.state },
    { $set: { nonce, poll_at: new Date() }, $inc: { 'lease.fence': 1 }, $unset: { 'lease.owner': '' } },
  )
  services.wake()
}

/** The nonce of the job's hold as the account knows it: the job's own is written late. Empty: there is no hold. */
async function heldNonce({ store }: Services, { _id, account_id }: JobRecord): Promise<string> {
  const account = await store.accounts.findOne({ _id: account_id }, { projection: { [`holds.${_id}`]: 1 } })
  return account?.holds?.[_id]?.nonce ?? ''
}

/** Gives back holds that belong to no open job: a write that was repeated after its answer was lost can land late. */
export async function releaseOrphanedHolds(services: Services): Promise<void> {
  const { store, ledger } = services
  const before = new Date(Date.now() - ORPHAN_MS)
  for await (const account of store.accounts.find({ held: { $gt: 0n } }, { projection: { holds: 1 } })) {
    for (const [job_id, hold] of Object.entries(account.holds)) {
      if (hold.at > before) continue
      const job = await store.jobs.findOne({ _id: job_id }, { projection: { state: 1, nonce: 1 } })
      const atRest = !job || job.state === 'settled' || job.state === 'released'
      const foreign = job && job.nonce !== '' && job.nonce !== hold.nonce && job.state !== 'new'
      if (!atRest && !foreign) continue
      services.log.warn({ job: job_id, account: account._id }, 'A hold without an open job was given back.')
      await ledger.finish({
        job_id,
        account_id: account._id,
        key_id: hold.key_id,
        nonce: hold.nonce,
        hold: hold.amount,
        cost: undefined,
        decided_at: new Date(),
      })
    }
  }
}
