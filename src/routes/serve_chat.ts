// A chat in whatever format its caller speaks: answered as JSON, as a stream of events, or accepted as a job.
import type { JsonObject } from '../contract.ts'
import { type ChatRun, runChatJson, runChatStream } from '../flow/chat/chat.ts'
import type { Services } from '../flow/services.ts'
import type { Sink } from '../flow/sink.ts'
import { submitChat } from '../flow/worker/submit.ts'
import { clientSignal } from '../http/abort.ts'
import type { Context } from '../http/context.ts'
import { EventSink } from '../http/sse.ts'
import type { ChatFront } from '../protocols/front.ts'
import { accepted, nameJob, prefersAsync, sendJson, tellCost } from './answer.ts'
import type { Extensions } from './extensions.ts'

export interface AskedChat {
  front: ChatFront
  /** As the caller named it. */
  model: string
  /** Checked, our own extensions taken out. */
  body: JsonObject
  /** Of the caller's headers those that belong to the format. */
  headers?: Record<string, string>
  extensions: Extensions
  /** 'chat.completions', 'messages', … */
  endpoint: string
  /** What the job says of the request beside it. */
  echo?: JsonObject
  /** Keeps every answer, whoever reads it. */
  keep?: ChatRun['keep']
  begun?: ChatRun['begun']
  /** Where a stream goes, if not to events as they are. */
  sink?: (context: Context) => Sink
}

export async function serveChat(services: Services, context: Context, asked: AskedChat): Promise<void> {
  const { caller, request } = context.state
  const { extensions, endpoint, echo, keep, begun, sink = (where) => new EventSink(where), ...chat } = asked
  const plan = { ...extensions, endpoint, request_id: request.id, ...(echo && { echo }) }
  if (prefersAsync(context)) {
    // The whole answer is kept for later; there is nobody to stream it to.
    const { stream: _, stream_options: __, ...whole } = chat.body
    return accepted(context, await submitChat(services, caller, { ...chat, body: whole }, plan))
  }
  const opened = (job: Parameters<typeof nameJob>[1]) => nameJob(context, job)
  const run = { ...plan, ...chat, opened, gone: clientSignal(context), ...(keep && { keep }), ...(begun && { begun }) }
  if (chat.front.facts(chat.body).stream) {
    const { work, deliver } = await runChatStream(services, caller, run)
    const cost = await deliver(sink(context))
    if (cost !== undefined) tellCost(context, work.job, cost)
    return
  }
  const { work, cost, body: answer } = await runChatJson(services, caller, run)
  tellCost(context, work.job, cost)
  sendJson(context, answer)
}
