// Idempotency keys in the store: one row for each key of an account, with the answer that was given under it. Rows go by
// themselves after two days.
import { Schema } from 'mongoose'

export interface IdempotencyRecord {
  /** The account, and the SHA-256 of its key: so there can be one alone, on a sharded cluster too. */
  _id: string
  account_id: string
  /** SHA-256 of the request: another one under the same key is refused. */
  hash: string
  /** Fresh for every try of the work: what an earlier one still writes changes nothing. */
  attempt: string
  /** Gone: the work was done, and its answer is not here any more. */
  state: 'running' | 'kept' | 'gone'
  /** The router that runs it. */
  router: string
  job_id: string | null
  status: number
  headers: Record<string, string>
  /** Its bytes as Latin-1, sealed where it holds a secret; null where there is none, or where it is in storage. */
  body: string | null
  sealed: boolean
  body_key: string | null
  created_at: Date
  /** When its content goes, where that is before the row does. */
  erase_at?: Date
  expires_at: Date
}

export const idempotencySchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    account_id: { type: String, required: true },
    hash: { type: String, required: true },
    attempt: { type: String, required: true },
    state: { type: String, enum: ['running', 'kept', 'gone'], required: true },
    router: { type: String, required: true },
    job_id: { type: String, default: null },
    status: { type: Number, required: true },
    headers: { type: Schema.Types.Mixed, required: true },
    body: { type: String, default: null },
    sealed: { type: Boolean, required: true },
    body_key: { type: String, default: null },
    created_at: { type: Date, required: true },
    erase_at: { type: Date },
    expires_at: { type: Date, required: true },
  },
  { collection: 'idempotency', versionKey: false, minimize: false, autoIndex: false },
)
idempotencySchema.index({ erase_at: 1 }, { name: 'erase', partialFilterExpression: { erase_at: { $exists: true } } })
idempotencySchema.index({ expires_at: 1 }, { name: 'expiry', expireAfterSeconds: 0 })
