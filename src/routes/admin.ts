// /api/v1: users, credit, keys, and the site itself, for holders of an admin key. Every change leaves a line in the audit.
import { z } from 'zod'
import { OPERATIONS } from '../contract.ts'
import { changeUser, createUser, getUser, listUsers } from '../flow/account/accounts.ts'
import { listAudit } from '../flow/account/audit.ts'
import { changeKey, createKey, deleteKey, getKey, type KeyChange, listKeys, rotateKey } from '../flow/account/keys.ts'
import { accountOf, listEntries } from '../flow/credit/ledger_view.ts'
import { adminJobView } from '../flow/job_view.ts'
import { findJob, listJobs } from '../flow/jobs.ts'
import { fullModelNames, listModels } from '../flow/models.ts'
import type { Services } from '../flow/services.ts'
import { listPrices, listProviders, reloadSite, verifyBooks } from '../flow/site.ts'
import type { ApiRouter, Context, RouteContext } from '../http/context.ts'
import { adminCreditRoutes } from './admin_credit.ts'
import { adminMarginRoutes, adminPriceRoutes } from './admin_prices.ts'
import { readBody, readBodyIfAny } from './body.ts'
import { amount, text, time } from './fields.ts'
import { allowed_ips, limitChange, limitFields, models, operations } from './limit_fields.ts'
import { listOf, pageQuery, readQuery } from './list.ts'

const name = text(200)
const email = z.string().trim().toLowerCase().max(320).pipe(z.email('must be an email address'))
const id = z.string().min(1).max(100)

const newUser = z.strictObject({ name, email: email.nullish() })
const userChange = z.strictObject({
  name: name.exactOptional(),
  email: email.nullable().exactOptional(),
  ...limitFields,
})

const futureTime = time.refine((at) => at.getTime() > Date.now(), 'must be in the future')
const retention_days = z
  .number()
  .int('must be whole days')
  .min(1, 'must be at least 1 day')
  .max(3650, 'must be at most 3650 days')
/** What a key may do, and how much of it. */
const keyTerms = {
  models: models.nullish(),
  operations: operations.nullish(),
  allowed_ips: allowed_ips.nullish(),
  limit_usd: amount.nullish(),
  ...limitFields,
  expires_at: futureTime.nullish(),
  retention_days: retention_days.nullish(),
}
const newKey = z.strictObject({
  user_id: id,
  name,
  ...keyTerms,
})
const keyChange = z.strictObject({ disabled: z.boolean().optional(), name: name.optional(), ...keyTerms })
const GRACE_DEFAULT_S = 24 * 3600
const GRACE_MAX_S = 30 * 24 * 3600
const rotation = z.strictObject({
  grace_seconds: z
    .number()
    .int('must be whole seconds')
    .min(0, 'must be at least 0')
    .max(GRACE_MAX_S, 'must be at most 30 days')
    .default(GRACE_DEFAULT_S),
})

const pageOnly = z.strictObject(pageQuery)
const pageOfUser = z.strictObject({ ...pageQuery, user_id: id.exactOptional() })
const jobsQuery = z.strictObject({
  ...pageQuery,
  user_id: id.exactOptional(),
  operation: z.enum(OPERATIONS).exactOptional(),
  model: z.string().max(200).exactOptional(),
  status: z.enum(['queued', 'in_progress', 'completed', 'failed', 'canceled', 'expired']).exactOptional(),
})
const pricesQuery = z.strictObject({ provider: id.optional(), model: z.string().max(200).optional() })
const auditQuery = z.strictObject({ ...pageQuery, subject: id.exactOptional() })
const nothing = z.strictObject({})

/** The router must let in admins alone. */
export function adminRoutes(router: ApiRouter, services: Services): void {
  userRoutes(router, services)
  keyRoutes(router, services)
  bookRoutes(router, services)
  adminCreditRoutes(router, services)
  adminPriceRoutes(router, services)
  adminMarginRoutes(router, services)
  siteRoutes(router, services)
}

function userRoutes(router: ApiRouter, services: Services): void {
  router.get('/api/v1/users', async (context) => {
    const { items, has_more } = await listUsers(services, readQuery(context, pageOnly))
    context.body = listOf(items, has_more)
  })
  router.post('/api/v1/users', async (context) => {
    context.body = await createUser(services, await readBody(context, newUser), by(context))
    context.status = 201
  })
  router.get('/api/v1/users/:id', async (context) => {
    context.body = await getUser(services, idOf(context))
  })
  router.patch('/api/v1/users/:id', async (context) => {
    const { name, email, ...limits } = await readBody(context, userChange)
    const fields = { ...(name !== undefined && { name }), ...(email !== undefined && { email }) }
    context.body = await changeUser(services, idOf(context), { ...fields, limits: limitChange(limits) }, by(context))
  })
}

