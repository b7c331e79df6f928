// Opening a job: the intent is written (S1), then the credit is held (S2), before any provider is called.
import type { Json, JsonObject, Operation } from '../contract.ts'
import { faultPoint } from '../ledger/fault_point.ts'
import type { HoldOutcome } from '../ledger/hold.ts'
import { repeatUntilKnown } from '../ledger/writes.ts'
import type { JobRecord } from '../store/jobs.ts'
import { knownRefusal, refuse, tellRates, tokensOf } from './account/limits.ts'
import type { Admitted } from './admit.ts'
import { newId } from './ids.ts'
import type { Caller, Services } from './services.ts'
import { release } from './settle.ts'
import { checkWebhookUrl } from './webhooks/webhook_urls.ts'
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

/**
 * Throws Failure: insufficient_credits, key_budget_exhausted or account_budget_exhausted (402), rate_limit_exceeded (429);
 * StoreUnavailable. Nothing stays held then.
 */
export async function openJob(services: Services, caller: Caller, admitted: Admitted, plan: JobPlan): Promise<Work> {
  // The worker's jobs were checked before their request was kept.
  if (plan.webhook_url !== undefined && plan.mode === 'sync') await checkWebhookUrl(services, plan.webhook_url)
  const known = knownRefusal(services, caller, admitted.hold)
  if (known) {
    await forgetRequest(services, plan.request_key)
    throw known
  }
  const job = newJob(services, caller, admitted, plan)
  plan.opened?.(job)
  const work = services.works.begin({ job, offers: admitted.offers, abort: new AbortController(), decided: false })
  let outcome: HoldOutcome
  try {
    faultPoint('K1')
    await services.job_writes.insert(job)
    faultPoint('K2')
    outcome = await services.ledger.hold({
      job_id: job._id,
      account_id: job.account_id,
      key_id: job.key_id,
      amount: job.hold,
      tokens: mostTokens(admitted),
    })
  } catch (error) {
    // Whether the job or its hold were written is unknown.
    services.works.lose(work)
    throw error
  }
  if (outcome.held) {
    job.nonce = outcome.nonce
    faultPoint('K4')
    await tellRates(services, caller, outcome.nonce)
    return work
  }
  const refusal = refuse(caller, job.hold, outcome)
  if (refusal.status === 429) await withdraw(services, caller, work)
  else await release(services, work, refusal, 'failed')
  throw refusal
}

const mostTokens = ({ offers }: Admitted): bigint =>
  BigInt(Math.max(...offers.map(({ estimate }) => tokensOf(estimate))))

/** A call that came too soon is no job: its intent is taken back. What cannot be taken back, recovery ends. */
async function withdraw(services: Services, caller: Caller, work: Work): Promise<void> {
  const { _id, request_key } = work.job
  work.decided = true
  try {
    await repeatUntilKnown(() => services.store.jobs.deleteOne({ _id, state: 'new' }))
    await forgetRequest(services, request_key)
    services.works.end(work)
  } catch (error) {
    services.log.error({ job: _id, error }, 'A refused call could not be taken back; recovery will end its job.')
    services.works.lose(work)
  }
  caller.withdrawn?.()
}

async function forgetRequest({ storage }: Services, key: string | null | undefined): Promise<void> {
  if (typeof key === 'string') await storage.remove(key)
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
