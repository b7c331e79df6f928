// Webhooks in the store: where an account wants to be told, the secrets it is signed with (encrypted), and the outbox of
// what is to be delivered, which is its log too.
import { Schema } from 'mongoose'

export const WEBHOOK_EVENTS = ['job.completed', 'job.failed', 'job.canceled', 'job.expired'] as const
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number]

/** Newest first; an older one signs too until its time is over. */
export interface StoredSecret {
  sealed: string
  until: Date | null
}

export interface WebhookEndpointRecord {
  _id: string
  account_id: string
  url: string
  events: WebhookEvent[]
  description: string
  disabled: boolean
  /** 'gone': the receiver answered 410. */
  disabled_reason: 'owner' | 'gone' | null
  secrets: StoredSecret[]
  created_at: Date
}

/** Of an account, for the addresses that came with single requests. */
export interface SigningSecretRecord {
  /** The account's. */
  _id: string
  secrets: StoredSecret[]
}

export interface DeliveryAttempt {
  at: Date
  ms: number
  /** The receiver's HTTP status; null where there was none. */
  status: number | null
  error: string | null
}

export interface WebhookDeliveryRecord {
  /** `<job>:<completed|failed|…>:<endpoint>`: one for each, however often it is written. It is the webhook-id. */
  _id: string
  account_id: string
  job_id: string
  event: WebhookEvent
  /** Null: the address came with the request. */
  endpoint_id: string | null
  url: string
  /** What may be slow: the endpoint, or the account for addresses of requests. */
  target: string
  status: 'pending' | 'delivered' | 'failed'
  /** Of the present schedule. */
  tries: number
  attempts: DeliveryAttempt[]
  /** When it is tried next; while a router tries it, when another may. Absent: no more. */
  next_at?: Date
  /** Raised by each claim, so that the result of one that lost its lease is not written. */
  fence: number
  created_at: Date
  delivered_at: Date | null
  expires_at: Date
}

const secrets = { type: [Schema.Types.Mixed], required: true }

export const webhookEndpointSchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    account_id: { type: String, required: true },
    url: { type: String, required: true },
    events: { type: [String], required: true },
    description: { type: String, default: '' },
    disabled: { type: Boolean, required: true },
    disabled_reason: { type: String, default: null },
    secrets,
    created_at: { type: Date, required: true },
  },
  { collection: 'webhook_endpoints', versionKey: false, autoIndex: false },
)
webhookEndpointSchema.index({ account_id: 1, _id: -1 }, { name: 'account' })

export const signingSecretSchema: Schema = new Schema(
  { _id: { type: String, required: true }, secrets },
  { collection: 'signing_secrets', versionKey: false, autoIndex: false },
)

export const webhookDeliverySchema: Schema = new Schema(
  {
    _id: { type: String, required: true },
    account_id: { type: String, required: true },
    job_id: { type: String, required: true },
    event: { type: String, enum: WEBHOOK_EVENTS, required: true },
    endpoint_id: { type: String, default: null },
    url: { type: String, required: true },
    target: { type: String, required: true },
    status: { type: String, enum: ['pending', 'delivered', 'failed'], required: true },
    tries: { type: Number, required: true },
    attempts: { type: [Schema.Types.Mixed], required: true },
    next_at: { type: Date },
    fence: { type: Number, required: true },
    created_at: { type: Date, required: true },
    delivered_at: { type: Date, default: null },
    expires_at: { type: Date, required: true },
  },
  { collection: 'webhook_deliveries', versionKey: false, autoIndex: false },
)
webhookDeliverySchema.index({ account_id: 1, _id: -1 }, { name: 'account' })
webhookDeliverySchema.index({ next_at: 1 }, { name: 'due', partialFilterExpression: { next_at: { $exists: true } } })
webhookDeliverySchema.index({ expires_at: 1 }, { name: 'expiry', expireAfterSeconds: 0 })
