// Credit granted by an admin: once for each Idempotency-Key, with a reason, in the ledger and in the audit trail.
import { hash } from 'node:crypto'
import { grant } from '../ledger/grants.ts'
import { formatUsd, type NanoUsd } from '../ledger/money.ts'
import { repeatUntilKnown } from '../ledger/writes.ts'
import { UNLIMITED_ROOM } from '../store/accounts.ts'
import type { AuditRecord } from '../store/audit.ts'
import { userNotFound } from './accounts.ts'
import { Failure } from './failure.ts'
import { newId } from './ids.ts'
import type { Services } from './services.ts'

export interface GrantRequest {
  amount: NanoUsd
  reason: string
  idempotency_key: string | undefined
}

export interface GrantView {
  id: string
  object: 'grant'
  account_id: string
  amount_usd: string
  available_usd: string
  reason: string
}

/** Throws Failure user_not_found, and idempotency_key_reused for another body under the same key. */
export async function grantCredits(
  { store }: Pick<Services, 'store'>,
  user_id: string,
  { amount, reason, idempotency_key }: GrantRequest,
  by: string,
): Promise<GrantView> {
  const user = await repeatUntilKnown(() => store.users.findOne({ _id: user_id }))
  if (!user) throw userNotFound(user_id)
  const { account_id } = user
  const before = await repeatUntilKnown(() =>
    store.accounts.findOne({ _id: account_id }, { projection: { credits: 1 } }),
  )
  if ((before?.credits ?? 0n) + amount > UNLIMITED_ROOM)
    throw new Failure(400, 'invalid_value', 'An account cannot have that much credit.', { param: 'amount_usd' })
  const id = idempotency_key === undefined ? newId('gr') : idOf(account_id, idempotency_key)
  const account = await grant(store, { id, account_id, amount, reason, by })
  if (!account) throw userNotFound(user_id)
  const entry = await repeatUntilKnown(() => store.entries.findOne({ _id: id }))
  if (entry?.amount !== amount || entry.reason !== reason) throw keyReused()
  const answer: GrantView = {
    id,
    object: 'grant',
    account_id,
    amount_usd: formatUsd(amount),
    available_usd: formatUsd(account.available),
    reason,
  }
  return recorded(
    { store },
    { _id: `aud_${id}`, by, action: 'credits.grant', subject: user_id, detail: { ...answer }, at: new Date() },
  )
}

/** The audit line holds the answer as first given: a repetition reads it there, and is not recorded again. */
async function recorded({ store }: Pick<Services, 'store'>, { _id, ...line }: AuditRecord): Promise<GrantView> {
  await repeatUntilKnown(() => store.audit.updateOne({ _id }, { $setOnInsert: line }, { upsert: true }))
  const first = await repeatUntilKnown(() => store.audit.findOne({ _id }))
  return (first ?? line).detail as unknown as GrantView
}

const idOf = (account_id: string, idempotency_key: string) =>
  `gr_${hash('sha256', `${account_id} ${idempotency_key}`).slice(0, 32)}`

const keyReused = () =>
  new Failure(
    422,
    'idempotency_key_reused',
    'This Idempotency-Key was used for another grant. Send the same body, or use a fresh key.',
    { param: 'Idempotency-Key' },
  )
