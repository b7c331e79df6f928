// What the flow works with: made once at the start and handed down, so that nothing is found by import.
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Storage } from '../media/store.ts'
import type { Registry } from '../registry.ts'
import type { Store } from '../store/connect.ts'

export interface Services {
  config: Config
  log: Logger
  store: Store
  ledger: Ledger
  storage: Storage
  /** The registry of this moment; a request keeps the one it began with. */
  registry(): Registry
  /** Builds a new registry and swaps it in; throws RegistryFaults and keeps the old one. */
  reload(): Promise<Registry>
  /** This process among the routers of the store. */
  router_id: string
  /** Aborts when the router stops and its patience with running work is over. */
  stopping: AbortSignal
}

/** Who calls: made by the key check, cached for at most 5 s. */
export interface Caller {
  key_id: string
  account_id: string
  user_id: string
  kind: 'caller' | 'admin'
  /** Models the key may call; null: all. */
  models: string[] | null
}
