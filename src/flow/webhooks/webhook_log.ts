// The log of deliveries as their account sees it, and sending one again.
import { repeatUntilKnown } from '../../ledger/writes.ts'
import { type Page, type PageQuery, pageById } from '../../store/page.ts'
import type { WebhookDeliveryRecord, WebhookEvent } from '../../store/webhooks.ts'
import { Failure } from '../failure.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'

export interface DeliveryView {
  /** The `webhook-id` of every try. */
  id: string
  object: 'webhook_delivery'
  job_id: string
  event: WebhookEvent
  /** Null: the address came with the request. */
  webhook_id: string | null
  url: string
  status: 'pending' | 'delivered' | 'failed'
  /** The last dozen. */
  attempts: { at: number | null; ms: number; status: number | null; error: string | null }[]
  next_attempt_at: number | null
  created_at: number | null
  delivered_at: number | null
}

export interface DeliveryFilter {
  status?: WebhookDeliveryRecord['status'] | undefined
  event?: WebhookEvent | undefined
  webhook_id?: string | undefined
  job_id?: string | undefined
}

/** By the time of their jobs. */
export async function listDeliveries(
  { store }: Pick<Services, 'store'>,
  account_id: string,
  { status, event, webhook_id, job_id, ...page }: DeliveryFilter & PageQuery,
): Promise<Page<DeliveryView>> {
  const filter = {
    account_id,
    ...(status && { status }),
    ...(event && { event }),
    ...(webhook_id !== undefined && { endpoint_id: webhook_id }),
    ...(job_id !== undefined && { job_id }),
  }
  const { items, has_more } = await pageById(store.webhook_deliveries, filter, page)
  return { items: items.map(deliveryView), has_more }
}

/** Throws Failure delivery_not_found. */
export async function getDelivery({ store }: Pick<Services, 'store'>, account_id: string, id: string) {
  const record = await repeatUntilKnown(() => store.webhook_deliveries.findOne({ _id: id, account_id }))
  if (record) return deliveryView(record)
  throw new Failure(
    404,
    'delivery_not_found',
    `There is no delivery '${id.slice(0, 200)}' in this account. GET /v1/webhooks/deliveries lists them.`,
    { param: 'id' },
  )
}

/** Sends it again under the same id, now and by a whole new schedule; also what was delivered before. */
export async function redeliver(
  services: Pick<Services, 'store' | 'wakeWebhooks'>,
  account_id: string,
  id: string,
): Promise<DeliveryView> {
  await getDelivery(services, account_id, id)
  // The fence is raised: a try that is under way at this moment no longer decides.
  const again = { $set: { status: 'pending' as const, tries: 0, next_at: new Date() }, $inc: { fence: 1 } }
  await repeatUntilKnown(() => services.store.webhook_deliveries.updateOne({ _id: id, account_id }, again))
  services.wakeWebhooks()
  return getDelivery(services, account_id, id)
}

const deliveryView = (record: WebhookDeliveryRecord): DeliveryView => ({
  id: record._id,
  object: 'webhook_delivery',
  job_id: record.job_id,
  event: record.event,
  webhook_id: record.endpoint_id,
  url: record.url,
  status: record.status,
  attempts: record.attempts.map(({ at, ...attempt }) => ({ at: seconds(at), ...attempt })),
  next_attempt_at: seconds(record.next_at),
  created_at: seconds(record.created_at),
  delivered_at: seconds(record.delivered_at),
})
