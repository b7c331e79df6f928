// Webhook endpoints of an account: made, listed, changed, rotated, removed. The secret is shown when it is made, and kept
// encrypted.
import { repeatUntilKnown } from '../../ledger/writes.ts'
import { type Page, type PageQuery, pageById } from '../../store/page.ts'
import { WEBHOOK_EVENTS, type WebhookEndpointRecord, type WebhookEvent } from '../../store/webhooks.ts'
import { Failure } from '../failure.ts'
import { newId } from '../ids.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'
import {
  accountSecrets,
  newSecret,
  openSecrets,
  rotateAccountSecret,
  type SecretServices,
  withNewSecret,
} from './webhook_secrets.ts'
import { checkWebhookUrl } from './webhook_urls.ts'

export { WEBHOOK_EVENTS }

export interface WebhookView {
  id: string
  object: 'webhook'
  url: string
  events: WebhookEvent[]
  description: string
  disabled: boolean
  /** 'gone': the receiver answered 410, so nothing more was sent. */
  disabled_reason: 'owner' | 'gone' | null
  created_at: number | null
}

export interface WebhookFields {
  url: string
  events: WebhookEvent[]
  description: string
}

export interface SecretView {
  /** `whsec_…` */
  secret: string
  /** Until when the secrets before it sign too; null: there are none. */
  previous_expires_at: number | null
}

type WebhookServices = SecretServices & Pick<Services, 'config'>

/** Every ended job looks through them all. */
const ENDPOINTS_MAX = 20

/** Throws Failure 400: unsafe_url, too_many_webhooks. `secret` is shown this once. */
export async function createWebhook(
  services: WebhookServices,
  account_id: string,
  fields: WebhookFields,
): Promise<WebhookView & { secret: string }> {
  await checkWebhookUrl(services, fields.url, 'url')
  const { store } = services
  const count = await store.webhook_endpoints.countDocuments({ account_id })
  if (count >= ENDPOINTS_MAX)
    throw new Failure(
      400,
      'too_many_webhooks',
      `An account has at most ${ENDPOINTS_MAX} webhooks. Remove one, or send webhook_url with single requests.`,
    )
  const _id = newId('wh')
  const { text, stored } = newSecret(services, _id)
  const record: WebhookEndpointRecord = {
    _id,
    account_id,
    ...fields,
    disabled: false,
    disabled_reason: null,
    secrets: [stored],
    created_at: new Date(),
  }
  await repeatUntilKnown(() => store.webhook_endpoints.replaceOne({ _id }, record, { upsert: true }))
  return { ...webhookView(record), secret: text }
}

export async function listWebhooks(
  { store }: Pick<Services, 'store'>,
  account_id: string,
  query: PageQuery,
): Promise<Page<WebhookView>> {
  const { items, has_more } = await pageById(store.webhook_endpoints, { account_id }, query)
  return { items: items.map(webhookView), has_more }
}

/** Another account's is as good as none. Throws Failure webhook_not_found. */
export async function getWebhook(services: Pick<Services, 'store'>, account_id: string, id: string) {
  return webhookView(await find(services, account_id, id))
}

/** Turned on again, it is told of what ends from then on; what failed can be sent again from the log. */
export async function changeWebhook(
  services: WebhookServices,
  account_id: string,
  id: string,
  fields: Partial<WebhookFields & { disabled: boolean }>,
): Promise<WebhookView> {
  await find(services, account_id, id)
  if (fields.url !== undefined) await checkWebhookUrl(services, fields.url, 'url')
  const change = {
    ...fields,
    ...(fields.disabled !== undefined && { disabled_reason: fields.disabled ? ('owner' as const) : null }),
  }
  if (Object.keys(change).length > 0)
    await repeatUntilKnown(() => services.store.webhook_endpoints.updateOne({ _id: id, account_id }, { $set: change }))
  return getWebhook(services, account_id, id)
}

/** What waits for it is given up; the log stays. */
export async function deleteWebhook(services: Pick<Services, 'store'>, account_id: string, id: string): Promise<void> {
  await find(services, account_id, id)
  await repeatUntilKnown(() => services.store.webhook_endpoints.deleteOne({ _id: id, account_id }))
}

/** Both secrets sign for `overlap_ms`. */
export async function rotateWebhook(
  services: SecretServices,
  account_id: string,
  id: string,
  overlap_ms: number,
): Promise<WebhookView & SecretView> {
  const until = new Date(Date.now() + overlap_ms)
  for (;;) {
    const record = await find(services, account_id, id)
    const { text, stored } = newSecret(services, id)
    const secrets = withNewSecret(record.secrets, stored, until)
    // Two rotations at once are one after the other: each knows what it replaces.
    const unchanged = { _id: id, account_id, 'secrets.0.sealed': record.secrets[0]?.sealed }
    const { matchedCount } = await services.store.webhook_endpoints.updateOne(unchanged as never, { $set: { secrets } })
    if (matchedCount === 1) return { ...webhookView(record), secret: text, previous_expires_at: seconds(until) }
  }
}

/** What signs webhooks whose address came with the request; may be asked for again. */
export async function getAccountSecret(services: SecretServices, account_id: string): Promise<SecretView> {
  const stored = await accountSecrets(services, account_id)
  const [secret = ''] = openSecrets(services, account_id, stored)
  const previous = stored.slice(1).flatMap(({ until }) => (until && until.getTime() > Date.now() ? [until] : []))
  return { secret, previous_expires_at: seconds(previous[0]) }
}

export async function rotateSecretOfAccount(
  services: SecretServices,
  account_id: string,
  overlap_ms: number,
): Promise<SecretView> {
  const until = new Date(Date.now() + overlap_ms)
  return { secret: await rotateAccountSecret(services, account_id, until), previous_expires_at: seconds(until) }
}

async function find(
  { store }: Pick<Services, 'store'>,
  account_id: string,
  id: string,
): Promise<WebhookEndpointRecord> {
  const record = await repeatUntilKnown(() => store.webhook_endpoints.findOne({ _id: id, account_id }))
  if (record) return record
  throw new Failure(
    404,
    'webhook_not_found',
    `There is no webhook '${id.slice(0, 100)}' in this account. GET /v1/webhooks lists them.`,
    { param: 'id' },
  )
}

const webhookView = (record: WebhookEndpointRecord): WebhookView => ({
  id: record._id,
  object: 'webhook',
  url: record.url,
  events: record.events,
  description: record.description,
  disabled: record.disabled,
  disabled_reason: record.disabled_reason,
  created_at: seconds(record.created_at),
})
