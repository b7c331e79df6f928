// Holding credit (S2 of the money protocol): one guarded update of the account document, for all that ask for the account
// at the same moment. It never reads a balance and then writes: the guard and the change are one statement.
import { randomUUID } from 'node:crypto'
import type { AccountRecord, Hold } from '../store/accounts.ts'
import { Batch } from '../store/batch.ts'
import type { Store } from '../store/connect.ts'
import { byAccount, oncePerJob } from './by_account.ts'
import type { NanoUsd } from './money.ts'
import { isOutcomeUnknown, isRefused, repeatUntilKnown, type UpdateStatement, update } from './writes.ts'

export interface HoldRequest {
  job_id: string
  account_id: string
  key_id: string
  amount: NanoUsd
}

export type HoldOutcome =
  | { held: true; nonce: string }
  | { held: false; reason: 'insufficient_credits' | 'key_budget_exhausted'; available: NanoUsd }

interface Attempt extends HoldRequest {
  nonce: string
}

type HeldAccount = Pick<AccountRecord, '_id' | 'available' | 'holds' | 'keys'>

/** A batch of holds; each gets its own exact answer. Throws StoreUnavailable when the store is silent. */
export function holdBatch(store: Store): Batch<HoldRequest, HoldOutcome> {
  return new Batch((requests) => hold(store, requests), { items_max: 200, linger_ms: 0, apart: isRefused })
}

async function hold(store: Store, requests: HoldRequest[]): Promise<HoldOutcome[]> {
  const outcomes = new Map<string, HoldOutcome>()
  const jobs = new Set(requests.map(({ job_id }) => job_id)).size
  let together = true
  await repeatUntilKnown(async () => {
    while (outcomes.size < jobs) {
      const attempts = oncePerJob(requests.filter(({ job_id }) => !outcomes.has(job_id))).map(attemptOf)
      const groups = together ? byAccount(attempts) : attempts.map((attempt) => [attempt])
      const { matched, lost } = await send(store, groups)
      if (matched === groups.length) {
        for (const { job_id, nonce } of attempts) outcomes.set(job_id, { held: true, nonce })
        return
      }
      const accounts = await readHolds(store, attempts)
      const alone = groups.length === attempts.length
      for (const attempt of attempts) {
        const found = outcome(attempt, accounts.get(attempt.account_id))
        // What was refused in company may fit alone; and after an answer was lost an absent hold proves nothing.
        if (found.held || (alone && !lost)) outcomes.set(attempt.job_id, found)
      }
      together = false
      if (lost && outcomes.size < jobs) throw lost
    }
  })
  return requests.map(({ job_id }) => outcomes.get(job_id) as HoldOutcome)
}

/** Every attempt has a fresh nonce: a delayed duplicate of an earlier write can then never pass for a later hold. */
const attemptOf = (request: HoldRequest): Attempt => ({ ...request, nonce: randomUUID() })

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
  }
  for (const { job_id, key_id, amount, nonce } of group) {
    q[`holds.${job_id}`] = { $exists: false }
    $set[`holds.${job_id}`] = { amount, nonce, extension: 0, key_id, at: new Date() }
  }
  return { q, u: { $inc, $set } }
}

const sumOf = (attempts: Attempt[]): NanoUsd => attempts.reduce((sum, { amount }) => sum + amount, 0n)

async function readHolds(store: Store, attempts: Attempt[]): Promise<Map<string, HeldAccount>> {
  const projection: Record<string, 1> = { available: 1 }
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
  if (available >= attempt.amount && room < attempt.amount)
    return { held: false, reason: 'key_budget_exhausted', available: room < 0n ? 0n : room }
  return { held: false, reason: 'insufficient_credits', available }
}
