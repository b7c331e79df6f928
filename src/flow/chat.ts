// Chat, from the caller's body to the settled answer: admitted, held, tried, delivered, charged. JSON answers are whole
// before they are charged; streams are charged before their last byte.
import type { JsonObject, Meter, Meters, Usage } from '../contract.ts'
import { type NanoUsd, shortUsd } from '../ledger/money.ts'
import { dearestMeter } from '../pricing/cost.ts'
import type { Quote } from '../pricing/schema.ts'
import { encodeAnswer } from '../protocols/openai-chat/answer.ts'
import { inputUpperBound } from '../protocols/openai-chat/estimate.ts'
import type { JobOutput, JobRecord } from '../store/jobs.ts'
import { type Admitted, type AdmittedOffer, admit, type ServingOffer } from './admit.ts'
import { attemptOffers, reasonOf } from './attempts.ts'
import {
  type ChatAnswer,
  type ChatStream,
  checkTranslation,
  connectionFor,
  openAnswer,
  openStream,
} from './chat_stream.ts'
import { countedUsage } from './counted.ts'
import { deliver } from './deliver.ts'
import { Failure } from './failure.ts'
import { openJob } from './open.ts'
import type { Caller, Services } from './services.ts'
import { release, settle } from './settle.ts'
import type { Sink } from './sink.ts'
import { callerGone, canceled, type Work } from './work.ts'

/** Without a price file's word for it, an answer may be this long when the caller sets no limit. */
const DEFAULT_MAX_TOKENS = 16_384
/** A chat is over after an hour, whatever the provider does. */
export const CHAT_DEADLINE_MS = 3600_000

export interface ChatRun {
  /** A checked body in OpenAI's chat format, our own extensions taken out. */
  body: JsonObject
  endpoint: string
  request_id: string
  max_cost_usd?: string
  /** Aborts when the caller hangs up. */
  gone: AbortSignal
  opened?: (job: JobRecord) => void
}

export interface ChatJson {
  work: Work
  cost: NanoUsd
  /** The answer in OpenAI's format, with `usage.cost`. */
  body: string
}

/** A stream whose first bytes have come: from here on the answer is a 200 and failures are events. */
export interface ChatStreaming {
  work: Work
  /** Answers the cost of a stream that was delivered whole. */
  deliver(sink: Sink): Promise<NanoUsd | undefined>
}

/** Throws Failure and ProviderError; nothing is charged then. */
export async function runChatJson(services: Services, caller: Caller, run: ChatRun): Promise<ChatJson> {
  const work = await open(services, caller, run)
  const forget = abortWhenGone(work, run.gone)
  try {
    return await chatAnswer(services, work, run.body)
  } catch (error) {
    if (!work.decided)
      await release(services, work, reasonOf(work, error), work.abort.signal.aborted ? 'canceled' : 'failed')
    throw reasonOf(work, error)
  } finally {
    forget()
  }
}

/** The whole answer of a job that is open; `keep` stores it where nobody waits for it. */
export async function chatAnswer(
  services: Services,
  work: Work,
  body: JsonObject,
  keep?: (json: string) => Promise<JobOutput[]>,
): Promise<ChatJson> {
  const answer = await attemptOffers(services, work, (admitted, call) =>
    openAnswer(admitted, limited(body, admitted), call),
  )
  const usage = chargeable(answer, work)
  const shown = usage ?? answer.usage ?? countedUsage(work, 0)
  const outputs = keep ? await keep(encodeAnswer(answer.json, shown)) : []
  const cost = await settle(services, work, { usage, outputs })
  if (cost === undefined) throw reasonOf(work, canceled())
  return { work, cost, body: encodeAnswer(answer.json, shown, shortUsd(cost)) }
}

export async function runChatStream(services: Services, caller: Caller, run: ChatRun): Promise<ChatStreaming> {
  const work = await open(services, caller, run)
  const forget = abortWhenGone(work, run.gone)
  let stream: ChatStream
  try {
    stream = await attemptOffers(services, work, (admitted, call) =>
      openStream(admitted, limited(run.body, admitted), call),
    )
  } catch (error) {
    await release(services, work, reasonOf(work, error), work.abort.signal.aborted ? 'canceled' : 'failed')
    throw reasonOf(work, error)
  } finally {
    // From the first byte on, hanging up is detaching: the work is paid for and goes on.
    forget()
  }
  return { work, deliver: (sink) => deliver(services, work, stream, sink) }
}

