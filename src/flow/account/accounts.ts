// Users and the accounts they own: made, listed, renamed. Credit comes from grants.ts, never from here.
import { openAccount } from '../../ledger/grants.ts'
import { formatUsd } from '../../ledger/money.ts'
import { type LimitChange, setLimits } from '../../ledger/set_limits.ts'
import { isDuplicate, repeatUntilKnown } from '../../ledger/writes.ts'
import type { AccountRecord } from '../../store/accounts.ts'
import { type Page, type PageQuery, pageById } from '../../store/page.ts'
import type { UserRecord } from '../../store/users.ts'
import { type LotServices, type LotView, settleLots, spendableLots } from '../credit/lots.ts'
import { Failure } from '../failure.ts'
import { newId } from '../ids.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'
import { audit } from './audit.ts'
import { type LimitsView, limitsDetail, limitsView } from './limits.ts'

export type AccountServices = Pick<Services, 'store' | 'ledger'>

/** Amounts in USD with nine places: `credits = available + held + settled`. */
export interface CreditsView {
  credits_usd: string
  available_usd: string
  held_usd: string
  settled_usd: string
}

export interface UserView extends CreditsView, LimitsView {
  id: string
  object: 'user'
  account_id: string
  name: string
  email: string | null
  created_at: number | null
}

export interface UserFields {
  name: string
  email?: string | null | undefined
}

/** Throws Failure email_taken. The account is opened first: a user without one would be of no use. */
export async function createUser(services: AccountServices, fields: UserFields, by: string): Promise<UserView> {
  const { store } = services
  const _id = newId('usr')
  const user: Omit<UserRecord, '_id'> = {
    name: fields.name,
    email: fields.email ?? null,
    account_id: newId('acc'),
    created_at: new Date(),
  }
  await checkEmail(services, user.email, _id)
  await openAccount(store, user.account_id, user.name)
  await emailOnce(user.email, () => store.users.updateOne({ _id }, { $setOnInsert: user }, { upsert: true }))
  await audit(services, {
    by,
    action: 'user.create',
    subject: _id,
    detail: { name: user.name, email: user.email },
  })
  return getUser(services, _id)
}

/** Throws Failure user_not_found. */
export async function getUser({ store, ledger }: AccountServices, id: string): Promise<UserView> {
  const user = await repeatUntilKnown(() => store.users.findOne({ _id: id }))
  if (!user) throw userNotFound(id)
  return userView(user, await ledger.balance(user.account_id))
}

export async function changeUser(
  services: AccountServices,
  id: string,
  { limits = {}, ...fields }: Partial<UserFields> & { limits?: LimitChange },
  by: string,
): Promise<UserView> {
  const { store } = services
  const change = {
    ...(fields.name !== undefined && { name: fields.name }),
    ...(fields.email !== undefined && { email: fields.email }),
  }
  const detail = { ...change, ...limitsDetail(limits) }
  if (Object.keys(detail).length === 0) return getUser(services, id)
  const user = await repeatUntilKnown(() => store.users.findOne({ _id: id }))
  if (!user) throw userNotFound(id)
  if (Object.keys(change).length > 0)
    await emailOnce(fields.email ?? null, () => store.users.updateOne({ _id: id }, { $set: change }))
  await setLimits(store, { account_id: user.account_id }, limits)
  await audit(services, { by, action: 'user.update', subject: id, detail })
  return getUser(services, id)
}

export async function listUsers({ store, ledger }: AccountServices, query: PageQuery): Promise<Page<UserView>> {
  await ledger.flush()
  const { items, has_more } = await pageById(store.users, {}, query)
  const ids = items.map(({ account_id }) => account_id)
  const accounts = await store.accounts
    .find({ _id: { $in: ids } }, { projection: { holds: 0, applied: 0, keys: 0 } })
    .toArray()
  const byId = new Map(accounts.map((account) => [account._id, account]))
  return { items: items.map((user) => userView(user, byId.get(user.account_id))), has_more }
}

/** The credit of an account and its lots that have something left, with what this router still had to settle. */
export async function getCredits(
  services: LotServices,
  account_id: string,
): Promise<{ object: 'credits'; account_id: string } & CreditsView & { lots: LotView[] }> {
  await settleLots(services, account_id)
  const lots = await spendableLots(services, account_id)
  return { object: 'credits', account_id, ...creditsView(await services.ledger.balance(account_id)), lots }
}

export const userNotFound = (id: string) =>
  new Failure(404, 'user_not_found', `There is no user '${id.slice(0, 100)}'. GET /api/v1/users lists them.`, {
    param: 'user_id',
  })

/** Told before the account is opened; the unique index decides between two at once. */
async function checkEmail({ store }: AccountServices, email: string | null, id: string): Promise<void> {
  if (email !== null && (await store.users.findOne({ email, _id: { $ne: id } }))) throw emailTaken()
}

async function emailOnce<Result>(email: string | null, write: () => Promise<Result>): Promise<Result> {
  try {
    return await repeatUntilKnown(write)
  } catch (error) {
    if (email !== null && isDuplicate(error)) throw emailTaken()
    throw error
  }
}

const emailTaken = () =>
  new Failure(409, 'email_taken', 'Another user has this email address already.', { param: 'email' })

type Credits = Pick<AccountRecord, 'credits' | 'available' | 'held' | 'settled'>

const creditsView = (account: Credits | undefined): CreditsView => ({
  credits_usd: formatUsd(account?.credits ?? 0n),
  available_usd: formatUsd(account?.available ?? 0n),
  held_usd: formatUsd(account?.held ?? 0n),
  settled_usd: formatUsd(account?.settled ?? 0n),
})

const userView = (
  { _id, account_id, name, email, created_at }: UserRecord,
  account: (Credits & Pick<AccountRecord, 'limits'>) | undefined,
): UserView => ({
  id: _id,
  object: 'user',
  account_id,
  name,
  email,
  ...creditsView(account),
  ...limitsView(account?.limits),
  created_at: seconds(created_at),
})
