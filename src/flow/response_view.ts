// A stored response as its caller sees it, at whatever point its job is, and as a stream of events. It changes nothing.
import type { JsonObject } from '../contract.ts'
import { shortUsd } from '../ledger/money.ts'
import { exactJson } from '../protocols/openai-responses/answer.ts'
import { closingEvents, encodeEvents, openingEvents } from '../protocols/openai-responses/replay.ts'
import { type ResponseState, responseOf } from '../protocols/openai-responses/response.ts'
import type { JobRecord } from '../store/jobs.ts'
import { Failure } from './failure.ts'
import { jobStatus } from './job_view.ts'
import { jobChanges } from './jobs.ts'
import { ownId, readKept } from './response_store.ts'
import type { Services } from './services.ts'

const STATES: Record<ReturnType<typeof jobStatus>, ResponseState['status']> = {
  queued: 'queued',
  in_progress: 'in_progress',
  completed: 'completed',
  failed: 'failed',
  expired: 'failed',
  canceled: 'cancelled',
}

/** The response object, with the cost once there is one. */
export async function responseView(services: Services, job: JobRecord): Promise<Record<string, unknown>> {
  const kept = await readKept(services, job)
  const { background, request } = job.echo
  if (kept) {
    // An answer that was made in the background has the id by which its caller knows it, whoever made it.
    const own = background === true ? { id: ownId(job), background } : {}
    return exactJson({ ...kept, ...own }, undefined, job.cost === null ? undefined : shortUsd(job.cost))
  }
  const status = STATES[jobStatus(job)]
  if (status === 'completed') {
    throw new Failure(404, 'response_not_found', 'This response was not kept.', { param: 'response_id' })
  }
  const head = {
    id: job._id.slice('job_'.length),
    created: Math.floor(job.created_at.getTime() / 1000),
    model: job.model,
  }
  const facts = { ...(request as JsonObject | undefined), ...(background === true && { background }) }
  const error = status === 'failed' && job.error ? { code: job.error.code, message: job.error.message } : null
  return responseOf(facts, head, { status, output: [], error })
}

/**
 * The events of a response from its beginning to its end, waiting for it, after the one with the number `after`. A
 * response that was streamed once comes with other numbers than then; those of one in the background stay the same.
 */
export async function* responseEvents(
  services: Services,
  job: JobRecord,
  after: number,
  gone: AbortSignal,
): AsyncGenerator<string> {
  const opening = encodeEvents(openingEvents((await responseView(services, job)) as JsonObject), 0)
  yield* opening.slice(after + 1)
  let last = job
  for await (const change of jobChanges(services, job.account_id, job._id, gone)) last = change
  if (!last.decision) return
  const closing = encodeEvents(closingEvents((await responseView(services, last)) as JsonObject), opening.length)
  yield* closing.slice(Math.max(0, after + 1 - opening.length))
}
