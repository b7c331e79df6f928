// Past days in the store: what all jobs that were begun on a day charged and cost, added up once. Made from the jobs, kept
// longer than they are, and never changed.
import { Schema } from 'mongoose'
import type { Operation } from '../contract.ts'

/** The jobs of one model at one provider; amounts in nano-USD. */
export interface MarginRow {
  provider: string
  model: string
  /** The provider's own name of it, which is what its invoice says. */
  upstream: string
  operation: Operation
  jobs: number
  charged: bigint
  /** At the provider's list price. */
  list: bigint
  /** How many were sold below that, and by how much together. */
  below: number
  loss: bigint
}

export interface MarginDayRecord {
  /** `2026-11-21`, of UTC. */
  _id: string
  rows: MarginRow[]
  made_at: Date
}

export const marginDaySchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    rows: { type: [Schema.Types.Mixed], required: true },
    made_at: { type: Date, required: true },
  },
  { collection: 'margin_days', versionKey: false, autoIndex: false },
)
