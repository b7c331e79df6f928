// One step of an asynchronous job: its start, or one look at it, and what follows from what the provider says. The
// intent to submit is written first; what may have been submitted before is never blindly submitted again.
import { ERROR_KINDS, type Progress, ProviderError, type Usage } from '../../contract.ts'
import { StoreUnavailable } from '../../ledger/writes.ts'
import type { JobRecord } from '../../store/jobs.ts'
import { attemptOffers } from '../attempts.ts'
import { isBackground, streamInBackground } from '../chat/background.ts'
import { chatAnswer } from '../chat/chat.ts'
import { frontOf } from '../chat/fronts.ts'
import { bring } from '../media/bring.ts'
import {
  type GeneratorOperation,
  generatorOf,
  isGeneratorOperation,
  type OutputOf,
  type RequestOf,
} from '../media/generators.ts'
import { storeJson } from '../media/outputs.ts'
import { preparedFor } from '../media/prepare.ts'
import type { Services } from '../services.ts'
import { release } from '../settle.ts'
import { canceled, isCancel, isStopping, type Work } from '../work.ts'
import { handBack } from './hand_back.ts'
import { abandon } from './late.ts'
import { conclude, look } from './look.ts'
import type { Leave } from './places.ts'
import { readRequest } from './requests.ts'
import { interrupted, resume } from './resume.ts'
import type { KeptChat } from './submit.ts'
import { laneOf, offersOf, servingOffer } from './upstream.ts'

/** How long a provider that is too busy to take work is asked again, where its work is polled: nobody waits in line for it. */
const BUSY_MS_MAX = 15 * 60_000
const BUSY_PAUSE_MS = 2000
/** Other models of the provider may have room: its other work waits no longer than this. */
const CLOSED_MS_MAX = 10_000

/** Works on a claimed job until it is handed back or decided; its place is given up as soon as it is not needed. */
export async function step(services: Services, job: JobRecord, leave: Leave): Promise<void> {
  const abort = new AbortController()
  const work = services.works.begin({ job, offers: offersOf(services, job), abort, decided: false })
  try {
    await run(services, work, leave)
  } catch (error) {
    if (!work.decided) services.works.lose(work)
    throw error
  } finally {
    services.works.end(work)
    leave()
  }
}

/** Rejects when the store does not answer: what the job says then is taken up from the store again. */
async function run(services: Services, work: Work, leave: Leave): Promise<void> {
  const { job } = work
  try {
    if (job.cancel_at) work.abort.abort(canceled())
    work.abort.signal.throwIfAborted()
    if (isGeneratorOperation(job.operation)) await stepGeneration(services, work, job.operation, leave)
    else await stepChat(services, work)
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error
    if (!work.decided) await giveUp(services, work, error)
  }
}

async function giveUp(services: Services, work: Work, error: unknown): Promise<void> {
  const { ref } = work.job
  const { aborted, reason } = work.abort.signal
  if (isStopping(reason)) return handBack(services, work, ref === null ? 'work' : 'poll', 0)
  if (!aborted) return void (await release(services, work, error, 'failed'))
  if (await release(services, work, reason, isCancel(reason) ? 'canceled' : 'expired')) await abandon(services, work)
}

async function stepChat(services: Services, work: Work): Promise<void> {
  const { job } = work
  if (job.state === 'running') throw interrupted()
  if (!(await markSubmitting(services, work))) return
  const { protocol, ...kept } = (await readRequest(services, job)) as unknown as KeptChat
  const chat = { front: frontOf(protocol), ...kept }
  if (isBackground(work)) return streamInBackground(services, work, chat)
  await chatAnswer(services, work, chat, async (json) => [await storeJson(services, job, json)])
}

async function stepGeneration<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
  leave: Leave,
): Promise<void> {
  const { job } = work
  if (job.ref !== null) return look(services, work, operation, job.ref, leave)
  if (job.made) {
    const { output, usage } = job.made as unknown as { output: OutputOf<Kind>; usage: Usage }
    return bring(services, work, operation, { status: 'done', output, usage })
  }
  if (job.state === 'running') {
    const resumed = await resume(services, work, operation)
    if (resumed.now === 'go on') return conclude(services, work, operation, resumed.progress, false)
    if (resumed.now === 'wait') return handBack(services, work, 'work', resumed.after_ms)
  }
  let progress: Progress<OutputOf<Kind>>
  try {
    progress = await submit(services, work, operation)
  } catch (error) {
    if (!(error instanceof ProviderError) || !mayWait(work, operation, error)) throw error
    return waitInLine(services, work, error)
  }
  await conclude(services, work, operation, progress, false)
}

/** Starts the work at the first offer that takes it; of each the intent is written before it is asked. */
async function submit<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
): Promise<Progress<OutputOf<Kind>>> {
  const { job } = work
  const request = (await readRequest(services, job)) as unknown as RequestOf<Kind>
  let marked: number | undefined
  return attemptOffers(services, work, async ({ offer }, call) => {
    const prepared = await preparedFor(offer, operation, request)
    if (marked !== job.offer && !(await markSubmitting(services, work))) throw takenOver(work)
    marked = job.offer
    return generatorOf(offer.connection, operation).start(prepared, call)
  })
}

/** False: the job was ended or taken over meanwhile, and must not be submitted. */
function markSubmitting(services: Services, { job }: Work): Promise<boolean> {
  job.state = 'running'
  job.started_at ??= new Date()
  const { state, started_at, nonce, offer } = job
  return services.job_writes.change({
    job_id: job._id,
    fence: job.lease.fence,
    set: { state, started_at, nonce, offer },
  })
}

function takenOver(work: Work): Error {
  work.decided = true
  return new Error('The job is not this router’s any more.')
}

/** Nothing was accepted: work that is polled can wait for its provider, as its caller waits for it. */
function mayWait(work: Work, operation: GeneratorOperation, error: ProviderError): boolean {
  const { job, abort } = work
  if (ERROR_KINDS[error.kind].retry !== 'later' || abort.signal.aborted || work.decided) return false
  const { poll } = generatorOf(servingOffer(work).offer.connection, operation)
  return poll !== undefined && Date.now() < job.created_at.getTime() + BUSY_MS_MAX
}

/** The first offer is asked first again; the others of its provider's queue wait too. */
async function waitInLine(services: Services, work: Work, { detail }: ProviderError): Promise<void> {
  const { job } = work
  const pause_ms = Math.min(detail.retry_after_ms ?? BUSY_PAUSE_MS, BUSY_MS_MAX)
  laneOf(services, job).closeUntil(performance.now() + Math.min(pause_ms, CLOSED_MS_MAX))
  job.state = 'new'
  job.offer = 0
  await handBack(services, work, 'work', pause_ms * (1 + Math.random()))
}
