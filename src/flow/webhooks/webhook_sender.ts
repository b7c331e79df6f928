// Sends what waits in the outbox: any router, each row one at a time by lease, until the receiver took it or the schedule
// is over. A router that dies in the middle costs a second try, never the delivery.
import { FetchFailed } from '../../media/fetch.ts'
import { UnsafeUrl } from '../../media/guard.ts'
import { guardedPost, type Posted } from '../../media/post.ts'
import { signWebhook } from '../../protocols/standard_webhooks.ts'
import type { JobRecord } from '../../store/jobs.ts'
import type { DeliveryAttempt, WebhookDeliveryRecord, WebhookEndpointRecord } from '../../store/webhooks.ts'
import { jobView } from '../job_view.ts'
import { signedOutputPath } from '../media/signed_outputs.ts'
import type { Services } from '../services.ts'
import { accountSecrets, openSecrets } from './webhook_secrets.ts'
import { faultOf, isAllowedHost } from './webhook_urls.ts'

export type SenderServices = Pick<Services, 'store' | 'secrets' | 'config' | 'log'>

const S = 1000
const M = 60 * S
const H = 60 * M
/** From one try to the next, as Standard Webhooks 1.0.0 proposes: about 75 hours in all. */
export const RETRIES_MS = [5 * S, 5 * M, 30 * M, 2 * H, 5 * H, 10 * H, 14 * H, 20 * H, 24 * H] as const
/** A receiver may ask for more time, but not for ever. */
const RETRY_AFTER_MS_MAX = 24 * H
const TIMEOUT_MS = 15 * S
/** Longer than a try can take. */
const LEASE_MS = 60 * S
const AT_ONCE_MAX = 32
/** So that one slow receiver does not take up all of them. */
const AT_ONCE_FOR_ONE = 4
const LOOK_MS = 500
const ATTEMPTS_KEPT = 12
/** Of a router that stops. */
const PATIENCE_MS = 3000

export class WebhookSender {
  readonly #services: SenderServices
  readonly #now: () => number
  readonly #sending = new Map<string, { target: string; done: Promise<void> }>()
  #looking: Promise<void> | undefined
  #again = false
  #stopped = false
  #timer: NodeJS.Timeout | undefined
  readonly #stopping = new AbortController()

  /** `now` is the clock by which tries are due. */
  constructor(services: SenderServices, now: () => number = Date.now) {
    this.#services = services
    this.#now = now
  }

  start(): this {
    this.#timer = setInterval(() => this.wake(), LOOK_MS)
    return this
  }

