// API keys: made, listed, limited, rotated, turned off, deleted. The key itself is shown once, when it is made, and kept
// nowhere.
import type { Json, Operation } from '../../contract.ts'
import { limitKey } from '../../ledger/grants.ts'
import { formatUsd, type NanoUsd } from '../../ledger/money.ts'
import { type LimitChange, setLimits } from '../../ledger/set_limits.ts'
import { repeatUntilKnown } from '../../ledger/writes.ts'
import type { KeySpend } from '../../store/accounts.ts'
import type { KeyRecord, PreviousKey } from '../../store/keys.ts'
import { type Page, type PageQuery, pageById } from '../../store/page.ts'
import { Failure } from '../failure.ts'
import { newId } from '../ids.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'
import { userNotFound } from './accounts.ts'
import { audit } from './audit.ts'
import { hashOfKey, newKeyText, prefixOfKey } from './key_text.ts'
import { type LimitsView, limitsDetail, limitsView } from './limits.ts'

export type KeyServices = Pick<Services, 'store' | 'ledger' | 'callers'>

export interface KeyView extends LimitsView {
  id: string
  object: 'api_key'
  account_id: string
  user_id: string
  kind: 'caller' | 'admin'
  name: string
  /** The first characters of the key, to recognise it by. */
  prefix: string
  /** Models it may call, or `vendor/*`; null: all. */
  models: string[] | null
  /** What it may be used for; null: everything. */
  operations: Operation[] | null
  /** Addresses and networks that it may be used from; null: everywhere. */
  allowed_ips: string[] | null
  /** What it may spend in all, held credit included; null: no limit but the account's credit. */
  limit_usd: string | null
  remaining_usd: string | null
  held_usd: string
  settled_usd: string
  /** How long outputs of its jobs are kept; null: as long as the site keeps them. */
  retention_days: number | null
  disabled: boolean
  expires_at: number | null
  created_at: number | null
  last_used_at: number | null
  /** The key before it was rotated, while it still works. */
  previous: { prefix: string; expires_at: number | null; last_used_at: number | null } | null
}

export interface KeyFields {
  name: string
  models: string[] | null
  limit: NanoUsd | null
  expires_at: Date | null
  retention_days?: number | null
  operations?: Operation[] | null
  allowed_ips?: string[] | null
}

/** Throws Failure user_not_found. `key` is the only time that the key is seen. */
export async function createKey(
  services: KeyServices,
  user_id: string,
  { limits = {}, ...fields }: KeyFields & { limits?: LimitChange },
  by: string,
): Promise<KeyView & { key: string }> {
  const { store } = services
  const user = await repeatUntilKnown(() => store.users.findOne({ _id: user_id }))
  if (!user) throw userNotFound(user_id)
  const text = newKeyText()
  const _id = newId('key')
  const key: Omit<KeyRecord, '_id'> = {
    hash: hashOfKey(text),
    prefix: prefixOfKey(text),
    user_id,
    account_id: user.account_id,
    kind: 'caller',
    ...fields,
    disabled: false,
    created_at: new Date(),
    last_used_at: null,
  }
  // Its limits stand before the key can be used.
  await limitKey(store, key.account_id, _id, key.limit)
  await setLimits(store, { account_id: key.account_id, key_id: _id }, limits)
  await repeatUntilKnown(() => store.keys.updateOne({ _id }, { $setOnInsert: key }, { upsert: true }))
  await audit(services, {
    by,
    action: 'key.create',
    subject: _id,
    detail: { user_id, prefix: key.prefix, ...detailOf(fields), ...limitsDetail(limits) },
  })
  return { ...(await getKey(services, _id)), key: text }
}

/** Throws Failure key_not_found. */
export async function getKey(services: Pick<Services, 'store' | 'ledger'>, id: string): Promise<KeyView> {
  await services.ledger.flush()
  const key = await find(services, id)
  return keyView(key, (await spends(services, [key])).get(id))
}

/** A key as its holder sees it: with the limits of the whole account beside its own. */
export async function getOwnKey(
  services: Pick<Services, 'store' | 'ledger'>,
  { key_id, account_id }: { key_id: string; account_id: string },
): Promise<KeyView & { account_limits: LimitsView }> {
  const key = await getKey(services, key_id)
  const { account } = await services.ledger.limits(account_id, key_id)
  return { ...key, account_limits: limitsView(account) }
}

export async function listKeys(
  services: Pick<Services, 'store' | 'ledger'>,
  { user_id, ...query }: PageQuery & { user_id?: string | undefined },
): Promise<Page<KeyView>> {
  await services.ledger.flush()
  const { items, has_more } = await pageById(services.store.keys, user_id === undefined ? {} : { user_id }, query)
  const spent = await spends(services, items)
  return { items: items.map((key) => keyView(key, spent.get(key._id))), has_more }
}

/** Works at once here, and within five seconds on every other router. */
export async function changeKey(
  services: KeyServices,
  id: string,
  { limits = {}, ...fields }: KeyChange,
  by: string,
): Promise<KeyView> {
  const { store } = services
  const key = await find(services, id)
  const detail = { ...detailOf(fields), ...limitsDetail(limits) }
  if (Object.keys(detail).length === 0) return getKey(services, id)
  if (Object.keys(fields).length > 0) await repeatUntilKnown(() => store.keys.updateOne({ _id: id }, { $set: fields }))
  forget(services, key)
  if (fields.limit !== undefined) await applyLimit(services, id)
  await setLimits(store, { account_id: key.account_id, key_id: id }, limits)
  await audit(services, { by, action: 'key.update', subject: id, detail })
  return getKey(services, id)
}

