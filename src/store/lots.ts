// Lots in the store: one purchase or grant of credit each, with its expiry; and how far each account's lots have been
// written. The account document alone says what can be spent: holding and settling never touch these.
import { Schema } from 'mongoose'

export const LOT_KINDS = ['paid', 'promotional'] as const
export type LotKind = (typeof LOT_KINDS)[number]

/** Where a lot came from: an admin's grant, a pack, a code, or a refund of what an expired lot had paid. */
export interface LotSource {
  type: 'grant' | 'pack' | 'code' | 'refund'
  /** The pack's name, the code's id, the refund's id; null for a plain grant. */
  id: string | null
}

/** What a grant says of the lot that it makes. */
export interface LotTerms {
  kind: LotKind
  expires_at: Date | null
  source: LotSource
}

/** `amount == remaining + spent + expired + reclaimed` in every state of the document. */
export interface LotRecord extends LotTerms {
  /** The id of the entry that gave the credit. */
  _id: string
  account_id: string
  amount: bigint
  remaining: bigint
  spent: bigint
  expired: bigint
  reclaimed: bigint
  reason: string
  created_at: Date
  /** The last step of the account's lot book that changed it: a delayed write of an earlier one matches nothing. */
  step: number
  /** Absent once nothing remains, so that the indexes are as small as what can still be spent. */
  open?: true
}

/** A share of an entry that a lot bears; without an amount: the rest of the entry. */
export interface LotPart {
  lot: string
  amount?: bigint
}

/** Lots as a step leaves them. */
export type LotState = Pick<LotRecord, '_id' | 'remaining' | 'spent' | 'expired' | 'reclaimed'>

/** Credit on its way out of an account: taken out of the lot already, and perhaps out of the account. */
export interface Taking {
  /** Of the entry to come: whatever stands under it in the account is what was taken. */
  id: string
  type: 'expire' | 'reclaim'
  lot: string
  amount: bigint
  /** All of it or nothing; else as much as is available. */
  whole: boolean
  reason: string
  by: string
}

/**
 * One account's lots are written in steps, each a compare-and-set of this document that holds the whole step: whoever
 * finds it may carry it out, again and again, and the next step is made only when it is carried out.
 */
export interface LotBookRecord {
  /** The account's. */
  _id: string
  step: number
  /** What lots have borne of the account's charges, refunds taken off. */
  attributed: bigint
  lots: LotState[]
  opened: LotRecord[]
  /** Entries by the lots that bear them. */
  parts: { lots: LotPart[]; entries: string[] }[]
  taking: Taking | null
  /** Absent once the step is known to be carried out. */
  due?: Date
}

const amount = { type: Schema.Types.BigInt, required: true }
const mixed = Schema.Types.Mixed

export const lotSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    account_id: { type: String, required: true },
    kind: { type: String, enum: LOT_KINDS, required: true },
    amount,
    remaining: amount,
    spent: amount,
    expired: amount,
    reclaimed: amount,
    expires_at: { type: Date, default: null },
    source: { type: mixed, required: true },
    reason: { type: String, required: true },
    created_at: { type: Date, required: true },
    step: { type: Number, required: true },
    open: { type: Boolean },
  },
  { collection: 'lots', versionKey: false, autoIndex: false },
)
const whileOpen = { partialFilterExpression: { open: { $exists: true } } }
lotSchema.index({ account_id: 1, created_at: -1, _id: -1 }, { name: 'account' })
lotSchema.index({ account_id: 1, open: 1 }, { name: 'open', ...whileOpen })
lotSchema.index({ open: 1, expires_at: 1 }, { name: 'expiry', ...whileOpen })

export const lotBookSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    step: { type: Number, required: true },
    attributed: amount,
    lots: { type: [mixed], required: true },
    opened: { type: [mixed], required: true },
    parts: { type: [mixed], required: true },
    taking: { type: mixed, default: null },
    due: { type: Date },
  },
  { collection: 'lot_books', versionKey: false, minimize: false, autoIndex: false },
)
lotBookSchema.index({ due: 1 }, { name: 'due', partialFilterExpression: { due: { $exists: true } } })
