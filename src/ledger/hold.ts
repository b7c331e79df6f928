// Holding credit (S2 of the money protocol): one guarded update of the account document, for all that ask for the account
// at the same moment. It never reads a balance and then writes: the guard and the change are one statement.
import { randomUUID } from 'node:crypto'
import type { AccountRecord, Hold, LimitKind } from '../store/accounts.ts'
import { Batch } from '../store/batch.ts'
import type { Store } from '../store/connect.ts'
import { byAccount, oncePerJob } from './by_account.ts'
import { faultPoint } from './fault_point.ts'
import { KnownLimits } from './known_limits.ts'
import {
  allowancesOf,
  isMoney,
  LIMIT_KINDS,
  LIMIT_OWNERS,
  type LimitOwner,
  limitsField,
  type Mark,
  nonceWith,
  takenBy,
  windowEnd,
} from './limits.ts'
import type { NanoUsd } from './money.ts'
import { isOutcomeUnknown, isRefused, repeatUntilKnown, type UpdateStatement, update } from './writes.ts'

export interface HoldRequest {
  job_id: string
  account_id: string
  key_id: string
  amount: NanoUsd
  /** At most so many tokens; for limits of tokens a minute. */
  tokens?: bigint
}

/** The limit that has no room: in nano-USD, or in requests, tokens, jobs. */
export interface FullLimit {
  owner: LimitOwner
  kind: LimitKind
  limit: bigint
  needed: bigint
  /** When it has room again, as far as time brings that about. */
  resets_at: Date | null
}

export type HoldOutcome =
  | { held: true; nonce: string }
  | {
      held: false
      reason: 'insufficient_credits' | 'key_budget_exhausted' | 'limit_reached'
      /** Of what was not enough. */
      available: bigint
      full?: FullLimit
    }

interface Attempt extends HoldRequest {
  nonce: string
  marks: Mark[]
}

type HeldAccount = Pick<AccountRecord, '_id' | 'available' | 'holds' | 'keys' | 'limits'>

/** A batch of holds; each gets its own exact answer. Throws StoreUnavailable when the store is silent. */
export function holdBatch(store: Store): Batch<HoldRequest, HoldOutcome> {
  const limits = new KnownLimits(store)
  return new Batch((requests) => hold(store, limits, requests), { items_max: 200, linger_ms: 0, apart: isRefused })
}

async function hold(store: Store, limits: KnownLimits, requests: HoldRequest[]): Promise<HoldOutcome[]> {
  const outcomes = new Map<string, HoldOutcome>()
  const jobs = new Set(requests.map(({ job_id }) => job_id)).size
  let together = true
  await repeatUntilKnown(async () => {
    while (outcomes.size < jobs) {
      const open = oncePerJob(requests.filter(({ job_id }) => !outcomes.has(job_id)))
      await limits.renew(open, new Date())
      const attempts = open.map((request) => attemptOf(request, limits.marks(request)))
      const groups = together ? byAccount(attempts) : attempts.map((attempt) => [attempt])
      const { matched, lost } = await send(store, groups)
      faultPoint('K3')
      if (matched === groups.length) {
        for (const { job_id, nonce } of attempts) outcomes.set(job_id, { held: true, nonce })
        return
      }
      const accounts = await readHolds(store, attempts)
      const alone = groups.length === attempts.length
      let news = false
      for (const attempt of attempts) {
        const account = accounts.get(attempt.account_id)
        const found = outcome(attempt, account)
        const learnt = limits.learn(attempt, account)
        news ||= learnt
        // What was refused in company may fit alone; what was held against limits as they no longer are was not refused
        // at all; and after an answer was lost an absent hold proves nothing.
        if (found.held || (alone && !lost && !learnt)) outcomes.set(attempt.job_id, found)
      }
      if (!news) together = false
      if (lost && outcomes.size < jobs) throw lost
    }
  })
  return requests.map(({ job_id }) => outcomes.get(job_id) as HoldOutcome)
}

/** Every attempt has a fresh nonce: a delayed duplicate of an earlier write can then never pass for a later hold. */
const attemptOf = (request: HoldRequest, marks: Mark[]): Attempt => ({
  ...request,
  nonce: nonceWith(randomUUID(), marks),
  marks,
})

/** How many groups were held; or why that is not known. */
async function send(store: Store, groups: Attempt[][]): Promise<{ matched: number; lost?: unknown }> {
  try {
    return { matched: await update(store.database, 'accounts', groups.map(statement)) }
  } catch (error) {
    if (isOutcomeUnknown(error)) return { matched: -1, lost: error }
    throw error
  }
}

