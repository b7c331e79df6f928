// What is done with a response's input without an answer to it: its tokens are counted, or the conversation is made short.
import type { JsonObject } from '../contract.ts'
import { runChatJson } from '../flow/chat/chat.ts'
import { countInputTokens } from '../flow/chat/count_tokens.ts'
import { withEarlier } from '../flow/chat/response_store.ts'
import type { Services } from '../flow/services.ts'
import { clientSignal } from '../http/abort.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter, Context } from '../http/context.ts'
import { compactionFront, summaryRequest } from '../protocols/openai-responses/compaction.ts'
import { countInput } from '../protocols/openai-responses/estimate.ts'
import { openaiResponsesFront } from '../protocols/openai-responses/front.ts'
import { readResponsesRequest } from '../protocols/openai-responses/request.ts'
import { nameJob, sendJson, tellCost } from './answer.ts'
import { type Extensions, takeExtensions } from './extensions.ts'

export function responseInputRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/responses/input_tokens', (context) => countTokens(services, context))
  router.post('/v1/responses/compact', (context) => compact(services, context))
}

/** With the items of the earlier response, where one is named. */
async function readBody(services: Services, context: Context): Promise<{ body: JsonObject; extensions: Extensions }> {
  const { value } = await readJson(context.req, services.config.body_bytes_max)
  const { body, extensions } = takeExtensions(value)
  const read = readResponsesRequest(body)
  return { body: await withEarlier(services, context.state.caller.account_id, read), extensions }
}

async function countTokens(services: Services, context: Context): Promise<void> {
  const { body } = await readBody(services, context)
  const { caller, request } = context.state
  const { tokens, source } = await countInputTokens(services, caller, {
    front: openaiResponsesFront,
    model: String(body.model),
    body,
    id: request.id,
    gone: clientSignal(context),
    countHere: countInput,
  })
  context.set('x-token-count', source)
  context.body = { object: 'response.input_tokens', input_tokens: tokens }
}

/** A chat like any other, whose answer is the summary: held, charged and shown as a job. */
async function compact(services: Services, context: Context): Promise<void> {
  const { body, extensions } = await readBody(services, context)
  const { caller, request } = context.state
  const asked = summaryRequest(body)
  const {
    work,
    cost,
    body: answer,
  } = await runChatJson(services, caller, {
    ...extensions,
    front: compactionFront(body, request.id.slice(request.id.indexOf('_') + 1)),
    model: String(body.model),
    body: asked,
    endpoint: 'responses.compact',
    request_id: request.id,
    gone: clientSignal(context),
    opened: (job) => nameJob(context, job),
  })
  tellCost(context, work.job, cost)
  sendJson(context, answer)
}
