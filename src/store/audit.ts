// The audit trail in the store: what admins changed, who and when. Append only; never a secret in it.
import { Schema } from 'mongoose'
import type { Json } from '../contract.ts'

export interface AuditRecord {
  _id: string
  by: string
  action: string
  subject: string
  detail: Json
  at: Date
}

export const auditSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    by: { type: String, required: true },
    action: { type: String, required: true },
    subject: { type: String, required: true },
    detail: { type: Schema.Types.Mixed, default: null },
    at: { type: Date, required: true },
  },
  { collection: 'audit', versionKey: false, autoIndex: false },
)
auditSchema.index({ at: -1, _id: -1 }, { name: 'time' })
auditSchema.index({ subject: 1, at: -1, _id: -1 }, { name: 'subject' })
