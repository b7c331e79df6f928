// Addresses of outputs that work for a while without a key: for an <img>, a webhook's receiver, a provider that fetches.
// Ours, and not the storage's own: they work over a folder too, hide where files are, keep the headers that protect a
// browser, and stop when the file is deleted.
import type { JobRecord } from '../../store/jobs.ts'
import { Failure } from '../failure.ts'
import type { Services } from '../services.ts'

const LIFE_S = 24 * 3600
/** The same address for an hour, so that a job looks the same when it is asked for twice. */
const STEP_S = 3600

/** The path of an output with its signature; never good for longer than the output. */
export function signedOutputPath(
  { secrets }: Pick<Services, 'secrets'>,
  { _id, expires_at }: Pick<JobRecord, '_id' | 'expires_at'>,
  index: number,
  now = Date.now(),
): string {
  const life = Math.ceil((now / 1000 + LIFE_S) / STEP_S) * STEP_S
  const expires = Math.min(life, expires_at ? Math.floor(expires_at.getTime() / 1000) : life)
  const signature = secrets.sign('output', [_id, index, expires])
  return `/v1/jobs/${_id}/outputs/${index}?expires=${expires}&signature=${signature}`
}

export interface SignedOutput {
  job_id: string
  index: number
  expires: number
  signature: string
}

/** Throws Failure 403; says nothing of whether there is such a job. */
export function checkSignedOutput(
  { secrets }: Pick<Services, 'secrets'>,
  { job_id, index, expires, signature }: SignedOutput,
): void {
  if (!secrets.verify('output', [job_id, index, expires], signature))
    throw new Failure(
      403,
      'invalid_signature',
      'The signature of this address is not ours, or the address was changed.',
      {
        param: 'signature',
      },
    )
  if (expires * 1000 <= Date.now())
    throw new Failure(
      403,
      'url_expired',
      `This address was good until ${new Date(expires * 1000).toISOString()}. GET /v1/jobs/${job_id} gives a new one.`,
      { param: 'expires' },
    )
}
