// What accounts used on each day that is over, in the store: sums of jobs that are all decided, so that a report of a year
// reads days and not jobs. Made anew from the jobs at any time; money is never decided by it.
import { Schema } from 'mongoose'
import type { Meters, Operation } from '../contract.ts'

/** What jobs of one key with one model came to. */
export interface UsageSum {
  key_id: string
  model: string
  operation: Operation
  jobs: number
  cost: bigint
  meters: Meters
}

/** One account on one day. */
export interface UsageSumsRecord {
  /** `2026-11-20:acc_…` */
  _id: string
  account_id: string
  user_id: string
  sums: UsageSum[]
}

/** A day whose sums are all there, or are being made. */
export interface UsageDayRecord {
  /** `2026-11-20`, in UTC. */
  _id: string
  state: 'under way' | 'done'
  /** Until then whoever began it is left to it. */
  until: Date
}

export const usageSumsSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    account_id: { type: String, required: true },
    user_id: { type: String, required: true },
    sums: { type: [Schema.Types.Mixed], required: true },
  },
  { collection: 'usage_sums', versionKey: false, autoIndex: false },
)

export const usageDaySchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    state: { type: String, enum: ['under way', 'done'], required: true },
    until: { type: Date, required: true },
  },
  { collection: 'usage_days', versionKey: false, autoIndex: false },
)
