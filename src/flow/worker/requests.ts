// Requests of asynchronous jobs, kept for the worker: JSON on the job up to a megabyte, larger ones and uploads in
// storage. They are erased when the job ends.
import type { Json, JsonObject } from '../../contract.ts'
import type { JobRecord } from '../../store/jobs.ts'
import type { Services } from '../services.ts'

const INLINE_BYTES_MAX = 2 ** 20
const STORED_BYTES_MAX = 256 * 2 ** 20

/** The part of a job record that holds its request. Bytes within it travel as base64. */
export async function keepRequest(
  services: Services,
  account_id: string,
  job_id: string,
  request: object,
): Promise<{ request?: Json; request_key?: string }> {
  const text = JSON.stringify(request, encodeBytes)
  if (text.length <= INLINE_BYTES_MAX) return { request: JSON.parse(text) as Json }
  const key = `${account_id}/${job_id}/request.json`
  await services.storage.put(key, Buffer.from(text), { media_type: 'application/json', max_bytes: STORED_BYTES_MAX })
  return { request_key: key }
}

/** A Buffer has turned itself into a list of numbers before a replacer sees it; its holder still has the bytes. */
function encodeBytes(this: Record<string, unknown>, name: string, value: unknown): unknown {
  const held = this[name]
  return held instanceof Uint8Array ? { $bytes: Buffer.from(held).toString('base64') } : value
}

export async function readRequest(services: Services, job: JobRecord): Promise<JsonObject> {
  return revive(job.request ?? (await readKeptRequest(services, job))) as JsonObject
}

/** A claimed job comes without its request, which most of its steps do not need. */
async function readKeptRequest(services: Services, job: JobRecord): Promise<Json> {
  if (job.request_key !== null) return readStoredRequest(services, job)
  const kept = await services.store.jobs.findOne({ _id: job._id }, { projection: { request: 1 } })
  if (!kept?.request) throw new Error(`The request of job ${job._id} is not there any more.`)
  return kept.request
}

async function readStoredRequest(services: Services, { _id, request_key }: JobRecord): Promise<Json> {
  const file = request_key ? await services.storage.open(request_key) : undefined
  if (!file) throw new Error(`The request of job ${_id} is not in storage.`)
  const chunks: Buffer[] = []
  for await (const chunk of file.body) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString()) as Json
}

function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive)
  if (typeof value !== 'object' || value === null) return value
  if ('$bytes' in value && typeof value.$bytes === 'string') return Buffer.from(value.$bytes, 'base64')
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, revive(each)]))
}
