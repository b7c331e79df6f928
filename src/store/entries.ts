// Ledger entries in the store: immutable double-entry lines. The id is made from what the entry records, so writing it
// twice is impossible.
import { Schema } from 'mongoose'
import type { LotPart } from './lots.ts'

export const ENTRY_TYPES = ['grant', 'settle', 'refund', 'expire', 'reclaim'] as const
export type EntryType = (typeof ENTRY_TYPES)[number]

export interface EntryRecord {
  /** `<job>:f` for a settlement, the change's own id for all else. */
  _id: string
  account_id: string
  type: EntryType
  /** What the account gained (grant, refund) or lost (settle, expire, reclaim); never negative. */
  amount: bigint
  /** Add up to zero. */
  legs: { ledger: string; amount: bigint }[]
  job_id: string | null
  key_id: string | null
  reason: string | null
  by: string | null
  /** The days and months of limits that a settlement counts in, where there are such limits. */
  windows?: Record<string, string>
  at: Date
  /** The lots that bear it, in the order in which they were drawn on; absent until the allocator came by. */
  lots?: LotPart[]
  /** Of a refund: how much of its job had been refunded before. */
  before?: bigint
  /** Until the allocator has written its lots: the one thing of an entry that goes away. */
  unattributed?: true
}

export const entrySchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    account_id: { type: String, required: true },
    type: { type: String, enum: ENTRY_TYPES, required: true },
    amount: { type: Schema.Types.BigInt, required: true },
    legs: { type: [Schema.Types.Mixed], required: true },
    job_id: { type: String, default: null },
    key_id: { type: String, default: null },
    reason: { type: String, default: null },
    by: { type: String, default: null },
    windows: { type: Schema.Types.Mixed },
    at: { type: Date, required: true },
    lots: { type: [Schema.Types.Mixed], default: undefined },
    before: { type: Schema.Types.BigInt },
    unattributed: { type: Boolean },
  },
  { collection: 'entries', versionKey: false, autoIndex: false },
)
entrySchema.index({ account_id: 1, at: -1, _id: -1 }, { name: 'account' })
entrySchema.index(
  { unattributed: 1, account_id: 1, at: 1 },
  { name: 'unattributed', partialFilterExpression: { unattributed: { $exists: true } } },
)
