// API keys in the store: who may call, and what. Only the SHA-256 of a key is kept, never the key.
import { Schema } from 'mongoose'
import type { Operation } from '../contract.ts'

/** The key as it was before it was rotated: it works beside the new one until its time is over. */
export interface PreviousKey {
  hash: string
  prefix: string
  expires_at: Date
  last_used_at: Date | null
}

export interface KeyRecord {
  _id: string
  /** Hex SHA-256 of the whole key. */
  hash: string
  /** The first characters, for people to recognise it by. */
  prefix: string
  name: string
  user_id: string
  account_id: string
  /** 'admin' keys call /api/v1, 'caller' keys everything else. */
  kind: 'caller' | 'admin'
  /** Models it may call, or `vendor/*`; absent: all. */
  models: string[] | null
  /** What it may be used for; absent or null: everything. */
  operations?: Operation[] | null
  /** Addresses and networks (CIDR) that it may be used from; absent or null: everywhere. */
  allowed_ips?: string[] | null
  limit: bigint | null
  /** How long outputs of its jobs are kept; absent or null: as long as the site keeps them. */
  retention_days?: number | null
  disabled: boolean
  expires_at: Date | null
  created_at: Date
  last_used_at: Date | null
  previous?: PreviousKey
}

export const keySchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    hash: { type: String, required: true },
    prefix: { type: String, required: true },
    name: { type: String, required: true },
    user_id: { type: String, required: true },
    account_id: { type: String, required: true },
    kind: { type: String, enum: ['caller', 'admin'], required: true },
    models: { type: [String], default: null },
    operations: { type: [String], default: null },
    allowed_ips: { type: [String], default: null },
    limit: { type: Schema.Types.BigInt, default: null },
    retention_days: { type: Number, default: null },
    disabled: { type: Boolean, required: true },
    expires_at: { type: Date, default: null },
    created_at: { type: Date, required: true },
    last_used_at: { type: Date, default: null },
    previous: { type: Schema.Types.Mixed },
  },
  { collection: 'keys', versionKey: false, autoIndex: false },
)
keySchema.index({ hash: 1 }, { unique: true, name: 'hash' })
keySchema.index(
  { 'previous.hash': 1 },
  { name: 'previous', partialFilterExpression: { 'previous.hash': { $exists: true } } },
)
keySchema.index({ account_id: 1, _id: -1 }, { name: 'account' })
keySchema.index({ user_id: 1, _id: -1 }, { name: 'user' })
