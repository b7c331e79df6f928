// What may have been submitted when a router died: it is submitted again only where the provider says that this is safe,
// or for certain knows nothing of it. Where it cannot be known, the credit is given back and the job says why.
import { type Progress, ProviderError } from '../../contract.ts'
import { beginAttempt, callFor, endAttempt } from '../attempts.ts'
import { Failure } from '../failure.ts'
import { type GeneratorOperation, generatorOf, type OutputOf } from '../media/generators.ts'
import type { Services } from '../services.ts'
import type { Work } from '../work.ts'
import { servingOffer } from './upstream.ts'

export const interrupted = () =>
  new Failure(
    502,
    'provider_error',
    'The router was interrupted while the work was submitted, and cannot know whether it was. Nothing was charged; send the request again.',
  )

/** The question may pass unanswered for a while, at most so often. */
const ASKED_MAX = 6
const ASK_AGAIN_MS = 2000
const PASSING: ReadonlySet<string> = new Set(['rate_limit', 'overloaded', 'unavailable', 'timeout'])

export type Resumed<Kind extends GeneratorOperation> =
  | { now: 'submit' }
  | { now: 'go on'; progress: Progress<OutputOf<Kind>> }
  | { now: 'wait'; after_ms: number }

/** Throws `interrupted` where nothing can be known. */
export async function resume<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
): Promise<Resumed<Kind>> {
  const { job } = work
  const admitted = servingOffer(work)
  const generator = generatorOf(admitted.offer.connection, operation)
  if (generator.repeatable) return { now: 'submit' }
  if (!generator.find) throw interrupted()
  try {
    const progress = await generator.find(callFor(services, work, admitted))
    if (!progress) return { now: 'submit' }
    // The attempt was not written down when the router died.
    const attempt = beginAttempt(work, admitted)
    attempt.started_at = job.started_at ?? attempt.started_at
    endAttempt(attempt, 'accepted')
    return { now: 'go on', progress }
  } catch (error) {
    if (!(error instanceof ProviderError) || work.abort.signal.aborted) throw error
    services.log.warn(
      { job: job._id, kind: error.kind, reason: error.message },
      'Whether interrupted work was submitted could not be found out.',
    )
    if (!PASSING.has(error.kind) || job.polls >= ASKED_MAX) throw interrupted()
    return { now: 'wait', after_ms: error.detail.retry_after_ms ?? ASK_AGAIN_MS * 2 ** job.polls }
  }
}
