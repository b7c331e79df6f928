// Setting the limits that renew themselves: of a key, or of the whole account. What runs goes on and stays counted.
import { type LimitKind, UNLIMITED_ROOM } from '../store/accounts.ts'
import type { Store } from '../store/connect.ts'
import { LIMIT_KINDS, limitsField, UNBEGUN } from './limits.ts'
import { repeatUntilKnown } from './writes.ts'

/** Nano-USD a day and a month; requests and tokens a minute; jobs at once. null: no such limit. Absent: as it is. */
export type LimitChange = Partial<Record<LimitKind, bigint | null>>

/** Of the whole account without `key_id`. A limit counts from when it is first set, and at once on every router. */
export async function setLimits(
  store: Store,
  { account_id, key_id }: { account_id: string; key_id?: string },
  change: LimitChange,
): Promise<void> {
  const fields = limitsField(key_id === undefined ? 'account' : 'key', key_id ?? '')
  for (const kind of LIMIT_KINDS) {
    const limit = change[kind]
    if (limit !== undefined) await setLimit(store, account_id, `${fields}.${kind}`, kind, limit)
  }
}

async function setLimit(
  store: Store,
  account_id: string,
  field: string,
  kind: LimitKind,
  wanted: bigint | null,
): Promise<void> {
  const limit = wanted ?? UNLIMITED_ROOM
  for (;;) {
    const account = await repeatUntilKnown(() =>
      store.accounts.findOne({ _id: account_id }, { projection: { [field]: 1 } }),
    )
    if (!account) throw new Error(`Account ${account_id} is not in the store.`)
    const standing = allowanceAt(account, field)
    if (!standing && wanted === null) return
    const { window, held, settled } = standing ?? { window: UNBEGUN[kind], held: 0n, settled: 0n }
    const allowance = { window, limit, room: limit - held - settled, held, settled }
    // Applies only to what was read; a hold, a settlement or a new window in between means reading again.
    const unchanged = standing
      ? { [`${field}.window`]: window, [`${field}.held`]: held, [`${field}.settled`]: settled }
      : { [field]: { $exists: false } }
    const { matchedCount } = await repeatUntilKnown(() =>
      store.accounts.updateOne({ _id: account_id, ...unchanged }, { $set: { [field]: allowance } }),
    )
    if (matchedCount === 1) return
  }
}

interface Standing {
  window: string
  held: bigint
  settled: bigint
}

function allowanceAt(account: object, field: string): Standing | undefined {
  let place: unknown = account
  for (const name of field.split('.')) place = (place as Record<string, unknown> | undefined)?.[name]
  return place as Standing | undefined
}
