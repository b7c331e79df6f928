// The connection to MongoDB (or to the embedded store, which speaks its protocol), its models and their indexes.
// Hot paths use the plain collections, which cost half of what mongoose documents do.
import mongoose, { type Connection, type mongo, type Schema } from 'mongoose'
import { type AccountPriceRecord, accountPriceSchema } from './account_prices.ts'
import { type AccountRecord, accountSchema } from './accounts.ts'
import { type AuditRecord, auditSchema } from './audit.ts'
import { clientOptions, isReplicated } from './client_options.ts'
import { type CodeRecord, type CodeTriesRecord, codeSchema, codeTriesSchema } from './codes.ts'
import { type EntryRecord, entrySchema } from './entries.ts'
import { type IdempotencyRecord, idempotencySchema } from './idempotency.ts'
import { type JobRecord, jobSchema } from './jobs.ts'
import { type KeyRecord, keySchema } from './keys.ts'
import { type LotBookRecord, type LotRecord, lotBookSchema, lotSchema } from './lots.ts'
import { type MarginDayRecord, marginDaySchema } from './margin_days.ts'
import { type RouterRecord, routerSchema } from './routers.ts'
import { type ThreadRecord, threadSchema } from './threads.ts'
import { type UsageDayRecord, type UsageSumsRecord, usageDaySchema, usageSumsSchema } from './usage.ts'
import { type UserRecord, userSchema } from './users.ts'
import {
  type SigningSecretRecord,
  signingSecretSchema,
  type WebhookDeliveryRecord,
  type WebhookEndpointRecord,
  webhookDeliverySchema,
  webhookEndpointSchema,
} from './webhooks.ts'

export interface Store {
  accounts: mongo.Collection<AccountRecord>
  users: mongo.Collection<UserRecord>
  keys: mongo.Collection<KeyRecord>
  jobs: mongo.Collection<JobRecord>
  entries: mongo.Collection<EntryRecord>
  lots: mongo.Collection<LotRecord>
  lot_books: mongo.Collection<LotBookRecord>
  account_prices: mongo.Collection<AccountPriceRecord>
  margin_days: mongo.Collection<MarginDayRecord>
  codes: mongo.Collection<CodeRecord>
  code_tries: mongo.Collection<CodeTriesRecord>
  routers: mongo.Collection<RouterRecord>
  audit: mongo.Collection<AuditRecord>
  webhook_endpoints: mongo.Collection<WebhookEndpointRecord>
  signing_secrets: mongo.Collection<SigningSecretRecord>
  webhook_deliveries: mongo.Collection<WebhookDeliveryRecord>
  threads: mongo.Collection<ThreadRecord>
  idempotency: mongo.Collection<IdempotencyRecord>
  usage_sums: mongo.Collection<UsageSumsRecord>
  usage_days: mongo.Collection<UsageDayRecord>
  connection: Connection
  /** Whether there can be elections. */
  replicated: boolean
  /** For commands that the collections' methods would wrap at a cost. */
  database: mongo.Db
  close(): Promise<void>
}

/** Connects, or throws with the driver's reason within `timeout_ms`. Indexes are made here, before anything is served. */
export async function connectStore(uri: string, timeout_ms = 5000): Promise<Store> {
  const connection = await mongoose.createConnection(uri, clientOptions(uri, timeout_ms)).asPromise()
  const schemas: Record<string, Schema> = {
    account: accountSchema,
    user: userSchema,
    key: keySchema,
    job: jobSchema,
    entry: entrySchema,
    lot: lotSchema,
    lot_book: lotBookSchema,
    account_price: accountPriceSchema,
    margin_day: marginDaySchema,
    code: codeSchema,
    code_try: codeTriesSchema,
    router: routerSchema,
    audit: auditSchema,
    webhook_endpoint: webhookEndpointSchema,
    signing_secret: signingSecretSchema,
    webhook_delivery: webhookDeliverySchema,
    thread: threadSchema,
    idempotency: idempotencySchema,
    usage_sum: usageSumsSchema,
    usage_day: usageDaySchema,
  }
  await Promise.all(Object.entries(schemas).map(([name, schema]) => connection.model(name, schema).createIndexes()))
  const database = connection.getClient().db(connection.name)
  return {
    accounts: database.collection<AccountRecord>('accounts'),
    users: database.collection<UserRecord>('users'),
    keys: database.collection<KeyRecord>('keys'),
    jobs: database.collection<JobRecord>('jobs'),
    entries: database.collection<EntryRecord>('entries'),
    lots: database.collection<LotRecord>('lots'),
    lot_books: database.collection<LotBookRecord>('lot_books'),
    account_prices: database.collection<AccountPriceRecord>('account_prices'),
    margin_days: database.collection<MarginDayRecord>('margin_days'),
    codes: database.collection<CodeRecord>('codes'),
    code_tries: database.collection<CodeTriesRecord>('code_tries'),
    routers: database.collection<RouterRecord>('routers'),
    audit: database.collection<AuditRecord>('audit'),
    webhook_endpoints: database.collection<WebhookEndpointRecord>('webhook_endpoints'),
    signing_secrets: database.collection<SigningSecretRecord>('signing_secrets'),
    webhook_deliveries: database.collection<WebhookDeliveryRecord>('webhook_deliveries'),
    threads: database.collection<ThreadRecord>('threads'),
    idempotency: database.collection<IdempotencyRecord>('idempotency'),
    usage_sums: database.collection<UsageSumsRecord>('usage_sums'),
    usage_days: database.collection<UsageDayRecord>('usage_days'),
    connection,
    replicated: await isReplicated(database),
    database,
    close: () => connection.close(),
  }
}
