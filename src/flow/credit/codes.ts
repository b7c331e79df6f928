// Codes for credit: made in batches by admins and shown once, redeemed by callers. A redemption is claimed on the code first,
// by one guarded update, then granted under an id that only this code and account can have.
import { formatUsd, type NanoUsd } from '../../ledger/money.ts'
import { repeatUntilKnown } from '../../ledger/writes.ts'
import type { CodeLot, CodeRecord, Redemption } from '../../store/codes.ts'
import type { LotKind, LotSource } from '../../store/lots.ts'
import { type Page, type PageQuery, pageById } from '../../store/page.ts'
import { audit } from '../account/audit.ts'
import { Failure } from '../failure.ts'
import { newId } from '../ids.ts'
import { seconds } from '../job_view.ts'
import type { Caller, Services } from '../services.ts'
import { hashOfCode, newCodeText, prefixOfCode, readCodeText } from './code_text.ts'
import { type GrantView, giveCredit, grantIdOf } from './grants.ts'
import { daysAfter } from './packs.ts'

/** Tries that fail, of one account, before it has to wait. */
const TRIES_MAX = 10
const TRIES_MS = 10 * 60_000

export interface BatchRequest {
  count: number
  lots: CodeLot[]
  source: LotSource | null
  /** How many accounts may redeem each of them. */
  uses: number
  expires_at: Date | null
  reason: string
}

export interface BatchView {
  id: string
  object: 'code_batch'
  /** Shown this once. */
  codes: { id: string; code: string }[]
}

export async function createCodes(
  services: Pick<Services, 'store'>,
  { count, ...fields }: BatchRequest,
  by: string,
): Promise<BatchView> {
  const batch_id = newId('cb')
  const created_at = new Date()
  const made = Array.from({ length: count }, () => {
    const code = newCodeText()
    const letters = code.replaceAll('-', '')
    const record: CodeRecord = {
      ...{ _id: newId('code'), hash: hashOfCode(letters), prefix: prefixOfCode(letters), batch_id },
      ...{ ...fields, left: fields.uses, redemptions: [], pending: [], disabled: false, by, created_at },
    }
    return { code, record }
  })
  // Not repeated: of a batch whose answer was lost nobody knows the codes, and it can be made anew.
  await services.store.codes.insertMany(made.map(({ record }) => record))
  const detail = { count, uses: fields.uses, amount_usd: formatUsd(sumOf(fields.lots)), reason: fields.reason }
  await audit(services, { by, action: 'codes.create', subject: batch_id, detail })
  return { id: batch_id, object: 'code_batch', codes: made.map(({ code, record }) => ({ id: record._id, code })) }
}

const sumOf = (lots: readonly { amount: NanoUsd }[]) => lots.reduce((total, { amount }) => total + amount, 0n)

export interface CodeView {
  id: string
  object: 'code'
  batch_id: string
  prefix: string
  amount_usd: string
  lots: { kind: LotKind; amount_usd: string; expires_at: number | null; expires_days: number | null }[]
  uses: number
  left: number
  redemptions: { grant_id: string; account_id: string; user_id: string; at: number | null }[]
  disabled: boolean
  expires_at: number | null
  reason: string
  created_at: number | null
}

export async function listCodes(
  { store }: Pick<Services, 'store'>,
  { batch_id, ...query }: PageQuery & { batch_id?: string | undefined },
): Promise<Page<CodeView>> {
  const { items, has_more } = await pageById(store.codes, batch_id === undefined ? {} : { batch_id }, query)
  return { items: items.map(codeView), has_more }
}

const codeView = ({ _id, lots, redemptions, expires_at, created_at, ...code }: CodeRecord): CodeView => ({
  id: _id,
  object: 'code',
  batch_id: code.batch_id,
  prefix: code.prefix,
  amount_usd: formatUsd(sumOf(lots)),
  lots: lots.map((lot) => ({
    ...{ kind: lot.kind, amount_usd: formatUsd(lot.amount) },
    ...{ expires_at: seconds(lot.expires_at), expires_days: lot.expires_days },
  })),
  uses: code.uses,
  left: code.left,
  redemptions: redemptions.map(({ id, account_id, user_id, at }) => ({
    ...{ grant_id: id, account_id, user_id, at: seconds(at) },
  })),
  disabled: code.disabled,
  expires_at: seconds(expires_at),
  reason: code.reason,
  created_at: seconds(created_at),
})

/** Turns a code off, or on again; what it gave stays given. Throws Failure code_not_found. */
export async function changeCode(
  services: Pick<Services, 'store'>,
  id: string,
  { disabled }: { disabled: boolean },
  by: string,
): Promise<CodeView> {
  const { store } = services
  await repeatUntilKnown(() => store.codes.updateOne({ _id: id }, { $set: { disabled } }))
  const code = await repeatUntilKnown(() => store.codes.findOne({ _id: id }))
  if (!code)
    throw new Failure(404, 'code_not_found', `There is no code with the id '${id.slice(0, 100)}'.`, { param: 'id' })
  await audit(services, { by, action: 'codes.update', subject: id, detail: { disabled } })
  return codeView(code)
}