async function open(services: Services, caller: Caller, run: ChatRun): Promise<Work> {
  const admitted = admitChat(services, caller, run.body, run.max_cost_usd)
  const work = await openJob(services, caller, admitted, {
    operation: 'chat',
    endpoint: run.endpoint,
    mode: 'sync',
    deadline_ms: CHAT_DEADLINE_MS,
    request_id: run.request_id,
    ...(run.opened && { opened: run.opened }),
  })
  start(services, work)
  return work
}

function start(services: Services, work: Work) {
  const started_at = new Date()
  work.job.started_at = started_at
  const { _id: job_id, nonce } = work.job
  services.job_writes
    .markStarted({ job_id, nonce, started_at, isDecided: () => work.decided })
    .catch((error: unknown) =>
      services.log.warn({ job: job_id, error }, 'The start of a job was not written; its decision will be.'),
    )
}

export function admitChat(services: Services, caller: Caller, body: JsonObject, max_cost_usd?: string): Admitted {
  const input = inputUpperBound(body)
  return admit(services, caller, {
    operation: 'chat',
    model: String(body.model),
    ...(max_cost_usd !== undefined && { max_cost_usd }),
    estimate: (offer, quote) => estimate(offer, quote, body, input),
  })
}

/** Which kind of token each one will be is known only afterwards: each counts as the dearest that it may become. */
function estimate(offer: ServingOffer, quote: Quote, body: JsonObject, input: Meters): Usage {
  checkTranslation(offer, body)
  const attributes: Record<string, string> = typeof body.service_tier === 'string' ? { tier: body.service_tier } : {}
  const { context } = offer.limits
  const { input_tokens = 0, ...media } = input
  const bounded = context === undefined ? input_tokens : Math.min(input_tokens, context)
  const choices = typeof body.n === 'number' ? body.n : 1
  const meters: Meters = {
    ...media,
    input_tokens: bounded,
    output_tokens: outputLimit(offer, body) * choices,
    requests: 1,
  }
  const speaks = Array.isArray(body.modalities) && body.modalities.includes('audio')
  move(meters, 'input_tokens', dearestMeter(['input_tokens', 'cache_write_tokens'], { meters, attributes }, quote))
  if (speaks)
    move(meters, 'output_tokens', dearestMeter(['output_tokens', 'output_audio_tokens'], { meters, attributes }, quote))
  return { meters, attributes, source: 'estimated' }
}

function move(meters: Meters, from: Meter, to: Meter): void {
  if (from === to) return
  meters[to] = (meters[to] ?? 0) + (meters[from] ?? 0)
  delete meters[from]
}

/** The caller's limit, or else the model's: a request without a limit would have no upper bound of its cost. */
function outputLimit({ model, limits }: ServingOffer, body: JsonObject): number {
  const param = body.max_completion_tokens === undefined ? 'max_tokens' : 'max_completion_tokens'
  const asked = body[param]
  if (typeof asked === 'number') {
    if (limits.max_output_tokens === undefined || asked <= limits.max_output_tokens) return asked
    const message = `${model} writes at most ${limits.max_output_tokens} tokens; '${param}' asks for ${asked}.`
    throw new Failure(400, 'invalid_value', message, { param })
  }
  const most = limits.default_max_tokens ?? DEFAULT_MAX_TOKENS
  return limits.max_output_tokens === undefined ? most : Math.min(most, limits.max_output_tokens)
}

/** The body as it goes to this offer: the provider's name of the model, and an output limit where the caller gave none. */
function limited(body: JsonObject, { offer }: AdmittedOffer): JsonObject {
  const sent: JsonObject = { ...body, model: offer.upstream }
  if (typeof (body.max_completion_tokens ?? body.max_tokens) === 'number') return sent
  const field = connectionFor(offer).output_limit_field?.(offer.upstream) ?? 'max_tokens'
  return { ...sent, [field]: outputLimit(offer, body) }
}

/** An answer without any output is free; one whose provider told no usage is counted. */
function chargeable(answer: ChatAnswer, work: Work): Usage | undefined {
  if (!answer.has_output) return undefined
  return answer.usage ?? countedUsage(work, answer.output_bytes)
}

function abortWhenGone(work: Work, gone: AbortSignal): () => void {
  const onGone = () => work.abort.abort(callerGone())
  if (gone.aborted) onGone()
  gone.addEventListener('abort', onGone, { once: true })
  return () => gone.removeEventListener('abort', onGone)
}
