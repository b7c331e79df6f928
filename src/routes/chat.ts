// POST /v1/chat/completions: OpenAI's chat, as JSON, as a stream of events, or as a job.
import { runChatJson, runChatStream } from '../flow/chat.ts'
import type { Services } from '../flow/services.ts'
import { submitChat } from '../flow/submit.ts'
import { clientSignal } from '../http/abort.ts'
import { readJson } from '../http/bodies.ts'
import type { ApiRouter, Context } from '../http/context.ts'
import { EventSink } from '../http/sse.ts'
import { openaiChatFront } from '../protocols/openai-chat/front.ts'
import { readChatRequest } from '../protocols/openai-chat/request.ts'
import { accepted, nameJob, prefersAsync, sendJson, tellCost } from './answer.ts'
import { takeExtensions } from './extensions.ts'

export function chatRoutes(router: ApiRouter, services: Services): void {
  router.post('/v1/chat/completions', (context) => chat(services, context))
}

async function chat(services: Services, context: Context): Promise<void> {
  const { value } = await readJson(context.req, services.config.body_bytes_max)
  const { body: extended, extensions } = takeExtensions(value)
  const body = readChatRequest(extended)
  const { caller, request } = context.state
  const asked = { front: openaiChatFront, model: String(body.model) }
  const plan = { ...extensions, endpoint: 'chat.completions', request_id: request.id }
  if (prefersAsync(context)) {
    // The whole answer is kept for later; there is nobody to stream it to.
    const { stream: _, stream_options: __, ...whole } = body
    return accepted(context, await submitChat(services, caller, { ...asked, body: whole }, plan))
  }
  const run = {
    ...plan,
    ...asked,
    body,
    gone: clientSignal(context),
    opened: (job: Parameters<typeof nameJob>[1]) => nameJob(context, job),
  }
  if (body.stream === true) {
    const { work, deliver } = await runChatStream(services, caller, run)
    const cost = await deliver(new EventSink(context))
    if (cost !== undefined) tellCost(context, work.job, cost)
    return
  }
  const { work, cost, body: answer } = await runChatJson(services, caller, run)
  tellCost(context, work.job, cost)
  sendJson(context, answer)
}