/** Holds for all attempts of one account, or for none of them. */
function statement(group: Attempt[]): UpdateStatement {
  const total = sumOf(group)
  const q: Record<string, unknown> = { _id: group[0]?.account_id, available: { $gte: total } }
  const $inc: Record<string, bigint> = { available: -total, held: total }
  const $set: Record<string, Hold> = {}
  for (const [key_id, own] of Map.groupBy(group, (attempt) => attempt.key_id)) {
    const amount = sumOf(own)
    // What costs nothing is refused to nobody, even where a limit was set below what the key has spent.
    if (amount > 0n) q[`keys.${key_id}.room`] = { $gte: amount }
    $inc[`keys.${key_id}.room`] = -amount
    $inc[`keys.${key_id}.held`] = amount
    guardLimits('key', own, q, $inc)
  }
  guardLimits('account', group, q, $inc)
  for (const { job_id, key_id, amount, nonce } of group) {
    q[`holds.${job_id}`] = { $exists: false }
    $set[`holds.${job_id}`] = { amount, nonce, extension: 0, key_id, at: new Date() }
  }
  return { q, u: { $inc, $set } }
}

/** All attempts were marked at the same moment: what one of them knows of this owner's limits, the others know too. */
function guardLimits(owner: LimitOwner, group: Attempt[], q: Record<string, unknown>, $inc: Record<string, bigint>) {
  const field = limitsField(owner, group[0]?.key_id ?? '')
  const marksOfKind = (kind: LimitKind) =>
    group.flatMap(({ marks, amount }) =>
      marks.filter((mark) => mark.owner === owner && mark.kind === kind).map((mark) => ({ mark, amount })),
    )
  if (!group[0]?.marks.some((mark) => mark.owner === owner)) {
    q[field] = { $exists: false }
    return
  }
  for (const kind of LIMIT_KINDS) {
    const marks = marksOfKind(kind)
    const taken = marks.reduce((sum, { mark, amount }) => sum + takenBy(mark, amount), 0n)
    if (marks[0]) q[`${field}.${kind}.window`] = marks[0].mark.window
    else q[`${field}.${kind}`] = { $exists: false }
    if (taken === 0n) continue
    q[`${field}.${kind}.room`] = { $gte: taken }
    $inc[`${field}.${kind}.room`] = -taken
    $inc[`${field}.${kind}.held`] = taken
  }
}

const sumOf = (attempts: Attempt[]): NanoUsd => attempts.reduce((sum, { amount }) => sum + amount, 0n)

async function readHolds(store: Store, attempts: Attempt[]): Promise<Map<string, HeldAccount>> {
  const projection: Record<string, 1> = { available: 1, limits: 1 }
  for (const { job_id, key_id } of attempts) {
    projection[`holds.${job_id}`] = 1
    projection[`keys.${key_id}`] = 1
  }
  const ids = [...new Set(attempts.map(({ account_id }) => account_id))]
  const accounts = await store.accounts.find({ _id: { $in: ids } }, { projection }).toArray()
  return new Map(accounts.map((account) => [account._id, account]))
}

function outcome(attempt: Attempt, account: HeldAccount | undefined): HoldOutcome {
  const there = account?.holds?.[attempt.job_id]
  // A hold of an earlier attempt whose answer was lost is as good as ours: its nonce is adopted.
  if (there) return { held: true, nonce: there.nonce }
  const available = account?.available ?? 0n
  const room = account?.keys?.[attempt.key_id]?.room ?? 0n
  if (attempt.amount > 0n && available >= attempt.amount && room < attempt.amount)
    return { held: false, reason: 'key_budget_exhausted', available: room < 0n ? 0n : room }
  const full = available >= attempt.amount && account ? fullLimit(attempt, account) : undefined
  return full ?? { held: false, reason: 'insufficient_credits', available }
}

/** The first limit that has no room for this attempt; undefined where all have, by now. */
function fullLimit({ key_id, amount, tokens = 0n }: Attempt, account: HeldAccount): HoldOutcome | undefined {
  const limits = { key: account.keys?.[key_id]?.limits, account: account.limits }
  for (const owner of LIMIT_OWNERS) {
    for (const [kind, { window, limit, room }] of allowancesOf(limits[owner])) {
      const needed = takenBy({ kind, quantity: tokens }, amount)
      if (room >= needed || (isMoney(kind) && needed === 0n)) continue
      const full = { owner, kind, limit, needed, resets_at: windowEnd(kind, window) }
      return { held: false, reason: 'limit_reached', available: room < 0n ? 0n : room, full }
    }
  }
  return undefined
}
