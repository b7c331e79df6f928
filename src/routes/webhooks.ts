// /v1/webhooks: where an account wants to be told that its jobs have ended, the secrets that sign it, and what was sent.
import { z } from 'zod'
import type { Services } from '../flow/services.ts'
import { getDelivery, listDeliveries, redeliver } from '../flow/webhooks/webhook_log.ts'
import {
  changeWebhook,
  createWebhook,
  deleteWebhook,
  getAccountSecret,
  getWebhook,
  listWebhooks,
  rotateSecretOfAccount,
  rotateWebhook,
  WEBHOOK_EVENTS,
} from '../flow/webhooks/webhooks.ts'
import type { ApiRouter, Context, RouteContext } from '../http/context.ts'
import { readBody } from './body.ts'
import { listOf, pageQuery, readQuery } from './list.ts'

const OVERLAP_H = 24
const H_MS = 3_600_000

const url = z.string().min(1)
const events = z
  .array(z.enum(WEBHOOK_EVENTS))
  .min(1, 'must name at least one event')
  .transform((names) => [...new Set(names)])
const description = z.string().trim().max(500, 'must have at most 500 characters')

const newWebhook = z.strictObject({
  url,
  events: events.default([...WEBHOOK_EVENTS]),
  description: description.default(''),
})
const webhookChange = z.strictObject({
  url: url.exactOptional(),
  events: events.exactOptional(),
  description: description.exactOptional(),
  disabled: z.boolean().exactOptional(),
})
const rotation = z.strictObject({ overlap_hours: z.number().min(0).max(168).default(OVERLAP_H) })
const id = z.string().min(1).max(200)
const deliveriesQuery = z.strictObject({
  ...pageQuery,
  status: z.enum(['pending', 'delivered', 'failed']).exactOptional(),
  event: z.enum(WEBHOOK_EVENTS).exactOptional(),
  webhook_id: id.exactOptional(),
  job_id: id.exactOptional(),
})

export function webhookRoutes(router: ApiRouter, services: Services): void {
  secretRoutes(router, services)
  deliveryRoutes(router, services)
  router.post('/v1/webhooks', async (context) => {
    context.body = await createWebhook(services, accountOf(context), await readBody(context, newWebhook))
    context.status = 201
  })
  router.get('/v1/webhooks', async (context) => {
    const page = readQuery(context, z.strictObject(pageQuery))
    const { items, has_more } = await listWebhooks(services, accountOf(context), page)
    context.body = listOf(items, has_more)
  })
  router.get('/v1/webhooks/:id', async (context) => {
    context.body = await getWebhook(services, accountOf(context), idOf(context))
  })
  router.patch('/v1/webhooks/:id', async (context) => {
    const change = await readBody(context, webhookChange)
    context.body = await changeWebhook(services, accountOf(context), idOf(context), change)
  })
  router.delete('/v1/webhooks/:id', async (context) => {
    await deleteWebhook(services, accountOf(context), idOf(context))
    context.body = { id: idOf(context), object: 'webhook.deleted', deleted: true }
  })
  router.post('/v1/webhooks/:id/rotate', async (context) => {
    context.body = await rotateWebhook(services, accountOf(context), idOf(context), await overlap(context))
  })
}

function secretRoutes(router: ApiRouter, services: Services): void {
  const view = (secret: object) => ({ object: 'webhook_secret', ...secret })
  router.get('/v1/webhooks/secret', async (context) => {
    context.body = view(await getAccountSecret(services, accountOf(context)))
  })
  router.post('/v1/webhooks/secret/rotate', async (context) => {
    context.body = view(await rotateSecretOfAccount(services, accountOf(context), await overlap(context)))
  })
}

function deliveryRoutes(router: ApiRouter, services: Services): void {
  router.get('/v1/webhooks/deliveries', async (context) => {
    const query = readQuery(context, deliveriesQuery)
    const { items, has_more } = await listDeliveries(services, accountOf(context), query)
    context.body = listOf(items, has_more)
  })
  router.get('/v1/webhooks/deliveries/:id', async (context) => {
    context.body = await getDelivery(services, accountOf(context), idOf(context))
  })
  router.post('/v1/webhooks/deliveries/:id/redeliver', async (context) => {
    context.body = await redeliver(services, accountOf(context), idOf(context))
    context.status = 202
  })
}

const accountOf = (context: Context): string => context.state.caller.account_id
const idOf = (context: RouteContext): string => String(context.params.id)

/** A body is not needed. */
async function overlap(context: Context): Promise<number> {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = context.req.headers
  const empty = length === '0' && encoding === undefined
  const { overlap_hours } = empty ? rotation.parse({}) : await readBody(context, rotation)
  return overlap_hours * H_MS
}
