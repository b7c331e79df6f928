// Credit granted by an admin, as one lot or as a pack: once for each Idempotency-Key, with a reason, in the ledger and in the
// audit trail.
import { hash } from 'node:crypto'
import { grantLots } from '../../ledger/grants.ts'
import { formatUsd, type NanoUsd } from '../../ledger/money.ts'
import { repeatUntilKnown } from '../../ledger/writes.ts'
import { UNLIMITED_ROOM } from '../../store/accounts.ts'
import type { AuditRecord } from '../../store/audit.ts'
import type { LotKind, LotTerms } from '../../store/lots.ts'
import { userNotFound } from '../account/accounts.ts'
import { Failure } from '../failure.ts'
import { newId } from '../ids.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'
import type { LotsToGive } from './packs.ts'

export interface GrantRequest {
  /** At least one; a pack has two. */
  lots: LotsToGive
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
  lots: { id: string; kind: LotKind; amount_usd: string; expires_at: number | null }[]
}

/** Throws Failure user_not_found, and idempotency_key_reused for another body under the same key. */
export async function grantCredits(
  { store }: Pick<Services, 'store'>,
  user_id: string,
  { lots, reason, idempotency_key }: GrantRequest,
  by: string,
): Promise<GrantView> {
  const user = await repeatUntilKnown(() => store.users.findOne({ _id: user_id }))
  if (!user) throw userNotFound(user_id)
  const { account_id } = user
  const id = idempotency_key === undefined ? newId('gr') : grantIdOf(account_id, idempotency_key)
  const view = await giveCredit({ store }, { id, account_id, lots, reason, by })
  return recorded(
    { store },
    { _id: `aud_${id}`, by, action: 'credits.grant', subject: user_id, detail: { ...view }, at: new Date() },
  )
}

export interface Gift {
  /** Of the grant and of its first lot; known to all who give the same. */
  id: string
  account_id: string
  lots: LotsToGive
  reason: string
  by: string
}

/** Gives once for one id. Throws Failure idempotency_key_reused where something else was given under it. */
export async function giveCredit(
  { store }: Pick<Services, 'store'>,
  { id, account_id, lots, reason, by }: Gift,
): Promise<GrantView> {
  const sum = lots.reduce((total, { amount }) => total + amount, 0n)
  await checkRoom({ store }, account_id, sum)
  const [first, ...others] = lots.map(({ amount, ...terms }, index) => ({
    ...{ id: index === 0 ? id : `${id}:${index}`, amount, reason, by, terms },
  }))
  if (!first) throw new Error('A grant without a lot.')
  const account = await grantLots(store, account_id, [first, ...others])
  if (!account) throw new Error(`Account ${account_id} is not in the store.`)
  const given = await repeatUntilKnown(() =>
    store.lots
      .find({ _id: { $in: [id, ...lots.map((_, index) => `${id}:${index}`)] } })
      .sort({ _id: 1 })
      .toArray(),
  )
  const same = [first, ...others].every((lot) => {
    const there = given.find(({ _id }) => _id === lot.id)
    return there && there.reason === reason && there.amount === lot.amount && isSame(there, lot.terms)
  })
  if (!same || given.length !== lots.length) throw keyReused()
  return {
    id,
    object: 'grant',
    account_id,
    amount_usd: formatUsd(sum),
    available_usd: formatUsd(account.available),
    reason,
    lots: given.map((lot) => ({
      ...{ id: lot._id, kind: lot.kind, amount_usd: formatUsd(lot.amount), expires_at: seconds(lot.expires_at) },
    })),
  }
}

/** A time that was given in days is another at each delivery: a day more or less is the same. */
const isSame = (one: LotTerms, other: LotTerms): boolean =>
  one.kind === other.kind &&
  one.source.type === other.source.type &&
  one.source.id === other.source.id &&
  (one.expires_at === null) === (other.expires_at === null) &&
  (one.source.type !== 'grant' || seconds(one.expires_at) === seconds(other.expires_at))

async function checkRoom({ store }: Pick<Services, 'store'>, account_id: string, amount: NanoUsd): Promise<void> {
  const before = await repeatUntilKnown(() =>
    store.accounts.findOne({ _id: account_id }, { projection: { credits: 1 } }),
  )
  if ((before?.credits ?? 0n) + amount > UNLIMITED_ROOM)
    throw new Failure(400, 'invalid_value', 'An account cannot have that much credit.', { param: 'amount_usd' })
}

/** The audit line holds the answer as first given: a repetition reads it there, and is not recorded again. */
async function recorded({ store }: Pick<Services, 'store'>, { _id, ...line }: AuditRecord): Promise<GrantView> {
  await repeatUntilKnown(() => store.audit.updateOne({ _id }, { $setOnInsert: line }, { upsert: true }))
  const first = await repeatUntilKnown(() => store.audit.findOne({ _id }))
  return (first ?? line).detail as unknown as GrantView
}

export const grantIdOf = (account_id: string, key: string) =>
  `gr_${hash('sha256', `${account_id} ${key}`).slice(0, 32)}`

const keyReused = () =>
  new Failure(
    422,
    'idempotency_key_reused',
    'This Idempotency-Key was used for another grant. Send the same body, or use a fresh key.',
    { param: 'Idempotency-Key' },
  )
