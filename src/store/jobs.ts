// Jobs in the store: one document for every piece of work, which is also the intent log of its money.
import { Schema } from 'mongoose'
import type { ErrorKind, Json, JsonObject, Operation } from '../contract.ts'

/** new → running → settling → settled, or new | running → releasing → released. */
export type JobState = 'new' | 'running' | 'settling' | 'settled' | 'releasing' | 'released'

/** What a job was offered at: kept on the job, so that a price change never touches work in flight. */
export interface JobOffer {
  provider: string
  upstream: string
  /** The quote of pricing/schema and the estimated usage, as plain JSON. */
  quote: Json
  estimate: Json
}

export interface JobAttempt {
  provider: string
  upstream: string
  started_at: Date
  ms: number | null
  /** 'accepted', 'completed', or the kind of the error. */
  outcome: 'started' | 'accepted' | 'completed' | ErrorKind
  message: string | null
}

export interface JobOutput {
  type: 'image' | 'video' | 'audio' | 'text' | 'json'
  /** Key in storage; null once its retention ended. */
  key: string | null
  media_type: string
  bytes: number
  sha256: string
  seconds: number | null
  width: number | null
  height: number | null
  /** What it is beside the output itself: pictures of a film. */
  role?: 'thumbnail' | 'spritesheet'
}

export interface JobError {
  code: string
  message: string
  type: string
  param: string | null
}

/** Why a job ended, written once, by compare-and-set out of new or running: the single decision about its money. */
export interface JobDecision {
  /** Fresh for each attempt to decide, so that a repeated write knows its own. */
  id: string
  status: 'completed' | 'failed' | 'canceled' | 'expired'
  by: string
  at: Date
}

export interface JobMade {
  at: Date
  usage: Json
  /** Kept where the provider cannot be asked again. */
  output: Json | null
}

/** Part of a charge given back by an admin; `before` is what had been given back before it. */
export interface JobRefund {
  id: string
  amount: bigint
  before: bigint
  reason: string
  by: string
  at: Date
}

export interface JobRecord {
  _id: string
  account_id: string
  user_id: string
  key_id: string
  operation: Operation
  /** The route that took it: 'chat.completions', 'images.edits', … */
  endpoint: string
  model: string
  offers: JobOffer[]
  /** Index into `offers` of the one that serves it. */
  offer: number
  /** Worked by the request that brought it, or by whichever router's worker claims it. */
  mode: 'sync' | 'async'
  state: JobState
  nonce: string
  hold: bigint
  cost: bigint | null
  /** What the provider's list price makes of the usage. */
  list_cost: bigint | null
  /** By how much the list price exceeds the charge; absent where it does not. */
  loss?: bigint
  /** What was given back of the cost, and how. */
  refunded?: bigint
  refunds?: JobRefund[]
  /** Since when a refund is under way. */
  refund_due?: Date
  lines: Json[]
  usage: Json | null
  decision: JobDecision | null
  /** The router that works on it; absent between two polls and once the job is finished. */
  lease: { owner?: string; fence: number }
  /** When the worker looks at it next; absent for synchronous work and while a router works on it. */
  poll_at?: Date
  /** Which of the worker's queues it waits in; of asynchronous work alone. */
  queue?: string
  /** When its owner asked for its end while another router worked on it. */
  cancel_at?: Date
  polls: number
  /** When the provider was last seen still working on it. */
  polled_at?: Date
  ref: Json | null
  /** Set once the provider says that it is done, while its files cannot be brought here. */
  made?: JobMade
  /** A success that was seen after the job had been given up: never charged, and known to admins. */
  late_success?: { at: Date; usage: Json }
  /** How often work that was given up has been looked at. */
  late_looks?: number
  percent: number
  deadline: Date
  attempts: JobAttempt[]
  outputs: JobOutput[]
  error: JobError | null
  /** What is missing of a result that was delivered and charged in part: how many were asked for and made, and why. */
  partial?: Json
  /** The request of an asynchronous job, erased at its end; larger ones are in storage under `request_key`. */
  request: Json | null
  request_key: string | null
  /** The facts of the request that its answer repeats: a video's prompt, size and seconds. */
  echo: JsonObject
  metadata: Record<string, string>
  /** Where the request wants its end told, beside the account's endpoints. */
  webhook_url?: string
  request_id: string
  /** The row and the try of the Idempotency-Key under which it was asked for. */
  idempotency?: { id: string; attempt: string }
  created_at: Date
  started_at: Date | null
  completed_at: Date | null
  /** Of its key when it was opened, in place of the site's. */
  retention_days?: number
  /** When its outputs go; absent when it has none. */
  expires_at?: Date
  deleted_at: Date | null
}

