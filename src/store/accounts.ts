// Accounts in the store: whose credit it is. All of an account's money is in this one document, so that one guarded
// update can move it; every amount is an Int64 of nano-USD.
import { Schema } from 'mongoose'
import type { EntryType } from './entries.ts'
import type { LotTerms } from './lots.ts'

/**
 * Credit set aside for one job. The nonce is fresh for every attempt to hold, so a delayed duplicate is recognised, and
 * tells in which windows of which limits the hold is counted.
 */
export interface Hold {
  amount: bigint
  nonce: string
  extension: number
  key_id: string
  at: Date
}

/** Money a day and a month (of UTC), requests and tokens a minute (from the first call on), jobs at once. */
export type LimitKind = 'day' | 'month' | 'requests' | 'tokens' | 'jobs'

/** One limit in its present window: `room + held + settled` is the limit, always. Money in nano-USD, all else in numbers. */
export interface Allowance {
  /** '2026-11-21', '2026-11', or the time of the minute's first call. */
  window: string
  limit: bigint
  room: bigint
  held: bigint
  settled: bigint
}

/** Those that were ever set: one that is taken away stays, without end, so that what it counts stays true. */
export type Limits = Partial<Record<LimitKind, Allowance>>

/** What one key has used of the account, and what it may still use: `room + held + settled` is its limit, always. */
export interface KeySpend {
  room: bigint
  held: bigint
  settled: bigint
  limits?: Limits
}

/**
 * A change that no job makes, applied and perhaps not journaled yet: the whole entry, so that a crash leaves nothing
 * unexplained. A zero says that the change was refused: nobody else can make it under this id.
 */
export interface AppliedChange {
  id: string
  /** Absent in those of before there were lots: a grant. */
  type?: Exclude<EntryType, 'settle'>
  amount: bigint
  reason: string
  by: string
  at: Date
  /** Of a grant. */
  terms?: LotTerms
  /** Of a refund: the job, the key that gets its room back, and what had been refunded before. */
  job_id?: string
  key_id?: string
  before?: bigint
  /** Of credit that leaves: the lot it leaves. */
  lot?: string
}

/** `credits == available + held + settled` in every state of the document. */
export interface AccountRecord {
  _id: string
  name: string
  credits: bigint
  available: bigint
  held: bigint
  settled: bigint
  /** By job id. */
  holds: Record<string, Hold>
  /** By key id. */
  keys: Record<string, KeySpend>
  limits?: Limits
  applied: AppliedChange[]
  created_at: Date
}

/** The room of a key without a limit: so large that no account reaches it, so that every key is guarded alike. */
export const UNLIMITED_ROOM = 4_000_000_000_000_000_000n

const amount = { type: Schema.Types.BigInt, required: true }

export const accountSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    name: { type: String, required: true },
    credits: amount,
    available: amount,
    held: amount,
    settled: amount,
    holds: { type: Schema.Types.Mixed, required: true },
    keys: { type: Schema.Types.Mixed, required: true },
    limits: { type: Schema.Types.Mixed },
    applied: { type: [Schema.Types.Mixed], required: true },
    created_at: { type: Date, required: true },
  },
  { collection: 'accounts', versionKey: false, minimize: false, autoIndex: false },
)
