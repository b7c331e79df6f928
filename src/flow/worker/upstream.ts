// A job's providers as they are configured now: its offers, the one that has its work, and how that one is told to stop.
import { setTimeout as pause } from 'node:timers/promises'
import { ERROR_KINDS, ProviderError, type Usage } from '../../contract.ts'
import type { Quote } from '../../pricing/schema.ts'
import type { JobRecord } from '../../store/jobs.ts'
import type { AdmittedOffer } from '../admit.ts'
import { callFor } from '../attempts.ts'
import { type GeneratorOperation, generatorOf } from '../media/generators.ts'
import type { Services } from '../services.ts'
import type { Work } from '../work.ts'
import { providerOf } from './hand_back.ts'
import type { Lane } from './lanes.ts'

const CANCEL_MS = 10_000

/** The job's own quotes, with the connections of today. */
export function offersOf(services: Services, job: JobRecord): AdmittedOffer[] {
  const registry = services.registry()
  return job.offers.map(({ provider, upstream, quote, estimate }) => {
    const listed = registry.offers.get(job.model)?.find((each) => each.provider === provider)
    const connection = registry.connection(provider) ?? {}
    return {
      offer: {
        model: job.model,
        provider,
        upstream,
        connection,
        limits: listed?.limits ?? {},
        options: listed?.options ?? {},
      },
      quote: quote as unknown as Quote,
      estimate: estimate as unknown as Usage,
      cost: job.hold,
    }
  })
}

/** The offer that has the job's work. */
export function servingOffer({ job, offers }: Work): AdmittedOffer {
  const admitted = offers[job.offer]
  if (!admitted) throw new ProviderError('unavailable', 'The provider of this job is not configured at the moment.')
  return admitted
}

export const laneOf = (services: Services, job: JobRecord): Lane => services.lanes.of(providerOf(job))

/** Waits for the next of this router's polls of the provider, whoever it is for. Throws the signal's reason. */
export async function pollTurn(services: Services, { job, abort }: Work): Promise<void> {
  const now = performance.now()
  const wait_ms = laneOf(services, job).pace.take(now) - now
  if (wait_ms >= 1) await pause(wait_ms, undefined, { signal: abort.signal })
}

/** What a provider's refusal of a poll means for all of its polls. */
export function slowDownFor(services: Services, job: JobRecord, { kind, detail }: ProviderError): void {
  if (ERROR_KINDS[kind].retry !== 'later') return
  laneOf(services, job).pace.slowDown(performance.now(), detail.retry_after_ms)
}

/** Tells the provider to stop, where it can be told; that it cannot be reached changes nothing for the caller. */
export async function cancelUpstream(services: Services, work: Work, operation: GeneratorOperation): Promise<void> {
  const { ref } = work.job
  if (ref === null) return
  const signal = AbortSignal.timeout(CANCEL_MS)
  try {
    const admitted = servingOffer(work)
    const generator = generatorOf(admitted.offer.connection, operation)
    await generator.cancel?.(ref, { ...callFor(services, work, admitted), signal })
  } catch (error) {
    services.log.warn({ job: work.job._id, error }, 'The provider could not be told to stop.')
  }
}
