// What the flow works with: made once at the start and handed down, so that nothing is found by import.
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { Operation } from '../contract.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Storage } from '../media/store.ts'
import type { OwnPrice } from '../pricing/selling.ts'
import type { Registry } from '../registry.ts'
import type { Store } from '../store/connect.ts'
import type { Callers } from './account/callers.ts'
import type { RateStanding } from './account/limits.ts'
import type { Secrets } from './account/secrets.ts'
import type { Idempotency } from './idempotency.ts'
import type { JobWrites } from './job_writes.ts'
import type { Trial } from './kept_answers.ts'
import type { Metrics } from './metrics.ts'
import type { Works } from './work.ts'
import type { Lanes } from './worker/lanes.ts'

export interface Services {
  config: Config
  log: Logger
  store: Store
  ledger: Ledger
  job_writes: JobWrites
  works: Works
  storage: Storage
  secrets: Secrets
  callers: Callers
  idempotency: Idempotency
  metrics: Metrics
  /** The registry of this moment; a request keeps the one it began with. */
  registry(): Registry
  /** Builds a new registry and swaps it in; throws RegistryFaults and keeps the old one. */
  reload(): Promise<Registry>
  /** This process among the routers of the store. */
  router_id: string
  /** What is bounded and paced for each provider. */
  lanes: Lanes
  /** Lets the worker look for due jobs now, or at that time; in one queue, where that is known. */
  wake(at?: Date, queue?: string): void
  /** Lets the sender look for due webhooks now. */
  wakeWebhooks(): void
}

/** Who calls: made by the key check, cached for at most 5 s. */
export interface Caller {
  key_id: string
  account_id: string
  user_id: string
  kind: 'caller' | 'admin'
  /** Models the key may call, or `vendor/*`; null: all. */
  models: string[] | null
  /** Its account's own selling prices, where it has some. */
  prices?: readonly OwnPrice[]
  /** What the key may be used for, where that is not everything. */
  operations?: Operation[]
  /** Where the key may be used from, where that is not everywhere. */
  allowed_ips?: string[]
  /** How long its outputs are kept, where that differs from the site's. */
  retention_days?: number
  /** Told how far its limits a minute are, once this call is counted in them. */
  tellRates?: (standings: RateStanding[]) => void
  /** Told that this call came to be no job after all. */
  withdrawn?: () => void
  /** Set where this call was made under an Idempotency-Key. */
  idempotency?: Trial
}
