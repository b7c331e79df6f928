// Who calls: an API key to its Caller, remembered for a few seconds, so that a key that was turned off stops within five
// everywhere, and at once here. It never keeps a key itself, only hashes.
import { timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import { repeatUntilKnown, update } from '../../ledger/writes.ts'
import type { Store } from '../../store/connect.ts'
import type { KeyRecord } from '../../store/keys.ts'
import type { Caller } from '../services.ts'
import { hashOfKey, isKeyText } from './key_text.ts'
import { readOwnPrices } from './own_prices.ts'

/** Under the five seconds promised, so that a slow look-up still keeps them. */
const REMEMBER_MS = 4000
const REMEMBERED_MAX = 10_000
const LAST_USED_EVERY_MS = 60_000

/** The site's own key, from ADMIN_KEY or the first start: it has no account and is not in the store. */
const ADMIN: Caller = { key_id: 'admin', account_id: '', user_id: '', kind: 'admin', models: null }

interface Known extends Caller {
  expires_ms: number
  /** Known by the key that was rotated away. */
  previous: boolean
}

interface Use {
  key_id: string
  previous: boolean
  at: Date
}

export class Callers {
  readonly #store: Store
  readonly #log: Logger
  #admin_hash: Buffer | undefined
  readonly #known = new LRUCache<string, Known>({ max: REMEMBERED_MAX, ttl: REMEMBER_MS })
  // Apart from the known ones: a flood of wrong keys must not push them out.
  readonly #unknown = new LRUCache<string, true>({ max: REMEMBERED_MAX, ttl: REMEMBER_MS })
  readonly #asking = new Map<string, Promise<Known | undefined>>()
  /** By hash. */
  readonly #used = new Map<string, Use>()
  readonly #timer: NodeJS.Timeout

  constructor(store: Store, log: Logger) {
    this.#store = store
    this.#log = log
    this.#timer = setInterval(() => void this.#writeLastUsed(), LAST_USED_EVERY_MS).unref()
  }

  /** Sets the site's admin key, known once the first start is done. */
  setAdminKey(key: string): void {
    this.#admin_hash = Buffer.from(hashOfKey(key), 'hex')
  }

  /** The caller whose key this is; undefined whatever the reason that it is nobody's. Throws StoreUnavailable. */
  async identify(key: string): Promise<Caller | undefined> {
    const hash = hashOfKey(key)
    if (this.#admin_hash && timingSafeEqual(this.#admin_hash, Buffer.from(hash, 'hex'))) return ADMIN
    if (!isKeyText(key)) return undefined
    const known = this.#known.get(hash) ?? (this.#unknown.has(hash) ? undefined : await this.#ask(hash))
    if (!known || known.expires_ms <= Date.now()) return undefined
    this.#used.set(hash, { key_id: known.key_id, previous: known.previous, at: new Date() })
    return known
  }

  /** After a key was changed or deleted: its next use asks the store. */
  forget(hash: string): void {
    this.#known.delete(hash)
    this.#unknown.delete(hash)
    this.#asking.delete(hash)
  }

  /** After something was changed that all keys of an account share. */
  forgetAccount(account_id: string): void {
    for (const [hash, known] of this.#known.entries()) if (known.account_id === account_id) this.forget(hash)
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#writeLastUsed()
  }

  /** One question to the store however many requests wait for the answer. */
  #ask(hash: string): Promise<Known | undefined> {
    const asking = this.#asking.get(hash)
    if (asking) return asking
    const answer = this.#lookUp(hash)
      .then((known) => {
        // Forgotten while it was being read: the answer serves those who wait, and is not kept.
        if (this.#asking.get(hash) !== answer) return known
        if (known) this.#known.set(hash, known)
        else this.#unknown.set(hash, true)
        return known
      })
      .finally(() => {
        if (this.#asking.get(hash) === answer) this.#asking.delete(hash)
      })
    this.#asking.set(hash, answer)
    return answer
  }

  async #lookUp(hash: string): Promise<Known | undefined> {
    const either = { $or: [{ hash }, { 'previous.hash': hash }], disabled: false }
    const key = await repeatUntilKnown(() => this.#store.keys.findOne(either))
    if (!key) return undefined
    const prices = await readOwnPrices(this.#store, key.account_id)
    return { ...knownOf(key, key.hash !== hash), ...(prices && { prices }) }
  }

  async #writeLastUsed(): Promise<void> {
    const used = [...this.#used]
    this.#used.clear()
    if (used.length === 0) return
    try {
      const statements = used.flatMap(([hash, { key_id: _id, previous, at }]) => [
        { q: { _id }, u: { $max: { last_used_at: at } } },
        ...(previous ? [{ q: { _id, 'previous.hash': hash }, u: { $max: { 'previous.last_used_at': at } } }] : []),
      ])
      await update(this.#store.database, 'keys', statements)
    } catch (error) {
      for (const [hash, use] of used) if (!this.#used.has(hash)) this.#used.set(hash, use)
      this.#log.warn(
        { message: String(error) },
        'When keys were last used could not be written; it will be with the next.',
      )
    }
  }
}

function knownOf(key: KeyRecord, isPrevious: boolean): Known {
  const { _id: key_id, account_id, user_id, kind, models, operations, allowed_ips, retention_days, previous } = key
  const ends = [key.expires_at, isPrevious ? previous?.expires_at : null].flatMap((end) => end?.getTime() ?? [])
  return {
    key_id,
    account_id,
    user_id,
    kind,
    models,
    ...(operations && { operations }),
    ...(allowed_ips && { allowed_ips }),
    ...(typeof retention_days === 'number' && { retention_days }),
    expires_ms: Math.min(Infinity, ...ends),
    previous: isPrevious,
  }
}
