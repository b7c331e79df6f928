// For callers who leave while a charged answer is on its way to them: what they paid for is kept then, and found with
// the job. Those who stay cost no storage.
import { repeatUntilKnown } from '../../ledger/writes.ts'
import type { JobOutput, JobRecord } from '../../store/jobs.ts'
import type { Services } from '../services.ts'
import { outputsExpireAt } from '../worker/expiry.ts'

/** `gone` aborts when the caller leaves before the last byte. A router that dies at that moment keeps nothing. */
export function keepIfLost(
  services: Services,
  job: JobRecord,
  gone: AbortSignal,
  keep: () => Promise<JobOutput[]>,
): void {
  const onGone = () => {
    keepNow(services, job, keep).catch((error: unknown) =>
      services.log.error({ job: job._id, error }, 'The answer of a caller who left could not be kept.'),
    )
  }
  if (gone.aborted) onGone()
  else gone.addEventListener('abort', onGone, { once: true })
}

/** For a caller of whom it is known that he has left. */
export async function keepNow(services: Services, job: JobRecord, keep: () => Promise<JobOutput[]>): Promise<void> {
  const outputs = await keep()
  const expires_at = outputsExpireAt(services, job)
  await repeatUntilKnown(() =>
    services.store.jobs.updateOne({ _id: job._id, outputs: { $size: 0 } }, { $set: { outputs, expires_at } }),
  )
}
