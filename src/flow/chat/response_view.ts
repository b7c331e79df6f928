// A stored response as its caller sees it, at whatever point its job is, and as a stream of events. It changes nothing.
import { setTimeout as pause } from 'node:timers/promises'
import type { JsonObject } from '../../contract.ts'
import { shortUsd } from '../../ledger/money.ts'
import { exactJson } from '../../protocols/openai-responses/answer.ts'
import {
  encodeEvents,
  endEvents,
  itemEventsOf,
  numberedEvents,
  openingEvents,
} from '../../protocols/openai-responses/replay.ts'
import { type ResponseState, responseOf } from '../../protocols/openai-responses/response.ts'
import { encodeEvent } from '../../protocols/sse.ts'
import type { JobRecord } from '../../store/jobs.ts'
import { Failure } from '../failure.ts'
import { jobStatus } from '../job_view.ts'
import { findJob } from '../jobs.ts'
import type { Services } from '../services.ts'
import { ownId, readEvents, readKept } from './response_store.ts'

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
    // An answer that nobody waited for has the id by which its caller knows it, whoever made it.
    const own = job.mode === 'async' ? { id: ownId(job), background: background === true } : {}
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
 * The events of a response from its beginning to its end, waiting for it, after the one with the number `after`: those of
 * a stream as they went, and as they come where this router writes it; else such as the whole answer amounts to. Each has
 * the same number whoever asks, and when.
 */
export async function* responseEvents(
  services: Services,
  job: JobRecord,
  after: number,
  gone: AbortSignal,
): AsyncGenerator<string> {
  const cursor = { after, last: -1 }
  const background = job.echo.background === true
  if (background) yield* told(encodeEvents(await opening(services, job), 0), cursor)
  const ended = yield* follow(services, job, cursor, gone)
  if (!ended) return
  const view = (await responseView(services, ended)) as JsonObject
  const kept = await readEvents(services, ended)
  if (kept) yield* fresh(kept, cursor)
  else if (cursor.last < 0 || (background && cursor.last < OPENING)) {
    const begun = background ? [] : await opening(services, ended)
    yield* told(encodeEvents([...begun, ...itemEventsOf(view)], cursor.last + 1), cursor)
  }
  // Who has seen more than there is now, of a stream that was lost, still hears how it ended.
  if (!kept) cursor.last = Math.max(cursor.last, cursor.after)
  yield* told(encodeEvents(endEvents(view), cursor.last + 1), cursor)
}

interface Cursor {
  /** The reader has seen the events up to this number. */
  after: number
  /** The highest number there was so far. */
  last: number
}

async function opening(services: Services, job: JobRecord) {
  return openingEvents((await responseView(services, job)) as JsonObject)
}
/** How many events begin the stream of a response in the background, less one. */
const OPENING = 3

/** Events that are numbered on from the last one. */
function* told(events: string[], cursor: Cursor): Generator<string> {
  for (const event of events) if (++cursor.last > cursor.after) yield event
}

/** Events with numbers of their own, those that were seen already left out. */
function* fresh(bytes: Uint8Array, cursor: Cursor): Generator<string> {
  for (const { event, number } of numberedEvents(bytes)) {
    if (number > Math.max(cursor.after, cursor.last)) yield encodeEvent(event)
    cursor.last = Math.max(cursor.last, number)
  }
}

/** The job once it has ended; undefined when the reader has left before. */
async function* follow(
  services: Services,
  job: JobRecord,
  cursor: Cursor,
  gone: AbortSignal,
): AsyncGenerator<string, JobRecord | undefined> {
  while (!gone.aborted) {
    const events = services.works.get(job._id)?.events
    if (events) for await (const chunk of events.read(gone)) yield* fresh(chunk, cursor)
    const now = await findJob(services, job.account_id, job._id)
    if (now.decision) return now
    await nextLook(services, job._id, gone)
  }
  return undefined
}

/** Until this router begins to write the answer, or it is time to ask the store. */
async function nextLook({ works }: Services, job_id: string, gone: AbortSignal): Promise<void> {
  for (let waited = 0; waited < STORE_LOOK_MS && !gone.aborted; waited += LOOK_MS) {
    await pause(LOOK_MS, undefined, { signal: gone }).catch(() => undefined)
    if (works.get(job_id)?.events) return
  }
}
const LOOK_MS = 25
const STORE_LOOK_MS = 400
