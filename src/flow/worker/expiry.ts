// When the outputs of a job go: by its key's retention, else by the site's.
import type { JobRecord } from '../../store/jobs.ts'
import type { Services } from '../services.ts'

const DAY_MS = 86_400_000

export function outputsExpireAt(
  { config }: Pick<Services, 'config'>,
  { retention_days = config.retention_days }: Pick<JobRecord, 'retention_days'>,
): Date {
  return new Date(Date.now() + retention_days * DAY_MS)
}
