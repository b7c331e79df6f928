// /v1/responses: OpenAI's Responses API for every chat model: answered, streamed, kept, worked on in the background.
import { z } from 'zod'
import type { JsonObject } from '../contract.ts'
import {
  ENDPOINT,
  findResponse,
  keepInput,
  keepResponse,
  noteBeginning,
  ownId,
  readInput,
  responseEcho,
  withEarlier,
} from '../flow/chat/response_store.ts'
import { responseEvents, responseView } from '../flow/chat/response_view.ts'
import { Failure } from '../flow/failure.ts'
import { cancelJob, deleteJob } from '../flow/jobs.ts'
import type { Services } from '../flow/services.ts'
import { submitChat } from '../flow/worker/submit.ts'
import { clientSignal } from '../http/abort.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter, Context, RouteContext } from '../http/context.ts'
import { streamBody } from '../http/sse.ts'
import { openaiResponsesFront } from '../protocols/openai-responses/front.ts'
import { readResponsesRequest } from '../protocols/openai-responses/request.ts'
import { accepted, nameJob, prefersAsync, sendJson } from './answer.ts'
import { type Extensions, takeExtensions } from './extensions.ts'
import { listOf, pageQuery, readQuery } from './list.ts'
import { responseInputRoutes } from './response_input.ts'
import { serveChat } from './serve_chat.ts'

export function responseRoutes(router: ApiRouter, services: Services): void {
  responseInputRoutes(router, services)
  router.post('/v1/responses', (context) => create(services, context))
  router.get('/v1/responses/:id', async (context) => {
    const { stream, starting_after } = readQuery(context, retrieval)
    const job = await ownResponse(services, context)
    if (stream) return sendEvents(services, context, job, starting_after)
    await show(services, context, job)
  })
  router.delete('/v1/responses/:id', async (context) => {
    const { _id, account_id } = await ownResponse(services, context)
    await deleteJob(services, account_id, _id)
    context.body = { id: String(context.params.id), object: 'response.deleted', deleted: true }
  })
  router.post('/v1/responses/:id/cancel', async (context) => {
    const job = await ownResponse(services, context)
    if (job.echo.background !== true) {
      throw new Failure(400, 'invalid_request', 'Only a response with background: true can be cancelled.', {
        param: 'response_id',
      })
    }
    await show(services, context, await cancelJob(services, job.account_id, job._id))
  })
  router.get('/v1/responses/:id/input_items', (context) => listInput(services, context))
}

type JobRecord = Awaited<ReturnType<typeof findResponse>>

const flag = z.enum(['true', 'false']).transform((value) => value === 'true')
const include = z.union([z.string(), z.array(z.string())]).exactOptional()
/** `include` asks for more of what is kept whole; SDKs send it as `include[]`. */
const included = { include, 'include[]': include }
const retrieval = z.strictObject({
  ...included,
  stream: flag.default(false),
  include_obfuscation: flag.exactOptional(),
  starting_after: z
    .string()
    .regex(/^\d{1,9}$/, 'must be the number of an event')
    .transform(Number)
    .default(-1),
})

const ownResponse = (services: Services, context: RouteContext): Promise<JobRecord> =>
  findResponse(services, context.state.caller.account_id, String(context.params.id))

async function show(services: Services, context: Context, job: JobRecord): Promise<void> {
  sendJson(context, JSON.stringify(await responseView(services, job)))
}

async function create(services: Services, context: Context): Promise<void> {
  const { value } = await readJson(context.req, services.config.body_bytes_max)
  const { body: extended, extensions } = takeExtensions(value)
  const read = readResponsesRequest(extended)
  const body = await withEarlier(services, context.state.caller.account_id, read)
  if (body.background === true) return runInBackground(services, context, body, extensions)
  if (prefersAsync(context)) return accepted(context, await submit(services, context, body, extensions))
  await serveChat(services, context, {
    front: openaiResponsesFront,
    model: String(body.model),
    endpoint: ENDPOINT,
    body,
    extensions,
    echo: responseEcho(body),
    ...(body.store !== false && {
      keep: (job, json) => keepResponse(services, job, body, json),
      begun: (job, first) => noteBeginning(services, job, first),
    }),
  })
}

/** Queued for the worker: answered at once, or as a stream that waits. */
async function runInBackground(
  services: Services,
  context: Context,
  body: JsonObject,
  extensions: Extensions,
): Promise<void> {
  if (body.store === false) {
    throw new Failure(400, 'invalid_value', "A response with background: true is stored: leave out 'store'.", {
      param: 'store',
    })
  }
  const job = await submit(services, context, body, extensions)
  if (body.stream === true) return sendEvents(services, context, job, -1)
  await show(services, context, job)
}

/** The whole answer is kept for later; whoever wants it as a stream reads it from there. */
async function submit(
  services: Services,
  context: Context,
  body: JsonObject,
  extensions: Extensions,
): Promise<JobRecord> {
  const { caller, request } = context.state
  const { stream: _, stream_options: __, ...whole } = body
  const chat = { front: openaiResponsesFront, model: String(body.model), body: whole }
  const plan = { ...extensions, endpoint: ENDPOINT, request_id: request.id, echo: responseEcho(whole) }
  const job = await submitChat(services, caller, chat, plan)
  nameJob(context, job)
  if (body.store !== false) await keepInput(services, job, body)
  return job
}

function sendEvents(services: Services, context: Context, job: JobRecord, after: number): Promise<void> {
  return streamBody(context, responseEvents(services, job, after, clientSignal(context)))
}

async function listInput(services: Services, context: RouteContext): Promise<void> {
  const { limit, order, after } = readQuery(context, z.strictObject({ ...pageQuery, ...included }))
  const job = await ownResponse(services, context)
  const given = (await readInput(services, job)) ?? []
  const items = given.map((item, index) => ({ id: `msg_${ownId(job).slice('resp_'.length)}i${index}`, ...item }))
  if (order === 'desc') items.reverse()
  const from = after === undefined ? 0 : items.findIndex(({ id }) => id === after) + 1
  context.body = listOf(items.slice(from, from + limit), items.length > from + limit)
}
