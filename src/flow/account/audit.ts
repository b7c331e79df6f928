// The audit trail: what admins changed, who and when. A detail never holds a key or another secret.
import type { Json } from '../../contract.ts'
import { repeatUntilKnown } from '../../ledger/writes.ts'
import type { AuditRecord } from '../../store/audit.ts'
import { type Page, type PageQuery, pageByTime } from '../../store/page.ts'
import { newId } from '../ids.ts'
import { seconds } from '../job_view.ts'
import type { Services } from '../services.ts'

export interface AuditView {
  id: string
  object: 'audit'
  /** The key that did it: `key_…`, or `admin` for the site's own. */
  by: string
  action: string
  subject: string
  detail: Json
  at: number | null
}

export interface Change {
  by: string
  /** 'user.create', 'key.update', … */
  action: string
  /** The id of what was changed. */
  subject: string
  detail: Json
}

export async function audit({ store }: Pick<Services, 'store'>, change: Change): Promise<void> {
  const record: AuditRecord = { _id: newId('aud'), ...change, at: new Date() }
  await repeatUntilKnown(() => store.audit.replaceOne({ _id: record._id }, record, { upsert: true }))
}

export async function listAudit(
  { store }: Pick<Services, 'store'>,
  { subject, ...query }: PageQuery & { subject?: string | undefined },
): Promise<Page<AuditView>> {
  const { items, has_more } = await pageByTime(store.audit, subject === undefined ? {} : { subject }, query)
  return { items: items.map(auditView), has_more }
}

const auditView = ({ _id, by, action, subject, detail, at }: AuditRecord): AuditView => ({
  id: _id,
  object: 'audit',
  by,
  action,
  subject,
  detail,
  at: seconds(at),
})