export interface RedemptionView extends Omit<GrantView, 'object' | 'reason'> {
  object: 'redemption'
}

/**
 * Credit for a code, once an account; a second click gets the first one's answer. Throws Failure invalid_code, which never
 * says whether there is such a code, and rate_limit_exceeded for whoever tries too many.
 */
export async function redeemCode(
  services: Pick<Services, 'store'>,
  { account_id, user_id }: Pick<Caller, 'account_id' | 'user_id'>,
  text: string,
): Promise<RedemptionView> {
  const { store } = services
  const tries = await takeTry(services, account_id)
  const letters = readCodeText(text)
  const code = letters === undefined ? null : await claim(services, hashOfCode(letters), account_id, user_id)
  const redemption = code?.redemptions.find((each) => each.account_id === account_id)
  if (!code || !redemption) throw invalidCode()
  const { reason: _, ...view } = await give(services, code, redemption)
  await repeatUntilKnown(() => store.code_tries.updateOne({ _id: tries }, { $inc: { tries: -1 } }))
  return { ...view, object: 'redemption' }
}

const invalidCode = () =>
  new Failure(
    400,
    'invalid_code',
    'This code gives no credit: it is mistyped, used up, or its time is over. Nothing was changed.',
    { param: 'code' },
  )

/** Counted before the code is looked for, so that many tries at once count as many; one that succeeds is given back. */
async function takeTry({ store }: Pick<Services, 'store'>, account_id: string): Promise<string> {
  const now = Date.now()
  const stretch = Math.floor(now / TRIES_MS)
  const ends = (stretch + 1) * TRIES_MS
  const _id = `${account_id}:${stretch}`
  await repeatUntilKnown(() =>
    store.code_tries.updateOne(
      { _id },
      { $inc: { tries: 1 }, $setOnInsert: { expires_at: new Date(ends + TRIES_MS) } },
      { upsert: true },
    ),
  )
  const standing = await repeatUntilKnown(() => store.code_tries.findOne({ _id }))
  if ((standing?.tries ?? 0) <= TRIES_MAX) return _id
  throw new Failure(
    429,
    'rate_limit_exceeded',
    `More than ${TRIES_MAX} codes were tried that give no credit. Try again in a few minutes.`,
    { retry_after_ms: ends - now },
  )
}

/** The code with this account's claim in it, made now or before; null where it gives nothing. */
async function claim(
  { store }: Pick<Services, 'store'>,
  hash: string,
  account_id: string,
  user_id: string,
): Promise<CodeRecord | null> {
  const code = await repeatUntilKnown(() => store.codes.findOne({ hash }))
  if (!code || code.redemptions.some((each) => each.account_id === account_id)) return code
  const now = new Date()
  const redemption: Redemption = { id: grantIdOf(account_id, `code ${code._id}`), account_id, user_id, at: now }
  await repeatUntilKnown(() =>
    store.codes.updateOne(
      {
        ...{ hash, disabled: false, left: { $gt: 0 } },
        'redemptions.account_id': { $ne: account_id },
        $or: [{ expires_at: null }, { expires_at: { $gt: now } }],
      },
      {
        $inc: { left: -1 },
        $push: { redemptions: redemption, pending: redemption },
        $set: { pending_since: now },
      },
    ),
  )
  return repeatUntilKnown(() => store.codes.findOne({ hash }))
}

/** Grants what was claimed, and says on the code that it is. Safe to repeat by anyone. */
async function give(
  { store }: Pick<Services, 'store'>,
  code: CodeRecord,
  { id, account_id, at }: Redemption,
): Promise<GrantView> {
  const source: LotSource = { type: 'code', id: code._id }
  const lots = code.lots.map(({ kind, amount, expires_at, expires_days }) => ({
    ...{ kind, amount, source, expires_at: expires_at ?? daysAfter(at, expires_days) },
  }))
  const view = await giveCredit({ store }, { id, account_id, lots, reason: code.reason, by: code.by })
  await repeatUntilKnown(() => store.codes.updateOne({ _id: code._id }, { $pull: { pending: { id } } }))
  await repeatUntilKnown(() =>
    store.codes.updateOne({ _id: code._id, pending: { $size: 0 } }, { $unset: { pending_since: '' } }),
  )
  return view
}

/** Claims whose router died before the credit was given. */
export async function finishDueRedemptions({ store }: Pick<Services, 'store'>, before: Date): Promise<void> {
  const due = await repeatUntilKnown(() =>
    store.codes
      .find({ pending_since: { $lt: before } })
      .limit(100)
      .toArray(),
  )
  for (const code of due) for (const each of code.pending) await give({ store }, code, each)
}
