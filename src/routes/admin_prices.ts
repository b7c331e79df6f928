// /api/v1, what is about selling prices: an account's own discounts and margins. For holders of an admin key.
import { z } from 'zod'
import { OPERATIONS } from '../contract.ts'
import { fullModelNames } from '../flow/models.ts'
import { deleteOwnPrice, listOwnPrices, setOwnPrice } from '../flow/own_prices.ts'
import type { Services } from '../flow/services.ts'
import type { ApiRouter, Context, RouteContext } from '../http/context.ts'
import { readBody } from './body.ts'
import { time } from './fields.ts'
import { listOf, readQuery } from './list.ts'

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

const idOf = (context: RouteContext): string => String(context.params.id)
const by = (context: Context): string => context.state.caller.key_id
