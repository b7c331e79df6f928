// Responses that are kept so that their callers can ask for them again, and go on from them: the answer as an output of
// its job, the items that it answered beside it. It runs nothing and charges nothing.

import { promisify } from 'node:util'
import { gunzipSync, gzip } from 'node:zlib'
import type { JsonObject } from '../../contract.ts'
import { readBytes, readJson } from '../../media/read_json.ts'
import { inputItems } from '../../protocols/openai-responses/input_items.ts'
import { numberedEvents } from '../../protocols/openai-responses/replay.ts'
import { responseId } from '../../protocols/openai-responses/response.ts'
import type { JobOutput, JobRecord } from '../../store/jobs.ts'
import { Failure } from '../failure.ts'
import { storeJson } from '../media/outputs.ts'
import type { Services } from '../services.ts'

export const ENDPOINT = 'responses'
const INPUT_BYTES_MAX = 256 * 2 ** 20

/** What the job must know of the request to find and show its response. */
export function responseEcho(body: JsonObject): JsonObject {
  const { input: _input, store, background, ...facts } = body
  // Work that nobody waits for is looked at before there is an answer, or where there never is one.
  return { store: store !== false, ...(background === true && { background, request: facts }) }
}

/**
 * Keeps an answer and its input. Where storage fails the caller still gets the answer; it cannot be asked for again.
 */
export async function keepResponse(
  services: Services,
  job: JobRecord,
  body: JsonObject,
  json: string,
): Promise<JobOutput[]> {
  try {
    const { id } = JSON.parse(json) as { id?: string }
    const [output] = await Promise.all([
      storeJson(services, job, json),
      keepInput(services, job, body),
      keepEvents(services, job),
    ])
    await noteId(services, job, id)
    return [output]
  } catch (error) {
    services.log.warn({ job: job._id, error }, 'A response could not be kept; its caller has it all the same.')
    return []
  }
}

/** A provider's answer passes through with the provider's id, by which it will be asked for. */
async function noteId({ store }: Services, job: JobRecord, id: string | undefined): Promise<void> {
  if (id === undefined || id === ownId(job) || id === job.echo.response_id) return
  await store.jobs.updateOne({ _id: job._id }, { $set: { 'echo.response_id': id } })
  job.echo.response_id = id
}

/** A stream can be asked for while it still comes. That it cannot be found until its end, where the store fails, is borne. */
export function noteBeginning(services: Services, job: JobRecord, first: Uint8Array): void {
  const { response } = numberedEvents(first)[0]?.data ?? {}
  noteId(services, job, (response as { id?: string } | undefined)?.id).catch((error: unknown) =>
    services.log.warn({ job: job._id, error }, 'The id of a response could not be noted at its beginning.'),
  )
}

export async function keepInput({ storage }: Services, job: JobRecord, body: JsonObject): Promise<void> {
  const data = Buffer.from(JSON.stringify(inputItems(body)))
  await storage.put(inputKey(job), data, { media_type: 'application/json', max_bytes: INPUT_BYTES_MAX })
}

/** A stream is kept as it went, so that a reader may go on in it where he left off. */
export async function keepEvents({ works, storage }: Services, job: JobRecord): Promise<void> {
  const events = works.get(job._id)?.events?.whole
  if (!events) return
  const data = await promisify(gzip)(events)
  await storage.put(eventsKey(job), data, { media_type: 'application/gzip', max_bytes: INPUT_BYTES_MAX })
}

/** The events of a stream without its last one; undefined where they were not kept. */
export async function readEvents({ storage }: Services, job: JobRecord): Promise<Uint8Array | undefined> {
  const packed = await readBytes(storage, eventsKey(job))
  return packed && gunzipSync(packed)
}

const eventsKey = ({ account_id, _id }: JobRecord) => `${account_id}/${_id}/events.gz`
const inputKey = ({ account_id, _id }: JobRecord) => `${account_id}/${_id}/input.json`

/** `resp_…` of the job's own id. */
export const ownId = ({ _id }: JobRecord): string => responseId(_id.slice('job_'.length))

/** Throws Failure: 404 where there is none, where it was not to be stored, or where it was removed. */
export async function findResponse({ store }: Services, account_id: string, id: string): Promise<JobRecord> {
  const named = /^resp_([0-9A-HJKMNP-TV-Z]{26})$/.exec(id)?.[1]
  const query = named ? { _id: `job_${named}`, account_id } : { account_id, 'echo.response_id': id }
  const job = await store.jobs.find(query).sort({ _id: -1 }).limit(1).next()
  const erased = job?.outputs.some(({ key }) => key === null)
  if (job?.endpoint === ENDPOINT && job.echo.store === true && job.deleted_at === null && !erased) return job
  throw notFound(id)
}

const notFound = (id: string) =>
  new Failure(
    404,
    'response_not_found',
    `There is no response '${id.slice(0, 100)}' in this account: it was not stored, or its time was over.`,
    { param: 'response_id' },
  )

/** The answer as it was given, without its cost; undefined where the job has none. */
export async function readKept({ storage }: Services, job: JobRecord): Promise<JsonObject | undefined> {
  const key = job.outputs[0]?.key
  return key ? ((await readJson(storage, key)) as JsonObject | undefined) : undefined
}

/** The items that a response answered, those of earlier responses included; undefined where they were not kept. */
export async function readInput({ storage }: Services, job: JobRecord): Promise<JsonObject[] | undefined> {
  return (await readJson(storage, inputKey(job))) as JsonObject[] | undefined
}

/**
 * The body with the conversation so far in its input: providers are never told of an earlier response, for theirs
 * belong to the router and not to the account, and the next one may be served elsewhere. `previous_response_id` stays
 * for the answer. Throws Failure.
 */
export async function withEarlier(services: Services, account_id: string, body: JsonObject): Promise<JsonObject> {
  const { previous_response_id: id } = body
  if (typeof id !== 'string') return body
  const job = await findResponse(services, account_id, id).catch((error: unknown) => {
    throw error instanceof Failure ? unknownEarlier(id) : error
  })
  if (!job.decision) {
    throw new Failure(409, 'job_not_finished', 'The earlier response is not finished. Wait for its end.', {
      param: 'previous_response_id',
    })
  }
  const [answer, earlier] = await Promise.all([readKept(services, job), readInput(services, job)])
  if (!Array.isArray(answer?.output) || !earlier) throw unknownEarlier(id)
  return { ...body, input: [...earlier, ...answer.output, ...inputItems(body)] }
}

const unknownEarlier = (id: string) =>
  new Failure(400, 'previous_response_not_found', `Previous response with id '${id.slice(0, 100)}' not found.`, {
    param: 'previous_response_id',
  })
