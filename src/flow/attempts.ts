// Attempts: trying the offers of a route in order, before the first byte has gone to the caller. Each try is recorded
// on the job; only the one that served it is charged.
import { setTimeout as pause } from 'node:timers/promises'
import { type Call, ERROR_KINDS, ProviderError } from '../contract.ts'
import { faultPoint } from '../ledger/fault_point.ts'
import type { JobAttempt } from '../store/jobs.ts'
import type { AdmittedOffer } from './admit.ts'
import type { Services } from './services.ts'
import type { Work } from './work.ts'
import { hookAddress } from './worker/hooks.ts'

/** A limit or an overload often passes at once: the same offer gets one more try before the next one does. */
const SAME_OFFER_TRIES = 2
const PAUSE_MS = 200
/** Nobody waits longer than this for the second try of one offer; the caller's own retry is better then. */
const PAUSE_MS_MAX = 2000

/** A failure after something had gone to the caller: no other provider may go on from there. */
export class Begun extends Error {
  readonly failure: ProviderError
  constructor(failure: ProviderError) {
    super(failure.message, { cause: failure })
    this.failure = failure
  }
}

/** Before the second try of what was refused for an overload, with jitter. */
export const laterPause = (): number => PAUSE_MS * (0.5 + Math.random())

/** Runs `run` with one offer after the other until one succeeds; throws the last ProviderError, or what is no provider's fault. */
export async function attemptOffers<Result>(
  services: Services,
  work: Work,
  run: (admitted: AdmittedOffer, call: Call) => Promise<Result>,
): Promise<Result> {
  let last: unknown
  for (const [index, admitted] of work.offers.entries()) {
    for (let attempt = 1; attempt <= SAME_OFFER_TRIES; attempt++) {
      work.job.offer = index
      const record = beginAttempt(work, admitted)
      try {
        faultPoint('K5')
        const running = run(admitted, callFor(services, work, admitted))
        faultPoint('K6')
        const result = await running
        endAttempt(record, 'accepted')
        return result
      } catch (error) {
        last = error
        const failure = error instanceof ProviderError ? error : undefined
        const cause = error instanceof Begun ? error.failure : failure
        endAttempt(record, cause?.kind ?? 'internal', cause?.message)
        if (error instanceof Begun) throw reasonOf(work, error.failure)
        if (!failure || work.abort.signal.aborted) throw reasonOf(work, error)
        const { retry } = ERROR_KINDS[failure.kind]
        if (retry === 'never') throw error
        const pause_ms = failure.detail.retry_after_ms ?? laterPause()
        if (retry === 'elsewhere' || attempt === SAME_OFFER_TRIES || pause_ms > PAUSE_MS_MAX) break
        await pause(pause_ms, undefined, { signal: work.abort.signal }).catch(() => {
          throw reasonOf(work, error)
        })
      }
    }
  }
  throw last
}

export function callFor(services: Services, work: Work, { offer }: AdmittedOffer): Call {
  const { upstream, options } = offer
  const webhook_url = hookAddress(services, work.job, offer)
  return {
    job: work.job._id,
    upstream,
    options,
    signal: work.abort.signal,
    log: services.log,
    ...(webhook_url !== undefined && { webhook_url }),
  }
}

/** Work that was ended from outside fails for that reason, not for the broken call that it left behind. */
export function reasonOf({ abort }: Work, error: unknown): unknown {
  return abort.signal.aborted ? abort.signal.reason : error
}

export function beginAttempt({ job }: Work, { offer }: AdmittedOffer): JobAttempt {
  const record: JobAttempt = {
    provider: offer.provider,
    upstream: offer.upstream,
    started_at: new Date(),
    ms: null,
    outcome: 'started',
    message: null,
  }
  job.attempts.push(record)
  return record
}

export function endAttempt(record: JobAttempt, outcome: JobAttempt['outcome'], message?: string): void {
  record.ms = Date.now() - record.started_at.getTime()
  record.outcome = outcome
  record.message = message?.slice(0, 500) ?? null
}