export type KeyChange = Partial<KeyFields & { disabled: boolean; limits: LimitChange }>

/**
 * A fresh secret for the same key; the old one works for `grace_seconds` more, and a still older one no longer. Throws
 * Failure key_rotated where another did the same at this moment. `key` is the only time that the key is seen.
 */
export async function rotateKey(
  services: KeyServices,
  id: string,
  grace_seconds: number,
  by: string,
): Promise<KeyView & { key: string }> {
  const { store } = services
  const old = await find(services, id)
  const text = newKeyText()
  const hash = hashOfKey(text)
  const expires_at = new Date(Date.now() + grace_seconds * 1000)
  const previous = { hash: old.hash, prefix: old.prefix, expires_at, last_used_at: old.last_used_at }
  await repeatUntilKnown(() =>
    store.keys.updateOne({ _id: id, hash: old.hash }, { $set: { hash, prefix: prefixOfKey(text), previous } }),
  )
  forget(services, old)
  // Another's rotation may have come first, or this one's answer may have been lost: the key itself tells.
  if ((await find(services, id)).hash !== hash) throw rotatedAtOnce()
  const detail = { from: old.prefix, to: prefixOfKey(text), grace_seconds }
  await audit(services, { by, action: 'key.rotate', subject: id, detail })
  return { ...(await getKey(services, id)), key: text }
}

const rotatedAtOnce = () =>
  new Failure(
    409,
    'key_rotated',
    'This key was rotated by somebody else at the same moment. Use what they were given.',
    {
      param: 'id',
    },
  )

function forget({ callers }: KeyServices, { hash, previous }: KeyRecord): void {
  callers.forget(hash)
  if (previous) callers.forget(previous.hash)
}

/** What it spent stays in the account; jobs that run go on. */
export async function deleteKey(services: KeyServices, id: string, by: string): Promise<void> {
  const key = await find(services, id)
  const { prefix, name, user_id } = key
  await repeatUntilKnown(() => services.store.keys.deleteOne({ _id: id }))
  forget(services, key)
  await audit(services, { by, action: 'key.delete', subject: id, detail: { user_id, name, prefix } })
}

/** Repeated until the limit in the account is the key's: two admins may set it at once. */
async function applyLimit(services: KeyServices, id: string): Promise<void> {
  for (;;) {
    const { account_id, limit } = await find(services, id)
    await limitKey(services.store, account_id, id, limit)
    if ((await find(services, id)).limit === limit) return
  }
}

async function find({ store }: Pick<Services, 'store'>, id: string): Promise<KeyRecord> {
  const key = await repeatUntilKnown(() => store.keys.findOne({ _id: id }))
  if (key) return key
  throw new Failure(404, 'key_not_found', `There is no key '${id.slice(0, 100)}'. GET /api/v1/keys lists them.`, {
    param: 'id',
  })
}

async function spends({ store }: Pick<Services, 'store'>, keys: KeyRecord[]): Promise<Map<string, KeySpend>> {
  const ids = [...new Set(keys.map(({ account_id }) => account_id))]
  const projection = Object.fromEntries(keys.map(({ _id }) => [`keys.${_id}`, 1]))
  if (ids.length === 0) return new Map()
  const accounts = await store.accounts.find({ _id: { $in: ids } }, { projection }).toArray()
  return new Map(accounts.flatMap((account) => Object.entries(account.keys ?? {})))
}

const detailOf = ({ limit, expires_at, ...fields }: Omit<KeyChange, 'limits'>): Record<string, Json> => ({
  ...fields,
  ...(limit !== undefined && { limit_usd: usdOrNull(limit) }),
  ...(expires_at !== undefined && { expires_at: seconds(expires_at) }),
})

const usdOrNull = (amount: NanoUsd | null) => (amount === null ? null : formatUsd(amount))

function keyView(key: KeyRecord, spend: KeySpend | undefined): KeyView {
  const { _id, account_id, user_id, kind, name, prefix, models, operations, allowed_ips, limit, previous } = key
  const { held, settled } = spend ?? { held: 0n, settled: 0n }
  const remaining = limit === null ? null : limit - held - settled
  return {
    id: _id,
    object: 'api_key',
    account_id,
    user_id,
    kind,
    name,
    prefix,
    models,
    operations: operations ?? null,
    allowed_ips: allowed_ips ?? null,
    limit_usd: usdOrNull(limit),
    // A limit may be set below what was spent already.
    remaining_usd: remaining === null ? null : formatUsd(remaining > 0n ? remaining : 0n),
    held_usd: formatUsd(held),
    settled_usd: formatUsd(settled),
    ...limitsView(spend?.limits),
    retention_days: key.retention_days ?? null,
    disabled: key.disabled,
    expires_at: seconds(key.expires_at),
    created_at: seconds(key.created_at),
    last_used_at: seconds(key.last_used_at),
    previous: previous && previous.expires_at.getTime() > Date.now() ? previousView(previous) : null,
  }
}

const previousView = ({ prefix, expires_at, last_used_at }: PreviousKey) => ({
  prefix,
  expires_at: seconds(expires_at),
  last_used_at: seconds(last_used_at),
})
