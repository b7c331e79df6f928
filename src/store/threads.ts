// Threads of pictures in the store: which jobs made them, in order. What a job made and cost is the job's alone.
import { Schema } from 'mongoose'
import type { JsonObject } from '../contract.ts'

export interface ThreadTurn {
  job_id: string
  /** Null once its retention ended. */
  prompt: string | null
  created_at: Date
}

export interface ThreadRecord {
  _id: string
  account_id: string
  /** As the caller named it; a turn may name another. */
  model: string
  /** Fields of the first request that hold for the later ones: size, quality, … */
  settings: JsonObject
  /** Those that succeeded. */
  turns: ThreadTurn[]
  /** The one under way, or ended and not yet looked at; there is never a second. */
  pending: ThreadTurn | null
  created_at: Date
  updated_at: Date
  /** When its words go, with its last pictures. */
  expires_at?: Date
  /** While its pictures are being removed. */
  deleted_at: Date | null
}

const mixed = Schema.Types.Mixed

export const threadSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    account_id: { type: String, required: true },
    model: { type: String, required: true },
    settings: { type: mixed, required: true },
    turns: { type: [mixed], required: true },
    pending: { type: mixed, default: null },
    created_at: { type: Date, required: true },
    updated_at: { type: Date, required: true },
    expires_at: { type: Date },
    deleted_at: { type: Date, default: null },
  },
  { collection: 'threads', versionKey: false, minimize: false, autoIndex: false },
)
threadSchema.index({ account_id: 1, _id: -1 }, { name: 'account' })
threadSchema.index({ expires_at: 1 }, { name: 'retention', partialFilterExpression: { expires_at: { $exists: true } } })
