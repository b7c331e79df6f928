// A video job as OpenAI's videos API shows it. Our own additions stand beside its fields: usage and cost_usd.
import type { JsonObject, Usage } from '../../contract.ts'
import { formatUsd, jsonUsd } from '../../ledger/money.ts'
import type { JobRecord } from '../../store/jobs.ts'
import { expiresAt, type JobStatus, jobStatus, seconds } from '../job_view.ts'

/** The format has no word for the other ends of a job: they are failures with a code. */
const STATUS: Record<JobStatus, 'queued' | 'in_progress' | 'completed' | 'failed'> = {
  queued: 'queued',
  in_progress: 'in_progress',
  completed: 'completed',
  failed: 'failed',
  canceled: 'failed',
  expired: 'failed',
}

export function videoView(job: JobRecord): Record<string, unknown> {
  const status = jobStatus(job)
  const { prompt = null, seconds: length = null, size, remixed_from = null } = job.echo
  return {
    id: job._id,
    object: 'video',
    model: job.model,
    status: STATUS[status],
    progress: status === 'completed' ? 100 : job.percent,
    created_at: seconds(job.created_at),
    completed_at: status === 'completed' ? seconds(job.completed_at) : null,
    expires_at: expiresAt(job),
    error: STATUS[status] === 'failed' ? errorOf(job, status) : null,
    prompt,
    remixed_from_video_id: remixed_from,
    seconds: length === null ? null : String(length),
    size: size ?? sizeOf(job),
    usage: job.cost === null ? null : { seconds: secondsUsed(job), cost: jsonUsd(job.cost) },
    cost_usd: job.decision ? formatUsd(job.cost ?? 0n) : null,
  }
}

const errorOf = ({ error }: JobRecord, status: JobStatus): JsonObject => ({
  code: status === 'failed' ? (error?.code ?? 'provider_error') : status,
  message: error?.message ?? `The video was ${status}.`,
})

/** What the provider made of no size, as its estimate has it, or its file. */
function sizeOf({ offers, offer, outputs }: JobRecord): string | null {
  const [file] = outputs
  if (file?.width && file.height) return `${file.width}x${file.height}`
  const estimate = offers[offer]?.estimate as unknown as Usage | undefined
  return estimate?.attributes?.size ?? null
}

const secondsUsed = ({ usage }: JobRecord): number => (usage as unknown as Usage | null)?.meters.video_seconds ?? 0

/** When to ask again: the longer it takes already, the later. For the header that OpenAI's SDKs obey. */
const POLL_MS_MIN = 500
const POLL_MS_MAX = 10_000

export const videoPollMs = ({ created_at }: JobRecord): number =>
  Math.round(Math.min(POLL_MS_MAX, Math.max(POLL_MS_MIN, (Date.now() - created_at.getTime()) / 10)))
