// Opening a job: the intent is written (S1), then the credit is held (S2), before any provider is called.
import type { Json, JsonObject, Operation } from '../contract.ts'
import type { HoldOutcome } from '../ledger/hold.ts'
import { formatUsd } from '../ledger/money.ts'
import type { JobRecord } from '../store/jobs.ts'
import type { Admitted } from './admit.ts'
import { Failure } from './failure.ts'
import { newId } from './ids.ts'
import type { Caller, Services } from './services.ts'
import { release } from './settle.ts'
import { checkWebhookUrl } from './webhook_urls.ts'
import type { Work } from './work.ts'

export interface JobPlan {
  operation: Operation
  endpoint: string
  mode: 'sync' | 'async'
  /** All of its work must be over after this time. */
  deadline_ms: number
  request_id: string
  /** Kept for the worker; absent for synchronous work, which nobody else could take over. */
  request?: Json
  request_key?: string
  echo?: JsonObject
  metadata?: Record<string, string>
  webhook_url?: string
  id?: string
  /** Told as soon as the job has an identity, so that even a refusal can name it. */
  opened?: (job: JobRecord) => void
}

/** Throws Failure: insufficient_credits or key_budget_exhausted (402); StoreUnavailable. Nothing stays held then. */
export async function openJob(services: Services, caller: Caller, admitted: Admitted, plan: JobPlan): Promise<Work> {
  // The worker's jobs were checked before their request was kept.
  if (plan.webhook_url !== undefined && plan.mode === 'sync') await checkWebhookUrl(services, plan.webhook_url)
  const job = newJob(services, caller, admitted, plan)
  plan.opened?.(job)
  const work = services.works.begin({ job, offers: admitted.offers, abort: new AbortController(), decided: false })
  let outcome: HoldOutcome
  try {
    await services.job_writes.insert(job)
    outcome = await services.ledger.hold({
      job_id: job._id,
      account_id: job.account_id,
      key_id: job.key_id,
      amount: job.hold,
    })
  } catch (error) {
    // Whether the job or its hold were written is unknown.
    services.works.lose(work)
    throw error
  }
  if (outcome.held) {
    job.nonce = outcome.nonce
    return work
  }
  const refusal =
    outcome.reason === 'insufficient_credits'
      ? insufficientCredits(job.hold, outcome.available)
      : budgetExhausted(job.hold, outcome.available)
  await release(services, work, refusal, 'failed')
  throw refusal
}

function newJob(services: Services, caller: Caller, { model, offers, hold }: Admitted, plan: JobPlan): JobRecord {
  const now = new Date()
  return {
    _id: plan.id ?? newId('job'),
    account_id: caller.account_id,
    user_id: caller.user_id,
    key_id: caller.key_id,
    operation: plan.operation,
    endpoint: plan.endpoint,
    model,
    offers: offers.map(({ offer, quote, estimate }) => ({
      provider: offer.provider,
      upstream: offer.upstream,
      quote: quote as unknown as Json,
      estimate: estimate as unknown as Json,
    })),
    offer: 0,
    mode: plan.mode,
    state: 'new',
    nonce: '',
    hold,
    cost: null,
    list_cost: null,
    lines: [],
    usage: null,
    decision: null,
    lease: { owner: services.router_id, fence: 0 },
    polls: 0,
    ref: null,
    percent: 0,
    deadline: new Date(now.getTime() + plan.deadline_ms),
    attempts: [],
    outputs: [],
    error: null,
    request: plan.request ?? null,
    request_key: plan.request_key ?? null,
    echo: plan.echo ?? {},
    metadata: plan.metadata ?? {},
    ...(plan.webhook_url !== undefined && { webhook_url: plan.webhook_url }),
    request_id: plan.request_id,
    ...(caller.retention_days !== undefined && { retention_days: caller.retention_days }),
    ...(caller.idempotency && { idempotency: caller.idempotency }),
    created_at: now,
    started_at: null,
    completed_at: null,
    deleted_at: null,
  }
}

function insufficientCredits(needed: bigint, available: bigint): Failure {
  return new Failure(
    402,
    'insufficient_credits',
    `This call needs ${formatUsd(needed)} USD set aside and ${formatUsd(available)} USD are available. Add credit, or ask for less output.`,
    {
      facts: { needed_usd: formatUsd(needed), available_usd: formatUsd(available) },
    },
  )
}

function budgetExhausted(needed: bigint, available: bigint): Failure {
  return new Failure(
    402,
    'key_budget_exhausted',
    `This call needs ${formatUsd(needed)} USD set aside and this key may still spend ${formatUsd(available)} USD. Raise the key's limit, or ask for less output.`,
    {
      facts: { needed_usd: formatUsd(needed), available_usd: formatUsd(available) },
    },
  )
}
