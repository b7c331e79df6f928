// /v1/statements, and /api/v1/statements of any user: a month of the account, as JSON or for a spreadsheet.
import { z } from 'zod'
import { accountOf } from '../flow/credit/ledger_view.ts'
import { getStatement, listStatementEntries, type StatementEntry, statementEntries } from '../flow/credit/statements.ts'
import type { Services } from '../flow/services.ts'
import type { ApiRouter, Context } from '../http/context.ts'
import { streamCsv } from '../http/csv.ts'
import { listOf, pageQuery, readQuery } from './list.ts'

const statementQuery = z.strictObject({
  ...pageQuery,
  order: z.enum(['asc', 'desc']).default('asc'),
  month: z.string().exactOptional(),
  format: z.enum(['json', 'csv']).default('json'),
})
const statementOfUser = z.strictObject({ ...statementQuery.shape, user_id: z.string().min(1).max(100) })

export function statementRoutes(router: ApiRouter, services: Services): void {
  router.get('/v1/statements', async (context) => {
    await answer(services, context, readQuery(context, statementQuery), context.state.caller.account_id)
  })
}

/** The router must let in admins alone. */
export function adminStatementRoutes(router: ApiRouter, services: Services): void {
  router.get('/api/v1/statements', async (context) => {
    const { user_id, ...asked } = readQuery(context, statementOfUser)
    await answer(services, context, asked, await accountOf(services, user_id))
  })
}

async function answer(
  services: Services,
  context: Context,
  { month = thisMonth(), format, ...page }: z.infer<typeof statementQuery>,
  account_id: string,
): Promise<void> {
  const statement = await getStatement(services, account_id, month)
  if (format === 'json') {
    const { items, has_more } = await listStatementEntries(services, account_id, month, page)
    context.body = { ...statement, ...listOf(items, has_more), object: statement.object }
    return
  }
  const { opening_usd, closing_usd } = statement
  const entries = statementEntries(services, account_id, month)
  streamCsv(context, `statement-${month}.csv`, { columns: COLUMNS, rows: rowsOf(opening_usd, entries, closing_usd) })
}

const thisMonth = () => new Date().toISOString().slice(0, 7)

const COLUMNS = ['at', 'type', 'change_usd', 'id', 'job_id', 'key_id', 'reason']

/** The changes between the first and the last row add up to the difference of the two. */
async function* rowsOf(opening_usd: string, entries: AsyncIterable<StatementEntry>, closing_usd: string) {
  yield ['', 'opening', opening_usd]
  for await (const { at, type, change_usd, id, job_id, key_id, reason } of entries) {
    yield [at === null ? '' : new Date(at * 1000).toISOString(), type, change_usd, id, job_id, key_id, reason]
  }
  yield ['', 'closing', closing_usd]
}
