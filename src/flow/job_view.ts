// A job as its owner sees it. Status and billing follow from the decision, not from the tidying after it.
import type { Json, JsonObject } from '../contract.ts'
import { formatUsd } from '../ledger/money.ts'
import type { JobOutput, JobRecord } from '../store/jobs.ts'

export type JobStatus = 'queued' | 'in_progress' | 'completed' | 'failed' | 'canceled' | 'expired'

export function jobStatus({ state, decision }: JobRecord): JobStatus {
  if (decision) return decision.status
  return state === 'new' ? 'queued' : 'in_progress'
}

/** The shape of design section 8. `addressOf` an output: its path, which asks for the key, where nothing else is said. */
export function jobView(job: JobRecord, addressOf = (index: number) => outputPath(job._id, index)): JsonObject {
  return {
    id: job._id,
    object: 'job',
    account_id: job.account_id,
    operation: job.operation,
    endpoint: job.endpoint,
    model: job.model,
    provider: job.offers[job.offer]?.provider ?? null,
    status: jobStatus(job),
    progress: job.percent,
    created_at: seconds(job.created_at),
    started_at: seconds(job.started_at),
    completed_at: seconds(job.completed_at),
    expires_at: expiresAt(job),
    deleted_at: seconds(job.deleted_at),
    outputs: job.outputs.map((output, index) => outputView(output, addressOf(index))),
    error: job.error as Json,
    ...(job.partial !== undefined && { partial: job.partial }),
    usage: usageView(job.usage),
    billing: billingView(job),
    attempts: job.attempts.map(({ provider, upstream, started_at, ms, outcome }) => ({
      provider,
      upstream,
      started_at: seconds(started_at),
      ms,
      outcome,
    })),
    metadata: job.metadata,
  }
}

/** As its admin sees it: with what its owner need not know of its provider. */
export function adminJobView(job: JobRecord): JsonObject {
  const { late_success } = job
  if (!late_success) return jobView(job)
  return { ...jobView(job), late_success: { at: seconds(late_success.at), usage: usageView(late_success.usage) } }
}

const outputPath = (job_id: string, index: number) => `/v1/jobs/${job_id}/outputs/${index}`

function outputView(output: JobOutput, address: string): JsonObject {
  const { type, media_type, bytes, seconds, width, height, role } = output
  return {
    type,
    ...(role && { role }),
    media_type,
    bytes,
    ...(seconds !== null && { seconds }),
    ...(width !== null && { width }),
    ...(height !== null && { height }),
    url: output.key === null ? null : address,
  }
}

/** The provider's own usage object stays with us: it may name what it charges. */
function usageView(usage: Json): Json {
  if (typeof usage !== 'object' || usage === null || Array.isArray(usage)) return null
  const { meters, attributes, source } = usage
  return { meters: meters ?? {}, attributes: attributes ?? {}, source: source ?? null }
}

function billingView(job: JobRecord): JsonObject {
  const { state, hold, cost, lines, nonce, decision, refunded, refunds = [] } = job
  const status = decision ? (cost === null ? 'released' : 'settled') : state === 'new' && nonce === '' ? 'none' : 'held'
  return {
    status,
    hold_usd: formatUsd(hold),
    cost_usd: decision ? formatUsd(cost ?? 0n) : null,
    lines,
    price: priceView(job),
    ...(refunded !== undefined && {
      refunded_usd: formatUsd(refunded),
      refunds: refunds.map(({ id, amount, reason, at }) => ({
        ...{ id, amount_usd: formatUsd(amount), reason, at: seconds(at) },
      })),
    }),
  }
}

/** Whose price the lines are of, from when on it holds, and where it was published. */
function priceView({ offers, offer }: JobRecord): Json {
  const { provider, quote } = offers[offer] ?? {}
  if (provider === undefined || typeof quote !== 'object' || quote === null || Array.isArray(quote)) return null
  return { provider, from: quote.from ?? null, source: quote.source ?? null }
}

/** Told on when it is past as well, where the job remembers it. */
export const expiresAt = ({ expires_at, echo }: JobRecord): number | null =>
  seconds(expires_at) ?? (typeof echo.expired_at === 'number' ? echo.expired_at : null)

export const seconds = (at: Date | null | undefined): number | null => (at ? Math.floor(at.getTime() / 1000) : null)
