// /api/v1, what is about selling prices: an account's own discounts and margins, what the site earns, and what a new price
// table would change. For holders of an admin key.
import { z } from 'zod'
import { OPERATIONS } from '../contract.ts'
import { deleteOwnPrice, listOwnPrices, setOwnPrice } from '../flow/account/own_prices.ts'
import { dryRun } from '../flow/credit/dry_run.ts'
import { compareInvoice } from '../flow/credit/invoice.ts'
import { getMargin, listLosses, MARGIN_GROUPS } from '../flow/credit/margin.ts'
import { fullModelNames } from '../flow/models.ts'
import type { Services } from '../flow/services.ts'
import type { ApiRouter, Context, RouteContext } from '../http/context.ts'
import { readBody } from './body.ts'
import { amount, time } from './fields.ts'
import { listOf, pageQuery, readQuery } from './list.ts'

const DECIMAL = /^(0|[1-9]\d{0,2})(\.\d{1,18})?$/
const factor = (example: string, most: number) =>
  z
    .string({ error: `must be a decimal in quotes, like "${example}"` })
    .regex(DECIMAL, `must be a plain decimal, like "${example}"`)
    .refine((text) => Number(text) <= most, `must be at most "${most}"`)

const newPrice = z
  .strictObject({
    model: z
      .string()
      .regex(/^[^\s,]{1,200}$/, 'must be the name of a model, or vendor/*')
      .optional(),
    operation: z.enum(OPERATIONS).optional(),
    discount: factor('0.20', 1).optional(),
    margin: factor('0.15', 100).optional(),
    from: time.optional(),
  })
  .refine(({ discount, margin }) => (discount === undefined) !== (margin === undefined), {
    error: 'must have either a discount or a margin',
    path: ['discount'],
  })
  .refine(({ model, operation }) => model === undefined || operation === undefined, {
    error: 'must be left out where there is a model',
    path: ['operation'],
  })
const nothing = z.strictObject({})

const groups = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(MARGIN_GROUPS)).min(1))
  .transform((names) => [...new Set(names)])
const marginQuery = z.strictObject({
  from: time.exactOptional(),
  to: time.exactOptional(),
  group_by: groups.default(['day', 'provider', 'model']),
})
const tryOut = z.strictObject({
  files: z.record(z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}\.toml$/, 'must be the name of a price file'), z.string()),
  since: time.optional(),
  until: time.optional(),
})
const invoice = z.strictObject({
  provider: z.string().min(1).max(64),
  csv: z.string().min(1),
  tolerance_usd: amount.default(0n),
})
const FILES_BYTES_MAX = 8 * 1024 * 1024
const DAYS_DEFAULT = 30
const DAY_MS = 86_400_000

/** The router must let in admins alone. */
export function adminPriceRoutes(router: ApiRouter, services: Services): void {
  router.get('/api/v1/users/:id/prices', async (context) => {
    readQuery(context, nothing)
    context.body = listOf(await listOwnPrices(services, idOf(context)), false)
  })
  router.post('/api/v1/users/:id/prices', async (context) => {
    const { model, operation = null, from = new Date(), ...adjustment } = await readBody(context, newPrice)
    const [name = null] = model === undefined ? [] : fullModelNames(services.registry(), [model])
    const fields = { model: name, operation, from, ...adjustment }
    context.body = await setOwnPrice(services, idOf(context), fields, by(context))
    context.status = 201
  })
  router.delete('/api/v1/users/:id/prices/:price_id', async (context) => {
    const id = String(context.params.price_id)
    await deleteOwnPrice(services, idOf(context), id, by(context))
    context.body = { id, object: 'account_price.deleted', deleted: true }
  })
}

/** What the router earns: for holders of an admin key as well. */
export function adminMarginRoutes(router: ApiRouter, services: Services): void {
  router.get('/api/v1/margin', async (context) => {
    const { group_by, to = new Date(), ...query } = readQuery(context, marginQuery)
    const { from = new Date(to.getTime() - DAYS_DEFAULT * DAY_MS) } = query
    context.body = { object: 'margin', group_by, data: await getMargin(services, { from, to, group_by }) }
  })
  router.get('/api/v1/margin/losses', async (context) => {
    const { items, has_more } = await listLosses(services, readQuery(context, z.strictObject(pageQuery)))
    context.body = listOf(items, has_more)
  })
  router.post('/api/v1/margin/invoice', async (context) => {
    const { provider, csv, tolerance_usd: tolerance } = await readBody(context, invoice, FILES_BYTES_MAX)
    context.body = await compareInvoice(services, { provider, csv, tolerance })
  })
  router.post('/api/v1/prices/dry-run', async (context) => {
    const { files, until: to = new Date(), since } = await readBody(context, tryOut, FILES_BYTES_MAX)
    const from = since ?? new Date(to.getTime() - DAYS_DEFAULT * DAY_MS)
    context.body = await dryRun(services, { files, from, to })
  })
}

const idOf = (context: RouteContext): string => String(context.params.id)
const by = (context: Context): string => context.state.caller.key_id
