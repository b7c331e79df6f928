// Holding credit (S2 of the money protocol): one guarded update of the account document, many of them to a command.
// It never reads a balance and then writes: the guard and the change are one statement.
import { randomUUID } from 'node:crypto'
import type { AccountRecord } from '../store/accounts.ts'
import { Batch } from '../store/batch.ts'
import type { Store } from '../store/connect.ts'
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
  await repeatUntilKnown(async () => {
    // Every attempt has fresh nonces: a delayed duplicate of this write can then never pass for a later hold.
    const attempts = requests
      .filter(({ job_id }) => !outcomes.has(job_id))
      .map((request) => ({ ...request, nonce: randomUUID() }))
    const { matched, lost } = await send(store, attempts)
    if (matched === attempts.length) {
      for (const { job_id, nonce } of attempts) outcomes.set(job_id, { held: true, nonce })
      return
    }
    const accounts = await readHolds(store, attempts)
    for (const attempt of attempts) {
      const found = outcome(attempt, accounts.get(attempt.account_id))
      // After an answer was lost an absent hold proves nothing: it is tried again.
      if (found.held || !lost) outcomes.set(attempt.job_id, found)
    }
    if (outcomes.size < requests.length) throw lost
  })
  return requests.map(({ job_id }) => outcomes.get(job_id) as HoldOutcome)
}

/** How many were held; or why that is not known. */
async function send(store: Store, attempts: Attempt[]): Promise<{ matched: number; lost?: unknown }> {
  try {
    return { matched: await update(store.database, 'accounts', attempts.map(statement)) }
  } catch (error) {
    if (isOutcomeUnknown(error)) return { matched: -1, lost: error }
    throw error
  }
}

function statement({ job_id, account_id, key_id, amount, nonce }: Attempt): UpdateStatement {
  return {
    q: {
      _id: account_id,
      available: { $gte: amount },
      // What costs nothing is refused to nobody, even where a limit was set below what the key has spent.
      ...(amount > 0n && { [`keys.${key_id}.room`]: { $gte: amount } }),
      [`holds.${job_id}`]: { $exists: false },
    },
    u: {
      $inc: { available: -amount, held: amount, [`keys.${key_id}.room`]: -amount, [`keys.${key_id}.held`]: amount },
      $set: { [`holds.${job_id}`]: { amount, nonce, extension: 0, key_id, at: new Date() } },
    },
  }
}

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
