// /v1/usage, and /api/v1/usage over all users: what was used and charged, as JSON or for a spreadsheet.
import { z } from 'zod'
import { accountOf } from '../flow/credit/ledger_view.ts'
import { getUsage, USAGE_GROUPS, type UsageGroup, type UsageQuery, usageTable } from '../flow/credit/usage.ts'
import type { Services } from '../flow/services.ts'
import type { ApiRouter, Context } from '../http/context.ts'
import { sendCsv } from '../http/csv.ts'
import { time } from './fields.ts'
import { readQuery } from './list.ts'

const DAYS_DEFAULT = 30
const DAY_MS = 86_400_000

const groups = (most: readonly UsageGroup[]) =>
  z
    .string()
    .default('model')
    .transform((text) => text.split(',').map((name) => name.trim()))
    .pipe(z.array(z.enum(most, `must be one or more of ${most.join(', ')}, with commas between`)).min(1))
    .refine((names) => new Set(names).size === names.length, 'must not name a group twice')

const OF_ONE_ACCOUNT = USAGE_GROUPS.filter((group) => group !== 'user')
const shared = { from: time.optional(), to: time.optional(), format: z.enum(['json', 'csv']).default('json') }
const usageQuery = z.strictObject({ ...shared, group_by: groups(OF_ONE_ACCOUNT) })
const usageOfAll = z.strictObject({
  ...shared,
  group_by: groups(USAGE_GROUPS),
  user_id: z.string().min(1).max(100).optional(),
})

type Asked = Omit<z.infer<typeof usageOfAll>, 'user_id'>

export function usageRoutes(router: ApiRouter, services: Services): void {
  router.get('/v1/usage', async (context) => {
    await answer(services, context, readQuery(context, usageQuery), context.state.caller.account_id)
  })
}

/** The router must let in admins alone. */
export function adminUsageRoutes(router: ApiRouter, services: Services): void {
  router.get('/api/v1/usage', async (context) => {
    const { user_id, ...asked } = readQuery(context, usageOfAll)
    await answer(services, context, asked, user_id === undefined ? undefined : await accountOf(services, user_id))
  })
}

async function answer(services: Services, context: Context, asked: Asked, account_id?: string): Promise<void> {
  const { to = new Date(), from = new Date(to.getTime() - DAYS_DEFAULT * DAY_MS), group_by, format } = asked
  const query: UsageQuery = { from, to, group_by, ...(account_id !== undefined && { account_id }) }
  const report = await getUsage(services, query)
  if (format === 'json') context.body = report
  else sendCsv(context, `usage-${report.group_by.replaceAll(',', '-')}.csv`, usageTable(report))
}
