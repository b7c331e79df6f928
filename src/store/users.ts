// Users in the store: the people whom accounts and keys belong to.
import { Schema } from 'mongoose'

export interface UserRecord {
  _id: string
  name: string
  email: string | null
  account_id: string
  created_at: Date
}

export const userSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    name: { type: String, required: true },
    email: { type: String, default: null },
    account_id: { type: String, required: true },
    created_at: { type: Date, required: true },
  },
  { collection: 'users', versionKey: false, autoIndex: false },
)
userSchema.index({ email: 1 }, { unique: true, name: 'email', partialFilterExpression: { email: { $type: 'string' } } })
userSchema.index({ account_id: 1 }, { name: 'account' })