function keyRoutes(router: ApiRouter, services: Services): void {
  router.get('/api/v1/keys', async (context) => {
    const { items, has_more } = await listKeys(services, readQuery(context, pageOfUser))
    context.body = listOf(items, has_more)
  })
  router.post('/api/v1/keys', async (context) => {
    const { user_id, name, ...terms } = await readBody(context, newKey)
    const fields = { name, models: null, limit: null, expires_at: null, ...termsOf(services, terms) }
    context.body = await createKey(services, user_id, fields, by(context))
    context.status = 201
  })
  router.get('/api/v1/keys/:id', async (context) => {
    context.body = await getKey(services, idOf(context))
  })
  router.patch('/api/v1/keys/:id', async (context) => {
    const { disabled, name, ...terms } = await readBody(context, keyChange)
    const fields = {
      ...(disabled !== undefined && { disabled }),
      ...(name !== undefined && { name }),
      ...termsOf(services, terms),
    }
    context.body = await changeKey(services, idOf(context), fields, by(context))
  })
  router.post('/api/v1/keys/:id/rotate', async (context) => {
    const { grace_seconds } = await readBodyIfAny(context, rotation)
    context.body = await rotateKey(services, idOf(context), grace_seconds, by(context))
  })
  router.delete('/api/v1/keys/:id', async (context) => {
    const id = idOf(context)
    await deleteKey(services, id, by(context))
    context.body = { id, object: 'api_key.deleted', deleted: true }
  })
}

type KeyTerms = z.infer<z.ZodObject<typeof keyTerms>>

/** Those that were given. */
function termsOf(services: Services, terms: KeyTerms): Omit<KeyChange, 'name' | 'disabled'> {
  const { models, operations, allowed_ips, limit_usd: limit, expires_at, retention_days } = terms
  return {
    ...(models !== undefined && { models: models && fullModelNames(services.registry(), models) }),
    ...(operations !== undefined && { operations }),
    ...(allowed_ips !== undefined && { allowed_ips }),
    ...(limit !== undefined && { limit }),
    ...(expires_at !== undefined && { expires_at }),
    ...(retention_days !== undefined && { retention_days }),
    limits: limitChange(terms),
  }
}

function bookRoutes(router: ApiRouter, services: Services): void {
  router.get('/api/v1/ledger', async (context) => {
    const { items, has_more } = await listEntries(services, readQuery(context, pageOfUser))
    context.body = listOf(items, has_more)
  })
  router.get('/api/v1/jobs', async (context) => {
    const { user_id, ...filter } = readQuery(context, jobsQuery)
    const account_id = user_id === undefined ? undefined : await accountOf(services, user_id)
    const { jobs, has_more } = await listJobs(services, { ...filter, ...(account_id !== undefined && { account_id }) })
    context.body = listOf(jobs.map(adminJobView), has_more)
  })
  router.get('/api/v1/jobs/:id', async (context) => {
    context.body = adminJobView(await findJob(services, undefined, idOf(context)))
  })
  router.post('/api/v1/verify', async (context) => {
    context.body = await verifyBooks(services)
  })
  router.get('/api/v1/audit', async (context) => {
    const { items, has_more } = await listAudit(services, readQuery(context, auditQuery))
    context.body = listOf(items, has_more)
  })
}

function siteRoutes(router: ApiRouter, services: Services): void {
  router.get('/api/v1/providers', async (context) => {
    readQuery(context, nothing)
    context.body = listOf(listProviders(services), false)
  })
  router.get('/api/v1/models', async (context) => {
    readQuery(context, nothing)
    context.body = listOf(listModels(services.registry(), { models: null }), false)
  })
  router.get('/api/v1/prices', async (context) => {
    context.body = listOf(listPrices(services, readQuery(context, pricesQuery)), false)
  })
  router.post('/api/v1/reload', async (context) => {
    context.body = await reloadSite(services, by(context))
  })
}

const idOf = (context: RouteContext): string => String(context.params.id)
const by = (context: Context): string => context.state.caller.key_id
