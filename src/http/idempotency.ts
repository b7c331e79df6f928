// The Idempotency-Key of a POST: the same request under the same key is done once, and answered alike each time. Calls
// without the header pass through untouched.
import { createHash } from 'node:crypto'
import { Failure } from '../flow/failure.ts'
import type { Idempotency, Replay } from '../flow/idempotency.ts'
import { peekBody } from './body_bytes.ts'
import type { Context, Middleware } from './context.ts'
import { type Heard, heardAnswer } from './heard_answer.ts'

const KEY = /^[\x20-\x7e]{1,255}$/
const SLICE_BYTES = 2 ** 20
/** Answers that show a secret once. */
const SECRETS = /^\/v1\/webhooks(\/|$)/i
/** What belongs to one sending of an answer: it is made anew for each. */
const OF_THE_SENDING = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'request-id',
  'transfer-encoding',
  'x-request-id',
])

/** After requireCaller, before every route that does work. */
export function idempotent(idempotency: Idempotency, body_bytes_max: number): Middleware {
  return async (context, next) => {
    const { 'idempotency-key': key } = context.req.headers
    if (key === undefined || context.method !== 'POST') return next()
    if (typeof key !== 'string' || !KEY.test(key)) throw invalidKey()
    const body = await peekBody(context.req, { max_bytes: body_bytes_max })
    const { caller } = context.state
    const begun = await idempotency.begin(caller.account_id, key, requestHash(context, body))
    if (!('attempt' in begun)) return answer(context, begun)
    // Cached for other requests of this key: never changed in place.
    context.state.caller = { ...caller, idempotency: begun }
    const secret = SECRETS.test(context.path)
    listen(context, (heard) => idempotency.conclude(begun, caller, outcomeOf(heard, secret)))
    await next()
  }
}

function listen(context: Context, listener: (heard: Heard) => Promise<void>): void {
  const stand_in = heardAnswer(context.res, listener)
  context.res = stand_in
  context.request.res = stand_in
  context.response.res = stand_in
}

function outcomeOf(
  { status, headers, body, streamed }: Heard,
  secret: boolean,
): Parameters<Idempotency['conclude']>[2] {
  const kept = Object.entries(headers).filter(([name]) => !OF_THE_SENDING.has(name))
  return {
    answer: body && { status, headers: Object.fromEntries(kept), body, secret },
    streamed,
    job_id: headers['x-job-id'] ?? null,
  }
}

function answer(context: Context, { status, headers, body }: Replay): void {
  context.status = status
  context.set({ ...headers, 'idempotent-replayed': 'true' })
  const { request } = context.state
  const { 'x-job-id': job_id, 'x-cost-usd': cost_usd } = headers
  if (job_id !== undefined) request.job_id = job_id
  if (cost_usd !== undefined) request.cost_usd = cost_usd
  // An answer without a body stays without one.
  if (body instanceof Uint8Array && body.length === 0) context.body = null
  else context.body = body
  context.status = status
}

/** Everything that the answer follows from: where it was sent, how it is to be answered, and the body. */
function requestHash(context: Context, body: Buffer): string {
  const { method, path } = context
  const query = new URLSearchParams(context.querystring)
  // A key of the site may be changed meanwhile; the account is what counts.
  query.delete('key')
  query.sort()
  const [, boundary] = /^\s*multipart\/.*;\s*boundary="?([^";\s]+)/i.exec(context.get('content-type')) ?? []
  const hash = createHash('sha256').update(JSON.stringify([method, path, query.toString(), context.get('prefer')]))
  if (boundary === undefined) update(hash, body)
  else for (const part of partsOf(body, boundary)) update(hash.update('\n--\n'), part)
  return hash.digest('hex')
}

/** Of a form: clients draw a new boundary for every try. */
function* partsOf(body: Buffer, boundary: string): Generator<Buffer> {
  const mark = Buffer.from(`--${boundary}`)
  let from = 0
  for (let at = body.indexOf(mark); at !== -1; at = body.indexOf(mark, from)) {
    yield body.subarray(from, at)
    from = at + mark.length
  }
  yield body.subarray(from)
}

function update(hash: ReturnType<typeof createHash>, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) hash.update(bytes.subarray(at, at + SLICE_BYTES))
}

const invalidKey = () =>
  new Failure(400, 'invalid_value', 'Idempotency-Key must be 1 to 255 printable ASCII characters.', {
    param: 'Idempotency-Key',
  })
