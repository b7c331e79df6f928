// API keys in the store: who may call, and what. Only the SHA-256 of a key is kept, never the key.
import { Schema } from 'mongoose'

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
  /** Models it may call; absent: all. */
  models: string[] | null
  limit: bigint | null
  /** How long outputs of its jobs are kept; absent or null: as long as the site keeps them. */
  retention_days?: number | null
  disabled: boolean
  expires_at: Date | null
  created_at: Date
  last_used_at: Date | null
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
    limit: { type: Schema.Types.BigInt, default: null },
    retention_days: { type: Number, default: null },
    disabled: { type: Boolean, required: true },
    expires_at: { type: Date, default: null },
    created_at: { type: Date, required: true },
    last_used_at: { type: Date, default: null },
  },
  { collection: 'keys', versionKey: false, autoIndex: false },
)
keySchema.index({ hash: 1 }, { unique: true, name: 'hash' })
keySchema.index({ account_id: 1, _id: -1 }, { name: 'account' })
keySchema.index({ user_id: 1, _id: -1 }, { name: 'user' })
