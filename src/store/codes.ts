// Codes for credit in the store: what each gives, how often, and who has had it. Only the SHA-256 of a code is kept.
import { Schema } from 'mongoose'
import type { LotKind, LotSource } from './lots.ts'

/** One lot of what a code gives; its time runs from the day of redeeming where it is given in days. */
export interface CodeLot {
  kind: LotKind
  amount: bigint
  expires_at: Date | null
  expires_days: number | null
}

export interface Redemption {
  /** Of the grant, made of code and account: it can be given once. */
  id: string
  account_id: string
  user_id: string
  at: Date
}

export interface CodeRecord {
  _id: string
  /** Hex SHA-256 of the code as it is typed, without its dashes. */
  hash: string
  /** The first letters, for people to recognise it by. */
  prefix: string
  batch_id: string
  lots: CodeLot[]
  /** What its lots say of where they come from, where that is a pack. */
  source: LotSource | null
  reason: string
  uses: number
  /** How many of its uses are left: the claim takes one. */
  left: number
  redemptions: Redemption[]
  /** Claims whose grant is not known to be given. */
  pending: Redemption[]
  /** Since when there are such; absent where there are none. */
  pending_since?: Date
  disabled: boolean
  expires_at: Date | null
  by: string
  created_at: Date
}

/** Tries of one account at codes in one stretch of time, so that nobody goes through them. */
export interface CodeTriesRecord {
  /** `<account>:<stretch>` */
  _id: string
  tries: number
  expires_at: Date
}

const mixed = Schema.Types.Mixed

export const codeSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    hash: { type: String, required: true },
    prefix: { type: String, required: true },
    batch_id: { type: String, required: true },
    lots: { type: [mixed], required: true },
    source: { type: mixed, default: null },
    reason: { type: String, required: true },
    uses: { type: Number, required: true },
    left: { type: Number, required: true },
    redemptions: { type: [mixed], required: true },
    pending: { type: [mixed], required: true },
    pending_since: { type: Date },
    disabled: { type: Boolean, required: true },
    expires_at: { type: Date, default: null },
    by: { type: String, required: true },
    created_at: { type: Date, required: true },
  },
  { collection: 'codes', versionKey: false, autoIndex: false },
)
codeSchema.index({ hash: 1 }, { unique: true, name: 'hash' })
codeSchema.index({ batch_id: 1, _id: -1 }, { name: 'batch' })
codeSchema.index(
  { pending_since: 1 },
  { name: 'pending', partialFilterExpression: { pending_since: { $exists: true } } },
)

export const codeTriesSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    tries: { type: Number, required: true },
    expires_at: { type: Date, required: true },
  },
  { collection: 'code_tries', versionKey: false, autoIndex: false },
)
codeTriesSchema.index({ expires_at: 1 }, { name: 'expiry', expireAfterSeconds: 0 })
