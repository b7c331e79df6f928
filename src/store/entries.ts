// Ledger entries in the store: immutable double-entry lines. The id is made from what the entry records, so writing it
// twice is impossible.
import { Schema } from 'mongoose'

export interface EntryRecord {
  /** `<job>:f` for a settlement, the grant's own id for a grant. */
  _id: string
  account_id: string
  type: 'grant' | 'settle'
  /** What the account gained (grant) or paid (settle); never negative. */
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
}

export const entrySchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    account_id: { type: String, required: true },
    type: { type: String, enum: ['grant', 'settle'], required: true },
    amount: { type: Schema.Types.BigInt, required: true },
    legs: { type: [Schema.Types.Mixed], required: true },
    job_id: { type: String, default: null },
    key_id: { type: String, default: null },
    reason: { type: String, default: null },
    by: { type: String, default: null },
    windows: { type: Schema.Types.Mixed },
    at: { type: Date, required: true },
  },
  { collection: 'entries', versionKey: false, autoIndex: false },
)
entrySchema.index({ account_id: 1, at: -1, _id: -1 }, { name: 'account' })
