// Chat, from the caller's body to the settled answer: admitted, held, tried, delivered, charged. JSON answers are whole
// before they are charged; streams are charged before their last byte.
import type { JsonObject, Meter, Meters, Usage } from '../../contract.ts'
import { type NanoUsd, shortUsd } from '../../ledger/money.ts'
import { dearestMeter } from '../../pricing/cost.ts'
import type { Quote } from '../../pricing/schema.ts'
import type { JobOutput, JobRecord } from '../../store/jobs.ts'
import { type Admitted, type AdmittedOffer, admit, type ServingOffer } from '../admit.ts'
import { attemptOffers, reasonOf } from '../attempts.ts'
import { Failure } from '../failure.ts'
import { keepIfLost } from '../media/keep_late.ts'
import { type KeepAnswer, storeJson } from '../media/outputs.ts'
import { openJob } from '../open.ts'
import type { Caller, Services } from '../services.ts'
import { release, settle } from '../settle.ts'
import type { Sink } from '../sink.ts'
import { callerGone, canceled, type Work } from '../work.ts'
import {
  type Chat,
  type ChatStream,
  checkTranslation,
  type OfferedChat,
  openAnswer,
  openStream,
} from './chat_stream.ts'
import { chargeable, countedUsage } from './counted.ts'
import { deliver } from './deliver.ts'
import { EventLog } from './event_log.ts'

/** Without a price file's word for it, an answer may be this long when the caller sets no limit. */
const DEFAULT_MAX_TOKENS = 16_384
/** A chat is over after an hour, whatever the provider does. */
export const CHAT_DEADLINE_MS = 3600_000

export interface ChatRun extends Chat {
  /** As the caller named it. */
  model: string
  endpoint: string
  request_id: string
  max_cost_usd?: string
  /** Aborts when the caller hangs up. */
  gone: AbortSignal
  opened?: (job: JobRecord) => void
  /** Keeps every answer: callers of its format may ask for it again. Without it only those of callers who left are kept. */
  keep?: KeepAnswer
  /** Told the first bytes of a stream, which name the answer. */
  begun?: (job: JobRecord, first: Uint8Array) => void
  echo?: JsonObject
  webhook_url?: string
}

export interface ChatJson {
  work: Work
  cost: NanoUsd
  /** The answer in the caller's format, with its cost. */
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
    const { keep } = run
    const answer = await chatAnswer(services, work, run, keep && ((json) => keep(work.job, json)))
    if (!keep) keepIfLost(services, work.job, run.gone, async () => [await storeJson(services, work.job, answer.body)])
    return answer
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
  chat: Chat,
  keep?: (json: string) => Promise<JobOutput[]>,
): Promise<ChatJson> {
  const { answer, end } = await attemptOffers(services, work, (admitted, call) =>
    openAnswer(admitted, offered(chat, admitted), call),
  )
  const usage = chargeable(end, work)
  const shown = usage ?? end.usage ?? countedUsage(work, 0)
  const outputs = keep ? await keep(chat.front.encodeAnswer(answer, shown)) : []
  const cost = await settle(services, work, { usage, outputs })
  if (cost === undefined) throw reasonOf(work, canceled())
  return { work, cost, body: chat.front.encodeAnswer(answer, shown, shortUsd(cost)) }
}

export async function runChatStream(services: Services, caller: Caller, run: ChatRun): Promise<ChatStreaming> {
  const work = await open(services, caller, run)
  if (run.keep) work.events = new EventLog()
  const forget = abortWhenGone(work, run.gone)
  let stream: ChatStream
  try {
    stream = await attemptOffers(services, work, (admitted, call) => openStream(admitted, offered(run, admitted), call))
  } catch (error) {
    work.events?.end()
    await release(services, work, reasonOf(work, error), work.abort.signal.aborted ? 'canceled' : 'failed')
    throw reasonOf(work, error)
  } finally {
    // From the first byte on, hanging up is detaching: the work is paid for and goes on.
    forget()
  }
  return { work, deliver: (sink) => deliver(services, work, run, stream, sink) }
}

async function open(services: Services, caller: Caller, run: ChatRun): Promise<Work> {
  const admitted = admitChat(services, caller, run)
  const work = await openJob(services, caller, admitted, {
    operation: 'chat',
    endpoint: run.endpoint,
    mode: 'sync',
    deadline_ms: CHAT_DEADLINE_MS,
    request_id: run.request_id,
    ...(run.opened && { opened: run.opened }),
    ...(run.echo && { echo: run.echo }),
    ...(run.webhook_url !== undefined && { webhook_url: run.webhook_url }),
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

export function admitChat(
  services: Services,
  caller: Caller,
  { front, body, model, max_cost_usd }: Pick<ChatRun, 'front' | 'body' | 'model' | 'max_cost_usd'>,
): Admitted {
  const chat = { front, body }
  return admit(services, caller, {
    operation: 'chat',
    model,
    ...(max_cost_usd !== undefined && { max_cost_usd }),
    estimate: (offer, quote) => estimate(offer, quote, chat),
  })
}

/** Which kind of token each one will be is known only afterwards: each counts as the dearest that it may become. */
function estimate(offer: ServingOffer, quote: Quote, chat: Chat): Usage {
  const { front, body } = chat
  const passes = checkTranslation(offer, chat)
  const input = front.inputUpperBound(passes ? body : (front.translatable?.(body) ?? body))
  const { attributes, choices, speaks, keeps_an_hour } = front.facts(body)
  const { context } = offer.limits
  const { input_tokens = 0, ...media } = input
  const bounded = context === undefined ? input_tokens : Math.min(input_tokens, context)
  const meters: Meters = {
    ...media,
    input_tokens: bounded,
    output_tokens: outputLimit(offer, chat) * choices,
    requests: 1,
  }
  const writes: Meter[] = keeps_an_hour ? ['cache_write_tokens', 'cache_write_1h_tokens'] : ['cache_write_tokens']
  move(meters, 'input_tokens', dearestMeter(['input_tokens', ...writes], { meters, attributes }, quote))
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
function outputLimit({ model, limits }: ServingOffer, { front, body }: Chat): number {
  const { output_limit } = front.facts(body)
  const most = limits.max_output_tokens
  if (output_limit) {
    const { tokens, param, demanded } = output_limit
    if (most === undefined || tokens <= most) return tokens
    if (demanded) return most
    throw new Failure(400, 'invalid_value', `${model} writes at most ${most} tokens; '${param}' asks for ${tokens}.`, {
      param,
    })
  }
  return Math.min(limits.default_max_tokens ?? DEFAULT_MAX_TOKENS, most ?? Infinity)
}

/** A chat as this offer is told it. */
export const offered = (chat: Chat, { offer }: AdmittedOffer): OfferedChat => ({
  front: chat.front,
  body: chat.body,
  ...(chat.headers && { headers: chat.headers }),
  output_limit: outputLimit(offer, chat),
})

function abortWhenGone(work: Work, gone: AbortSignal): () => void {
  const onGone = () => work.abort.abort(callerGone())
  if (gone.aborted) onGone()
  gone.addEventListener('abort', onGone, { once: true })
  return () => gone.removeEventListener('abort', onGone)
}