  /** Looks for due rows now. */
  wake(): void {
    if (this.#stopped) return
    this.#again = this.#looking !== undefined
    if (this.#again) return
    this.#looking = this.#look()
      .catch((error: unknown) =>
        this.#services.log.error({ error }, 'Webhooks that are due could not be looked for; it is tried again.'),
      )
      .finally(() => {
        this.#looking = undefined
        if (this.#again) this.wake()
      })
  }

  /** Takes nothing new; what has no answer by `patience_ms` is left to another router, or to the next start. */
  async stop(patience_ms = PATIENCE_MS): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    const timer = setTimeout(() => this.#stopping.abort(), patience_ms)
    await this.idle()
    clearTimeout(timer)
  }

  /** Resolves when nothing is looked for and nothing is on its way. */
  async idle(): Promise<void> {
    while (this.#looking || this.#sending.size > 0) {
      await this.#looking
      await Promise.all([...this.#sending.values()].map(({ done }) => done))
    }
  }

  /** Again and again, without the targets that are busy by then, until there is nothing more to begin. */
  async #look(): Promise<void> {
    while ((await this.#beginDue()) > 0) if (this.#stopped) return
  }

  /** How many were begun. */
  async #beginDue(): Promise<number> {
    const free = AT_ONCE_MAX - this.#sending.size
    if (free <= 0) return 0
    const busy = [...this.#perTarget()].flatMap(([target, count]) => (count >= AT_ONCE_FOR_ONE ? [target] : []))
    const due = await this.#services.store.webhook_deliveries
      .find({ next_at: { $lte: new Date(this.#now()) }, ...(busy.length > 0 && { target: { $nin: busy } }) })
      .sort({ next_at: 1 })
      .limit(free)
      .toArray()
    let begun = 0
    for (const row of due) {
      if (this.#sending.has(row._id) || (this.#perTarget().get(row.target) ?? 0) >= AT_ONCE_FOR_ONE) continue
      const claimed = await this.#claim(row)
      if (!claimed) continue
      this.#begin(claimed)
      begun++
    }
    return begun
  }

  #perTarget(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { target } of this.#sending.values()) counts.set(target, (counts.get(target) ?? 0) + 1)
    return counts
  }

  #claim({ _id, fence }: WebhookDeliveryRecord): Promise<WebhookDeliveryRecord | null> {
    return this.#services.store.webhook_deliveries.findOneAndUpdate(
      { _id, fence, next_at: { $exists: true } },
      { $set: { next_at: new Date(this.#now() + LEASE_MS) }, $inc: { fence: 1 } },
      { returnDocument: 'after' },
    )
  }

  #begin(row: WebhookDeliveryRecord): void {
    const done = deliver(this.#services, row, this.#now, this.#stopping.signal)
      .catch((error: unknown) =>
        this.#services.log.error({ webhook: row._id, error }, 'A webhook was not sent; it is tried again in a minute.'),
      )
      .finally(() => {
        this.#sending.delete(row._id)
        this.wake()
      })
    this.#sending.set(row._id, { target: row.target, done })
  }
}

/** One try, and what is written of it. Throws what is the router's own trouble: then the lease runs out. */
async function deliver(
  services: SenderServices,
  row: WebhookDeliveryRecord,
  now: () => number,
  stopping: AbortSignal,
): Promise<void> {
  const place = await placeOf(services, row)
  const job = await services.store.jobs.findOne({ _id: row.job_id })
  if ('refusal' in place || !job) {
    const error = 'refusal' in place ? place.refusal : 'The job is no longer kept.'
    return write(services, row, { at: new Date(now()), ms: 0, status: null, error }, { final: true, url: row.url })
  }
  const at = new Date(now())
  const started_ms = performance.now()
  const outcome = await post(services, row, job, place, stopping)
  if (outcome === 'stopped') return handBack(services, row, new Date(now()))
  const { status = null, error = null, retry_after_ms = 0 } = outcome
  const attempt = { at, ms: Math.round(performance.now() - started_ms), status, error }
  const { url } = place
  if (status !== null && status >= 200 && status < 300) return write(services, row, attempt, { delivered: true, url })
  if (status === 410) await disable(services, row)
  const wait_ms = RETRIES_MS[row.tries]
  if (status === 410 || wait_ms === undefined) return write(services, row, attempt, { final: true, url })
  // Not all at once after an outage, and never before the receiver wants it.
  const jittered = wait_ms * (1 + Math.random() * 0.1)
  const pause_ms = Math.max(jittered, Math.min(retry_after_ms, RETRY_AFTER_MS_MAX))
  return write(services, row, attempt, { next_at: new Date(now() + pause_ms), url })
}

interface Place {
  url: string
  /** That sign. */
  secrets: string[]
}

/** Where it goes now: an endpoint may have moved, or be gone, since the job ended. */
async function placeOf(services: SenderServices, row: WebhookDeliveryRecord): Promise<Place | { refusal: string }> {
  const { store } = services
  if (row.endpoint_id === null) {
    const stored = await accountSecrets(services, row.account_id)
    return { url: row.url, secrets: openSecrets(services, row.account_id, stored) }
  }
  const endpoint: WebhookEndpointRecord | null = await store.webhook_endpoints.findOne({ _id: row.endpoint_id })
  if (!endpoint) return { refusal: 'The webhook was removed.' }
  if (endpoint.disabled) return { refusal: 'The webhook is disabled.' }
  return { url: endpoint.url, secrets: openSecrets(services, endpoint._id, endpoint.secrets) }
}

type Outcome = Partial<Posted> & { error?: string }

async function post(
  services: SenderServices,
  { _id, event }: WebhookDeliveryRecord,
  job: JobRecord,
  { url, secrets }: Place,
  signal: AbortSignal,
): Promise<Outcome | 'stopped'> {
  const target = URL.parse(url)
  const fault = target ? faultOf(services, target) : 'cannot be read'
  if (fault || !target) return { error: `The address ${fault}.` }
  const body = payloadOf(services, event, job)
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'Switchyard-Webhooks/1',
    ...signWebhook(secrets, { id: _id, timestamp: Math.floor(Date.now() / 1000), body }),
  }
  try {
    const trusted = isAllowedHost(services, target)
    const posted = await guardedPost(url, { headers, body, timeout_ms: TIMEOUT_MS, trusted, signal })
    const answered = posted.status >= 200 && posted.status < 300
    return answered ? posted : { ...posted, error: `The receiver answered with status ${posted.status}.` }
  } catch (error) {
    if (signal.aborted) return 'stopped'
    if (error instanceof UnsafeUrl || error instanceof FetchFailed) return { error: error.message }
    throw error
  }
}

/** The job as it is now, with fresh addresses of its files: whole ones, where the router knows its own. */
function payloadOf(services: SenderServices, type: string, job: JobRecord): string {
  const origin = services.config.public_url ?? ''
  const data = jobView(job, (index) => origin + signedOutputPath(services, job, index))
  return JSON.stringify({ type, timestamp: (job.decision?.at ?? job.created_at).toISOString(), data })
}

/** The receiver says that it wants no more, ever. */
async function disable({ store }: SenderServices, { endpoint_id, account_id }: WebhookDeliveryRecord): Promise<void> {
  if (endpoint_id === null) return
  const gone = { disabled: true, disabled_reason: 'gone' as const }
  await store.webhook_endpoints.updateOne({ _id: endpoint_id, account_id }, { $set: gone })
}

interface Result {
  url: string
  delivered?: boolean
  /** Not delivered, and not tried again. */
  final?: boolean
  next_at?: Date
}

/** Whether it arrived is not known: it goes out once more, and this try does not count. */
async function handBack(
  { store }: SenderServices,
  { _id, fence }: WebhookDeliveryRecord,
  next_at: Date,
): Promise<void> {
  await store.webhook_deliveries.updateOne({ _id, fence }, { $set: { next_at } })
}

/** Only under the lease: what another router has claimed since is its own. */
async function write(
  { store }: SenderServices,
  { _id, fence }: WebhookDeliveryRecord,
  attempt: DeliveryAttempt,
  { url, delivered, final, next_at }: Result,
): Promise<void> {
  const status = delivered ? 'delivered' : final ? 'failed' : 'pending'
  await store.webhook_deliveries.updateOne({ _id, fence }, {
    $set: { url, status, ...(delivered && { delivered_at: attempt.at }), ...(next_at && { next_at }) },
    ...(next_at ? {} : { $unset: { next_at: '' } }),
    $inc: { tries: 1 },
    $push: { attempts: { $each: [attempt], $slice: -ATTEMPTS_KEPT } },
  } as never)
}
