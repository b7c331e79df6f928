// Selling prices of accounts in the store: a discount or a margin each, for everything, an operation, a model or a vendor's
// models, from a day on.
import { Schema } from 'mongoose'
import type { Operation } from '../contract.ts'

export interface AccountPriceRecord {
  _id: string
  account_id: string
  /** At most one of these two; none: for everything. */
  model: string | null
  operation: Operation | null
  /** Exactly one of these two, a plain decimal. */
  discount: string | null
  margin: string | null
  from: Date
  by: string
  created_at: Date
}

export const accountPriceSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    account_id: { type: String, required: true },
    model: { type: String, default: null },
    operation: { type: String, default: null },
    discount: { type: String, default: null },
    margin: { type: String, default: null },
    from: { type: Date, required: true },
    by: { type: String, required: true },
    created_at: { type: Date, required: true },
  },
  { collection: 'account_prices', versionKey: false, autoIndex: false },
)
accountPriceSchema.index({ account_id: 1, _id: 1 }, { name: 'account' })
