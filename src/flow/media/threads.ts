// Threads of pictures: a first one, then changes of the last one in words. Each turn is a job like any other; the thread
// only tells their order. One turn at a time: a second is refused, so that nobody changes a picture he has not seen.
import type { JsonObject } from '../../contract.ts'
import type { JobRecord } from '../../store/jobs.ts'
import type { ThreadRecord, ThreadTurn } from '../../store/threads.ts'
import { Failure } from '../failure.ts'
import { newId } from '../ids.ts'
import { jobView, seconds } from '../job_view.ts'
import { eraseContent } from '../jobs.ts'
import type { Caller, Services } from '../services.ts'
import type { Bytes } from './outputs.ts'
import { signedOutputPath } from './signed_outputs.ts'

const TURNS_MAX = 200
/** A turn whose job is not there after this long never got one: its router died first. */
const UNBORN_MS = 60_000
/** What the first request says of its picture, and later ones need not repeat. */
const SETTINGS = [
  'size',
  'aspect_ratio',
  'resolution',
  'quality',
  'background',
  'output_format',
  'output_compression',
] as const
const SHAPE = ['size', 'aspect_ratio', 'resolution']

export interface Turn {
  thread: ThreadRecord
  /** Under which the job must be opened. */
  job_id: string
}

/** A new thread with its first turn under way. */
export async function beginThread(services: Services, caller: Caller, body: JsonObject): Promise<Turn> {
  const now = new Date()
  const pending = newTurn(body)
  const settings = SETTINGS.filter((name) => body[name] !== undefined && body[name] !== null)
  const thread: ThreadRecord = {
    _id: newId('thr'),
    account_id: caller.account_id,
    model: String(body.model),
    settings: Object.fromEntries(settings.map((name) => [name, body[name] ?? null])),
    turns: [],
    pending,
    created_at: now,
    updated_at: now,
    deleted_at: null,
  }
  await services.store.threads.insertOne(thread)
  return { thread, job_id: pending.job_id }
}

const newTurn = ({ prompt }: JsonObject): ThreadTurn => ({
  job_id: newId('job'),
  prompt: String(prompt),
  created_at: new Date(),
})

/** The request of a later turn, with what the thread knows. A new shape takes the place of the old one as a whole. */
export function turnBody({ model, settings }: ThreadRecord, body: JsonObject): JsonObject {
  const said = (name: string) => body[name] !== undefined && body[name] !== null
  const replaced = [
    ...(SHAPE.some(said) ? SHAPE : []),
    ...(said('output_format') ? ['output_compression'] : []),
    ...SETTINGS.filter(said),
  ]
  const kept = Object.entries(settings).filter(([name]) => !replaced.includes(name))
  return { ...body, ...Object.fromEntries(kept), model: said('model') ? (body.model ?? model) : model }
}

/** Throws Failure 404, and 409 while another turn is under way. */
export async function beginTurn(services: Services, caller: Caller, id: string, body: JsonObject): Promise<Turn> {
  const thread = await findThread(services, caller.account_id, id)
  if (thread.turns.length >= TURNS_MAX) {
    const message = `A thread has at most ${TURNS_MAX} turns. Begin a new one with the last picture as 'image'.`
    throw new Failure(400, 'thread_full', message, { param: 'id' })
  }
  const pending = newTurn(body)
  const { modifiedCount } = await services.store.threads.updateOne(
    { _id: id, account_id: caller.account_id, pending: null, deleted_at: null },
    { $set: { pending } },
  )
  if (modifiedCount === 0) throw busy()
  const taken = await services.store.threads.findOne({ _id: id })
  if (!taken) throw notFound(id)
  return { thread: taken, job_id: pending.job_id }
}

/** No time to come back is named: SDKs would repeat the turn by themselves, on a picture that nobody has seen. */
const busy = () =>
  new Failure(
    409,
    'thread_busy',
    'A turn of this thread is still under way. Wait until its status is idle, then continue it.',
    { param: 'id' },
  )

const notFound = (id: string) =>
  new Failure(
    404,
    'thread_not_found',
    `There is no thread '${id.slice(0, 100)}' in this account. GET /v1/images/threads lists its threads.`,
    { param: 'id' },
  )

/** When the request that began a turn is over, for the thread at once: otherwise whoever looks next sees to it. */
export async function endTurn(services: Services, { thread, job_id }: Turn, isRefused: boolean): Promise<void> {
  const now = await services.store.threads.findOne({ _id: thread._id })
  if (now?.pending?.job_id !== job_id) return
  const { pending, turns } = await settleTurn(services, now, isRefused ? 0 : UNBORN_MS)
  // Nobody has been told of a thread whose first picture was refused.
  if (isRefused && !pending && turns.length === 0)
    await services.store.threads.deleteOne({ _id: thread._id, pending: null })
}

/** A thread of the account, its last turn looked at. Throws Failure 404. */
export async function findThread(services: Services, account_id: string, id: string): Promise<ThreadRecord> {
  const thread = await services.store.threads.findOne({ _id: id, account_id, deleted_at: null })
  if (!thread) throw notFound(id)
  return settleTurn(services, thread, UNBORN_MS)
}

