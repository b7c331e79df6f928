// What a key may know of itself and its account: the credit, the key; and more credit, for a code.
import { z } from 'zod'
import { getCredits } from '../flow/account/accounts.ts'
import { getOwnKey } from '../flow/account/keys.ts'
import { redeemCode } from '../flow/credit/codes.ts'
import type { Services } from '../flow/services.ts'
import type { ApiRouter } from '../http/context.ts'
import { readBody } from './body.ts'

const redemption = z.strictObject({ code: z.string().min(1).max(100) })

export function accountRoutes(router: ApiRouter, services: Services): void {
  router.get('/v1/credits', async (context) => {
    context.body = await getCredits(services, context.state.caller.account_id)
  })
  router.post('/v1/credits/redeem', async (context) => {
    const { code } = await readBody(context, redemption)
    context.body = await redeemCode(services, context.state.caller, code)
    context.status = 201
  })
  router.get('/v1/key', async (context) => {
    context.body = await getOwnKey(services, context.state.caller)
  })
}
