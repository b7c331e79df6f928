// /api/v1, what is about credit: grants and packs, lots, codes, refunds. For holders of an admin key.
import { z } from 'zod'
import { type BatchRequest, changeCode, createCodes, listCodes } from '../flow/credit/codes.ts'
import { grantCredits } from '../flow/credit/grants.ts'
import { accountOf } from '../flow/credit/ledger_view.ts'
import { LOT_KINDS, listLots } from '../flow/credit/lots.ts'
import { findPack, type LotsToGive, listPacks, lotsOfPack, packLots, plainLot } from '../flow/credit/packs.ts'
import { refundJob, takeBack } from '../flow/credit/refunds.ts'
import { Failure } from '../flow/failure.ts'
import type { Services } from '../flow/services.ts'
import type { ApiRouter, Context, RouteContext } from '../http/context.ts'
import { readBody } from './body.ts'
import { amountAboveZero, text, time } from './fields.ts'
import { idempotencyKey } from './idempotency_key.ts'
import { listOf, pageQuery, readQuery } from './list.ts'

const id = z.string().min(1).max(100)
const kind = z.enum(LOT_KINDS)
const futureTime = time.refine((at) => at.getTime() > Date.now(), 'must be in the future')
const pack = z.string().min(1).max(64)
const days = z.int('must be whole days').min(1, 'must be at least 1 day').max(3650, 'must be at most 3650 days')

const newGrant = z.strictObject({
  amount_usd: amountAboveZero.optional(),
  pack: pack.optional(),
  kind: kind.optional(),
  expires_at: futureTime.nullish(),
  reason: text(500),
})
const newCodes = z.strictObject({
  count: z.int().min(1).max(1000, 'must be at most 1000').default(1),
  amount_usd: amountAboveZero.optional(),
  pack: pack.optional(),
  kind: kind.optional(),
  credit_expires_at: futureTime.nullish(),
  credit_expires_days: days.nullish(),
  uses: z.int().min(1).max(1000, 'must be at most 1000').default(1),
  expires_at: futureTime.nullish(),
  reason: text(500),
})
const codeChange = z.strictObject({ disabled: z.boolean() })
const giveBack = z.strictObject({ amount_usd: amountAboveZero.optional(), reason: text(500) })
const nothing = z.strictObject({})
const lotsQuery = z.strictObject({ ...pageQuery, user_id: id })
const codesQuery = z.strictObject({ ...pageQuery, batch_id: id.exactOptional() })

/** The router must let in admins alone. */
export function adminCreditRoutes(router: ApiRouter, services: Services): void {
  router.post('/api/v1/users/:id/credits', async (context) => {
    const { reason, ...fields } = await readBody(context, newGrant)
    const request = { lots: lotsToGive(services, fields), reason, idempotency_key: idempotencyKey(context) }
    context.body = await grantCredits(services, idOf(context), request, by(context))
    context.status = 201
  })
  router.get('/api/v1/packs', async (context) => {
    readQuery(context, nothing)
    context.body = listOf(listPacks(services), false)
  })
  router.get('/api/v1/lots', async (context) => {
    const { user_id, ...query } = readQuery(context, lotsQuery)
    const { items, has_more } = await listLots(services, await accountOf(services, user_id), query)
    context.body = listOf(items, has_more)
  })
  router.post('/api/v1/lots/:id/reclaim', async (context) => {
    context.body = await takeBack(services, idOf(context), await readGiveBack(context), by(context))
    context.status = 201
  })
  router.post('/api/v1/jobs/:id/refund', async (context) => {
    context.body = await refundJob(services, idOf(context), await readGiveBack(context), by(context))
    context.status = 201
  })
  codeRoutes(router, services)
}

function codeRoutes(router: ApiRouter, services: Services): void {
  router.post('/api/v1/codes', async (context) => {
    const { count, uses, expires_at = null, reason, ...fields } = await readBody(context, newCodes)
    const gives = codeLots(services, fields)
    context.body = await createCodes(services, { count, uses, expires_at, reason, ...gives }, by(context))
    context.status = 201
  })
  router.get('/api/v1/codes', async (context) => {
    const { items, has_more } = await listCodes(services, readQuery(context, codesQuery))
    context.body = listOf(items, has_more)
  })
  router.patch('/api/v1/codes/:id', async (context) => {
    context.body = await changeCode(services, idOf(context), await readBody(context, codeChange), by(context))
  })
}

async function readGiveBack(context: Context) {
  const { amount_usd: amount, reason } = await readBody(context, giveBack)
  return { amount, reason, idempotency_key: idempotencyKey(context) }
}

type GrantFields = Omit<z.infer<typeof newGrant>, 'reason'>

function lotsToGive(services: Services, { amount_usd, pack, kind, expires_at }: GrantFields): LotsToGive {
  checkOneOf({ amount_usd, pack })
  if (pack !== undefined) {
    checkPackAlone({ expires_at })
    return lotsOfPack(services, pack)
  }
  return plainLot(amount_usd ?? 0n, kind, expires_at)
}

type CodeFields = Omit<z.infer<typeof newCodes>, 'count' | 'uses' | 'expires_at' | 'reason'>

function codeLots(services: Services, fields: CodeFields): Pick<BatchRequest, 'lots' | 'source'> {
  const { amount_usd, pack, kind = 'promotional', credit_expires_at, credit_expires_days } = fields
  checkOneOf({ amount_usd, pack })
  if (pack !== undefined) {
    checkPackAlone({ credit_expires_at, credit_expires_days })
    const lots = packLots(pack, findPack(services, pack))
    return {
      lots: lots.map(({ source: _, ...lot }) => ({ ...lot, expires_at: null })),
      source: { type: 'pack', id: pack },
    }
  }
  if (credit_expires_at && credit_expires_days)
    throw invalid('credit_expires_days', 'Give credit_expires_at or credit_expires_days, not both.')
  const times = { expires_at: credit_expires_at ?? null, expires_days: credit_expires_days ?? null }
  return { lots: [{ kind, amount: amount_usd ?? 0n, ...times }], source: null }
}

function checkOneOf({ amount_usd, pack }: { amount_usd: bigint | undefined; pack: string | undefined }): void {
  if ((amount_usd === undefined) === (pack === undefined))
    throw invalid('amount_usd', 'Give either amount_usd or the name of a pack.')
}

/** A pack says itself how long it lasts. */
function checkPackAlone(others: Record<string, unknown>): void {
  const [name] = Object.entries(others).find(([, value]) => value !== undefined && value !== null) ?? []
  if (name !== undefined) throw invalid(name, `A pack says itself how long it lasts. Leave ${name} out.`)
}

const invalid = (param: string, message: string) => new Failure(400, 'invalid_value', message, { param })

const idOf = (context: RouteContext): string => String(context.params.id)
const by = (context: Context): string => context.state.caller.key_id