/** Takes a turn whose job has ended into the thread, or leaves the thread as it was where that failed. */
async function settleTurn(services: Services, thread: ThreadRecord, unborn_ms: number): Promise<ThreadRecord> {
  const { pending } = thread
  if (!pending) return thread
  const job = await services.store.jobs.findOne({ _id: pending.job_id })
  const isOver = job ? job.decision !== null : pending.created_at.getTime() + unborn_ms <= Date.now()
  if (!isOver) return thread
  const succeeded = job?.decision?.status === 'completed' && job.outputs.length > 0
  const now = new Date()
  await services.store.threads.updateOne(
    { _id: thread._id, 'pending.job_id': pending.job_id } as never,
    succeeded
      ? {
          $push: { turns: pending },
          $set: { pending: null, updated_at: now, ...(job.expires_at && { expires_at: job.expires_at }) },
        }
      : { $set: { pending: null } },
  )
  return (await services.store.threads.findOne({ _id: thread._id })) ?? thread
}

/** The picture that a turn changes: one of those that the last turn made. Throws Failure 410 where it is gone. */
export async function lastPicture(
  services: Services,
  { turns }: ThreadRecord,
  output: number,
): Promise<Bytes | undefined> {
  const last = turns.at(-1)
  if (!last) return undefined
  const job = await services.store.jobs.findOne({ _id: last.job_id })
  const made = job?.outputs ?? []
  const picked = made[output]
  if (made.length > 0 && !picked) {
    const message = `The last turn made ${made.length} pictures: 'output' is from 0 to ${made.length - 1}.`
    throw new Failure(400, 'invalid_value', message, { param: 'output' })
  }
  const file = picked?.key ? await services.storage.open(picked.key) : undefined
  if (!picked || !file) {
    const message = "The thread's last picture was removed when its time was over. Begin a new thread."
    throw new Failure(410, 'output_expired', message, { param: 'id' })
  }
  const chunks: Buffer[] = []
  for await (const chunk of file.body) chunks.push(chunk as Buffer)
  return { type: 'bytes', data: Buffer.concat(chunks), media_type: picked.media_type }
}

export async function listThreads(
  services: Services,
  account_id: string,
  { limit, after, order }: { limit: number; after?: string; order: 'asc' | 'desc' },
): Promise<{ threads: ThreadRecord[]; has_more: boolean }> {
  const beyond = order === 'desc' ? { $lt: after } : { $gt: after }
  const found = await services.store.threads
    .find({ account_id, deleted_at: null, ...(after !== undefined && { _id: beyond }) } as never)
    .sort({ _id: order === 'desc' ? -1 : 1 })
    .limit(limit + 1)
    .toArray()
  const threads = await Promise.all(found.slice(0, limit).map((each) => settleTurn(services, each, UNBORN_MS)))
  return { threads, has_more: found.length > limit }
}

/** Its pictures and words go, the money of its jobs stays. Throws Failure 404, and 409 while a turn is under way. */
export async function deleteThread(services: Services, account_id: string, id: string): Promise<void> {
  const { store } = services
  const begun = await store.threads.findOne({ _id: id, account_id, deleted_at: { $ne: null } })
  const { turns } = begun ?? (await findThread(services, account_id, id))
  // Marked first: what breaks off here is done by the next try, and no turn begins meanwhile.
  const marked = await store.threads.updateOne(
    { _id: id, account_id, pending: null },
    { $set: { deleted_at: new Date() } },
  )
  if (marked.matchedCount === 0) throw busy()
  const jobs = await store.jobs.find({ _id: { $in: turns.map(({ job_id }) => job_id) }, account_id }).toArray()
  for (const job of jobs) await eraseContent(services, job, {})
  await store.threads.deleteOne({ _id: id, account_id })
}

/** Words go when the last pictures do; which jobs it had stays. */
export async function expireThreads({ store }: Services, count: number): Promise<void> {
  const due = await store.threads
    .find({ expires_at: { $lt: new Date() }, pending: null })
    .limit(count)
    .toArray()
  for (const { _id, turns, updated_at } of due) {
    const silent = turns.map((turn) => ({ ...turn, prompt: null }))
    await store.threads.updateOne({ _id, updated_at, pending: null }, {
      $set: { turns: silent },
      $unset: { expires_at: '' },
    } as never)
  }
}

/** As their owner sees them, with what their jobs say. */
export async function threadViews(services: Services, threads: ThreadRecord[]): Promise<JsonObject[]> {
  const ids = threads.flatMap(({ turns }) => turns.map(({ job_id }) => job_id))
  const jobs = ids.length > 0 ? await services.store.jobs.find({ _id: { $in: ids } }).toArray() : []
  const known = new Map(jobs.map((job) => [job._id, job]))
  return threads.map((thread) => ({
    id: thread._id,
    object: 'image.thread',
    model: thread.model,
    status: thread.pending ? 'in_progress' : 'idle',
    created_at: seconds(thread.created_at),
    updated_at: seconds(thread.updated_at),
    expires_at: seconds(thread.expires_at),
    settings: thread.settings,
    turns: thread.turns.map((turn) => turnView(services, turn, known.get(turn.job_id))),
    pending: thread.pending && turnView(services, thread.pending, undefined),
  }))
}

function turnView(services: Services, turn: ThreadTurn, job: JobRecord | undefined): JsonObject {
  const { job_id, prompt, created_at } = turn
  const head = { job_id, prompt, created_at: seconds(created_at) }
  if (!job) return head
  const { model, outputs, billing, partial } = jobView(job, (index) => signedOutputPath(services, job, index))
  const { cost_usd = null } = billing as JsonObject
  return { ...head, model: model ?? null, outputs: outputs ?? [], cost_usd, ...(partial !== undefined && { partial }) }
}
