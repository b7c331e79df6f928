// API keys: made, listed, limited, turned off, deleted. The key itself is shown once, when it is made, and kept nowhere.
import { limitKey } from '../ledger/grants.ts'
import { formatUsd, type NanoUsd } from '../ledger/money.ts'
import { repeatUntilKnown } from '../ledger/writes.ts'
import type { KeySpend } from '../store/accounts.ts'
import type { KeyRecord } from '../store/keys.ts'
import { type Page, type PageQuery, pageById } from '../store/page.ts'
import { userNotFound } from './accounts.ts'
import { audit } from './audit.ts'
import { Failure } from './failure.ts'
import { newId } from './ids.ts'
import { seconds } from './job_view.ts'
import { hashOfKey, newKeyText, prefixOfKey } from './key_text.ts'
import type { Services } from './services.ts'

export type KeyServices = Pick<Services, 'store' | 'ledger' | 'callers'>

export interface KeyView {
  id: string
  object: 'api_key'
  account_id: string
  user_id: string
  kind: 'caller' | 'admin'
  name: string
  /** The first characters of the key, to recognise it by. */
  prefix: string
  /** Models it may call; null: all. */
  models: string[] | null
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
}

export interface KeyFields {
  name: string
  models: string[] | null
  limit: NanoUsd | null
  expires_at: Date | null
  retention_days?: number | null
}

/** Throws Failure user_not_found. `key` is the only time that the key is seen. */
export async function createKey(
  services: KeyServices,
  user_id: string,
  fields: KeyFields,
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
  // Its limit stands before the key can be used.
  await limitKey(store, key.account_id, _id, key.limit)
  await repeatUntilKnown(() => store.keys.updateOne({ _id }, { $setOnInsert: key }, { upsert: true }))
  await audit(services, {
    by,
    action: 'key.create',
    subject: _id,
    detail: { user_id, prefix: key.prefix, ...detailOf(fields) },
  })
  return { ...(await getKey(services, _id)), key: text }
}

/** Throws Failure key_not_found. */
export async function getKey(services: Pick<Services, 'store' | 'ledger'>, id: string): Promise<KeyView> {
  await services.ledger.flush()
  const key = await find(services, id)
  return keyView(key, (await spends(services, [key])).get(id))
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
  fields: Partial<KeyFields & { disabled: boolean }>,
  by: string,
): Promise<KeyView> {
  const { store, callers } = services
  const { hash } = await find(services, id)
  if (Object.keys(fields).length > 0) {
    await repeatUntilKnown(() => store.keys.updateOne({ _id: id }, { $set: fields }))
    callers.forget(hash)
    if (fields.limit !== undefined) await applyLimit(services, id)
    await audit(services, { by, action: 'key.update', subject: id, detail: detailOf(fields) })
  }
  return getKey(services, id)
}

/** What it spent stays in the account; jobs that run go on. */
export async function deleteKey(services: KeyServices, id: string, by: string): Promise<void> {
  const { store, callers } = services
  const { hash, prefix, name, user_id } = await find(services, id)
  await repeatUntilKnown(() => store.keys.deleteOne({ _id: id }))
  callers.forget(hash)
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

const detailOf = ({ limit, expires_at, ...fields }: Partial<KeyFields & { disabled: boolean }>) => ({
  ...fields,
  ...(limit !== undefined && { limit_usd: usdOrNull(limit) }),
  ...(expires_at !== undefined && { expires_at: seconds(expires_at) }),
})

const usdOrNull = (amount: NanoUsd | null) => (amount === null ? null : formatUsd(amount))

function keyView(key: KeyRecord, spend: KeySpend | undefined): KeyView {
  const { _id, account_id, user_id, kind, name, prefix, models, limit, disabled, expires_at } = key
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
    limit_usd: usdOrNull(limit),
    // A limit may be set below what was spent already.
    remaining_usd: remaining === null ? null : formatUsd(remaining > 0n ? remaining : 0n),
    held_usd: formatUsd(held),
    settled_usd: formatUsd(settled),
    retention_days: key.retention_days ?? null,
    disabled,
    expires_at: seconds(expires_at),
    created_at: seconds(key.created_at),
    last_used_at: seconds(key.last_used_at),
  }
}
