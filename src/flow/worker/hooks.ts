// Webhooks of providers: a hint that work has moved on. It is checked twice (that we gave the address out, and by the
// provider's own scheme) and then only makes the worker look at once; what the job came to is read from the provider.
import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { Call, Connection, Operation } from '../../contract.ts'
import type { JobRecord } from '../../store/jobs.ts'
import { Failure } from '../failure.ts'
import { generatorOf, isGeneratorOperation } from '../media/generators.ts'
import type { Services } from '../services.ts'

export interface Hook {
  provider: string
  job_id: string
  mac: string
}

export interface HookDelivery {
  /** Names in lower case. */
  headers: Record<string, string>
  body: Uint8Array
}

const CHECK_TIMEOUT_MS = 10_000
/** A router that has the job in hand gives it back within moments, as a rule; a hint that comes too early is no loss. */
const HINT_TRIES = 20
const HINT_PAUSE_MS = 100
const SEEN_MAX = 10_000

/** What `call.webhook_url` is, where the site has a public address and the generator listens. */
export function hookAddress(
  { config, secrets }: Pick<Services, 'config' | 'secrets'>,
  job: Pick<JobRecord, '_id' | 'operation'>,
  { provider, connection }: { provider: string; connection: Connection },
): string | undefined {
  if (config.public_url === undefined || !listens(connection, job.operation)) return undefined
  return `${config.public_url}/hooks/${provider}/${job._id}/${secrets.sign('hook', [provider, job._id])}`
}

const listens = (connection: Connection, operation: Operation) =>
  isGeneratorOperation(operation) && connection[operation]?.webhook !== undefined

/** Before anything else, and without asking the store: throws Failure 401 for an address that we never gave out. */
export function checkHook({ secrets }: Pick<Services, 'secrets'>, { provider, job_id, mac }: Hook): void {
  if (!secrets.verify('hook', [provider, job_id], mac)) throw notGenuine()
}

const notGenuine = () => new Failure(401, 'invalid_signature', 'This delivery is not genuine. Nothing was done.')

/** One a router: what was seen before is not acted on again. */
export class HookDesk {
  readonly #services: Services
  readonly #seen = new LRUCache<string, true>({ max: SEEN_MAX })

  constructor(services: Services) {
    this.#services = services
  }

  /** After checkHook. Throws Failure 401 for what the provider did not send; what comes too late is taken and ignored. */
  async take({ provider, job_id }: Hook, delivery: HookDelivery): Promise<void> {
    const { store } = this.#services
    const job = await store.jobs.findOne({ _id: job_id, deleted_at: null })
    if (!job || job.decision) return
    const served = job.offers.find((offer) => offer.provider === provider)
    const connection = this.#services.registry().connection(provider)
    if (!served || !connection || !isGeneratorOperation(job.operation) || !listens(connection, job.operation)) return
    const listed = this.#services
      .registry()
      .offers.get(job.model)
      ?.find((offer) => offer.provider === provider)
    const call: Call = {
      job: job_id,
      upstream: served.upstream,
      options: listed?.options ?? {},
      signal: AbortSignal.timeout(CHECK_TIMEOUT_MS),
      log: this.#services.log,
    }
    const genuine = await generatorOf(connection, job.operation).webhook?.(delivery, call)
    if (!genuine) throw notGenuine()
    const seen = `${job_id} ${createHash('sha256').update(delivery.body).digest('base64')}`
    if (this.#seen.has(seen)) return
    this.#seen.set(seen, true)
    await this.#lookNow(job)
  }

  /** The job's time comes at once, whichever router will take it; nothing else about it changes. */
  async #lookNow({ _id, mode }: JobRecord): Promise<void> {
    const { store, wake } = this.#services
    if (mode === 'sync') return
    for (let tries = 0; tries < HINT_TRIES; tries++) {
      const open = { _id, decision: null, state: { $in: ['new', 'running'] }, poll_at: { $exists: true } }
      const { matchedCount } = await store.jobs.updateOne(open as never, { $min: { poll_at: new Date() } })
      if (matchedCount > 0) return wake()
      const job = await store.jobs.findOne({ _id }, { projection: { decision: 1 } })
      if (!job || job.decision) return
      await pause(HINT_PAUSE_MS)
    }
  }
}
