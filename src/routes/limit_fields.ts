// The limits of keys and accounts as admins set them: strictly read, null takes a limit away.
import { z } from 'zod'
import { OPERATIONS } from '../contract.ts'
import { networkOf } from '../flow/account/allow.ts'
import type { LimitChange } from '../flow/account/limits.ts'
import { amount } from './fields.ts'

const count = (most: number) =>
  z
    .number()
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(most, `must be at most ${most}`)
    .transform(BigInt)

/** Days and months are those of UTC. */
export const limitFields = {
  limit_daily_usd: amount.nullish(),
  limit_monthly_usd: amount.nullish(),
  requests_per_minute: count(1_000_000_000).nullish(),
  tokens_per_minute: count(1_000_000_000_000).nullish(),
  jobs_at_once: count(1_000_000).nullish(),
}

type Given = { [Field in keyof typeof limitFields]?: bigint | null | undefined }

export function limitChange(given: Given): LimitChange {
  const { limit_daily_usd: day, limit_monthly_usd: month, requests_per_minute: requests } = given
  const { tokens_per_minute: tokens, jobs_at_once: jobs } = given
  return {
    ...(day !== undefined && { day }),
    ...(month !== undefined && { month }),
    ...(requests !== undefined && { requests }),
    ...(tokens !== undefined && { tokens }),
    ...(jobs !== undefined && { jobs }),
  }
}

const MODEL = 'must be names of models, or all of a vendor as "openai/*"'
export const models = z
  .array(z.string({ error: MODEL }).regex(/^(?:[^\s,*]{1,200}|[^\s,*]{1,100}\/\*)$/, MODEL))
  .min(1, 'must name at least one model; null allows all')
  .max(500)

export const operations = z
  .array(z.enum(OPERATIONS))
  .min(1, 'must name at least one operation; null allows all')
  .transform((all) => [...new Set(all)])

const ADDRESS = 'must be addresses or networks, like "203.0.113.7" or "2001:db8::/32"'
const network = z.string({ error: ADDRESS }).transform((text, check) => {
  const read = networkOf(text.trim())
  if (read === undefined) check.addIssue({ code: 'custom', message: ADDRESS })
  return read ?? ''
})
export const allowed_ips = z.array(network).min(1, 'must name at least one address; null allows all').max(200)
