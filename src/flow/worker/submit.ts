// Accepting a job for the worker: everything is admitted, held and written before the caller is told that it is queued.
import { StoreUnavailable } from '../../ledger/writes.ts'
import type { ChatFront } from '../../protocols/front.ts'
import type { JobRecord } from '../../store/jobs.ts'
import type { Admitted } from '../admit.ts'
import { admitChat, CHAT_DEADLINE_MS } from '../chat/chat.ts'
import type { Chat } from '../chat/chat_stream.ts'
import { Failure } from '../failure.ts'
import { newId } from '../ids.ts'
import { admitGeneration, DEADLINE_MS } from '../media/generate.ts'
import type { GeneratorOperation, RequestOf } from '../media/generators.ts'
import { type JobPlan, openJob } from '../open.ts'
import type { Caller, Services } from '../services.ts'
import { checkWebhookUrl } from '../webhooks/webhook_urls.ts'
import { queueName } from './queues.ts'
import { keepRequest } from './requests.ts'

export interface Submission
  extends Pick<JobPlan, 'endpoint' | 'request_id' | 'metadata' | 'echo' | 'opened' | 'id' | 'webhook_url'> {
  max_cost_usd?: string
}

/** Queues work of any kind but chat. Throws Failure and ProviderError, as a synchronous call would. */
export async function submitGeneration<Kind extends GeneratorOperation>(
  services: Services,
  caller: Caller,
  operation: Kind,
  request: RequestOf<Kind>,
  submission: Submission,
): Promise<JobRecord> {
  const admitted = admitGeneration(services, caller, operation, request, submission.max_cost_usd)
  return queue(services, caller, admitted, { ...submission, operation, deadline_ms: DEADLINE_MS[operation] }, request)
}

/** A chat that waits in the store: its body, and the format that it is in. */
export type KeptChat = { protocol: ChatFront['protocol'] } & Pick<Chat, 'body' | 'headers'>

/** Queues a chat; its answer will be the JSON that a waiting caller would have got. */
export async function submitChat(
  services: Services,
  caller: Caller,
  chat: Chat & { model: string },
  submission: Submission,
): Promise<JobRecord> {
  const admitted = admitChat(services, caller, { ...chat, ...submission })
  const { front, body, headers } = chat
  const kept: KeptChat = { protocol: front.protocol, body, ...(headers && { headers }) }
  return queue(services, caller, admitted, { ...submission, operation: 'chat', deadline_ms: CHAT_DEADLINE_MS }, kept)
}

async function queue(
  services: Services,
  caller: Caller,
  admitted: Admitted,
  plan: Omit<JobPlan, 'mode'>,
  request: object,
): Promise<JobRecord> {
  if (plan.webhook_url !== undefined) await checkWebhookUrl(services, plan.webhook_url)
  const { id = newId('job') } = plan
  const kept = await keepRequest(services, caller.account_id, id, request)
  const work = await openJob(services, caller, admitted, { ...plan, ...kept, id, mode: 'async' })
  const waits_in = queueName('work', admitted.offers[0]?.offer.provider ?? '')
  try {
    // From here on any router's worker may take it.
    const queued = { nonce: work.job.nonce, queue: waits_in }
    await services.job_writes.change({ job_id: id, fence: 0, set: queued, poll_at: new Date() })
  } catch (error) {
    services.works.lose(work)
    throw error instanceof StoreUnavailable ? queuedUnknown(id, error) : error
  }
  services.works.end(work)
  services.wake(new Date(), waits_in)
  return work.job
}

/** The write may still arrive: then the job is done and charged, though its caller was told of no job. */
const queuedUnknown = (job_id: string, cause: StoreUnavailable) =>
  new Failure(
    503,
    'store_unavailable',
    `The store does not answer, so whether this job was queued is not known yet. GET /v1/jobs/${job_id} tells in a moment.`,
    { cause },
  )
