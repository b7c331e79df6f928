// The outbox: when a job has ended, one row for each place that wants to be told, written before the job is closed. Ids
// are made of what they say, so writing them again after a crash changes nothing.
import type { Decided } from '../../ledger/finish.ts'
import { isDuplicate, repeatUntilKnown } from '../../ledger/writes.ts'
import type { Store } from '../../store/connect.ts'
import type { WebhookDeliveryRecord, WebhookEndpointRecord, WebhookEvent } from '../../store/webhooks.ts'

/** How long the log of deliveries is kept; longer than the last try takes. */
const KEPT_MS = 30 * 86_400_000
/** In place of an endpoint's id, for the address that came with the request. */
const OF_REQUEST = 'request'

/** Whether there is anything to deliver. Safe to repeat. Throws StoreUnavailable. */
export async function announce(store: Store, decided: Decided[]): Promise<boolean> {
  const told = decided.filter(({ ending }) => ending !== undefined)
  if (told.length === 0) return false
  const accounts = [...new Set(told.map(({ account_id }) => account_id))]
  const endpoints = await repeatUntilKnown(() =>
    store.webhook_endpoints.find({ account_id: { $in: accounts }, disabled: false }).toArray(),
  )
  const rows = told.flatMap((each) => rowsOf(each, endpoints))
  if (rows.length === 0) return false
  await repeatUntilKnown(() =>
    store.webhook_deliveries.insertMany(rows, { ordered: false }).catch((error: unknown) => {
      if (!isDuplicate(error)) throw error
    }),
  )
  return true
}

function rowsOf(
  { job_id, account_id, ending, decided_at }: Decided,
  endpoints: WebhookEndpointRecord[],
): WebhookDeliveryRecord[] {
  if (!ending) return []
  const { status, webhook_url } = ending
  const event: WebhookEvent = `job.${status}`
  const row = (place: string, endpoint_id: string | null, url: string): WebhookDeliveryRecord => ({
    _id: `${job_id}:${status}:${place}`,
    account_id,
    job_id,
    event,
    endpoint_id,
    url,
    target: endpoint_id ?? account_id,
    status: 'pending',
    tries: 0,
    attempts: [],
    next_at: decided_at,
    fence: 0,
    created_at: decided_at,
    delivered_at: null,
    expires_at: new Date(decided_at.getTime() + KEPT_MS),
  })
  const wanted = endpoints.filter((each) => each.account_id === account_id && each.events.includes(event))
  return [
    ...wanted.map(({ _id, url }) => row(_id, _id, url)),
    ...(webhook_url === undefined ? [] : [row(OF_REQUEST, null, webhook_url)]),
  ]
}