const mixed = Schema.Types.Mixed

export const jobSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    account_id: { type: String, required: true },
    user_id: { type: String, required: true },
    key_id: { type: String, required: true },
    operation: { type: String, required: true },
    endpoint: { type: String, required: true },
    model: { type: String, required: true },
    offers: { type: [mixed], required: true },
    offer: { type: Number, required: true },
    mode: { type: String, enum: ['sync', 'async'], required: true },
    state: { type: String, enum: ['new', 'running', 'settling', 'settled', 'releasing', 'released'], required: true },
    nonce: { type: String, required: true },
    hold: { type: Schema.Types.BigInt, required: true },
    cost: { type: Schema.Types.BigInt, default: null },
    list_cost: { type: Schema.Types.BigInt, default: null },
    loss: { type: Schema.Types.BigInt },
    refunded: { type: Schema.Types.BigInt },
    refunds: { type: [mixed], default: undefined },
    refund_due: { type: Date },
    lines: { type: [mixed], required: true },
    usage: { type: mixed, default: null },
    decision: { type: mixed, default: null },
    lease: { type: mixed, required: true },
    poll_at: { type: Date },
    queue: { type: String },
    cancel_at: { type: Date },
    polls: { type: Number, required: true },
    polled_at: { type: Date },
    ref: { type: mixed, default: null },
    made: { type: mixed },
    late_success: { type: mixed },
    late_looks: { type: Number },
    percent: { type: Number, required: true },
    deadline: { type: Date, required: true },
    attempts: { type: [mixed], required: true },
    outputs: { type: [mixed], required: true },
    error: { type: mixed, default: null },
    partial: { type: mixed },
    request: { type: mixed, default: null },
    request_key: { type: String, default: null },
    echo: { type: mixed, required: true },
    metadata: { type: mixed, required: true },
    webhook_url: { type: String },
    request_id: { type: String, required: true },
    idempotency: { type: mixed },
    created_at: { type: Date, required: true },
    started_at: { type: Date, default: null },
    completed_at: { type: Date, default: null },
    retention_days: { type: Number },
    expires_at: { type: Date },
    deleted_at: { type: Date, default: null },
  },
  { collection: 'jobs', versionKey: false, minimize: false, autoIndex: false },
)
jobSchema.index({ account_id: 1, _id: -1 }, { name: 'account' })
// Absent fields keep these indexes as small as what is open or due, however many jobs are kept.
jobSchema.index({ 'lease.owner': 1 }, { name: 'owner', partialFilterExpression: { 'lease.owner': { $exists: true } } })
jobSchema.index({ queue: 1, poll_at: 1 }, { name: 'queue', partialFilterExpression: { poll_at: { $exists: true } } })
jobSchema.index({ cancel_at: 1 }, { name: 'cancel', partialFilterExpression: { cancel_at: { $exists: true } } })
// Responses that passed through are asked for by their provider's id.
jobSchema.index(
  { account_id: 1, 'echo.response_id': 1 },
  { name: 'response', partialFilterExpression: { 'echo.response_id': { $exists: true } } },
)
jobSchema.index({ expires_at: 1 }, { name: 'retention', partialFilterExpression: { expires_at: { $exists: true } } })
jobSchema.index(
  { 'idempotency.attempt': 1 },
  { name: 'idempotency', partialFilterExpression: { 'idempotency.attempt': { $exists: true } } },
)
jobSchema.index({ refund_due: 1 }, { name: 'refund', partialFilterExpression: { refund_due: { $exists: true } } })
jobSchema.index({ created_at: -1, _id: -1 }, { name: 'loss', partialFilterExpression: { loss: { $exists: true } } })
jobSchema.index({ created_at: 1 }, { name: 'refunded', partialFilterExpression: { refunded: { $exists: true } } })
