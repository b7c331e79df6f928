// The pictures of a film that its provider makes beside it: kept after the film itself. They are no part of what was
// bought, so that one which cannot be had costs nobody the film.
import type { Asset, VideoOutput } from '../../contract.ts'
import type { JobOutput } from '../../store/jobs.ts'
import type { Services } from '../services.ts'
import type { Work } from '../work.ts'
import { fetchOutput, storeOutput } from './outputs.ts'

const ROLES = ['thumbnail', 'spritesheet'] as const

/** `hosts` are the provider's own, as for the film. */
export async function keepStills(
  services: Services,
  work: Work,
  output: VideoOutput,
  hosts: readonly string[],
): Promise<JobOutput[]> {
  const kept: JobOutput[] = []
  for (const role of ROLES) {
    const asset = output[role]
    const still = asset && (await keepStill(services, work, asset, kept.length + 1, hosts))
    if (still) kept.push({ ...still, role })
  }
  return kept
}

async function keepStill(services: Services, work: Work, asset: Asset, place: number, hosts: readonly string[]) {
  const { job, abort } = work
  try {
    const file = await fetchOutput(asset, {}, abort.signal, hosts)
    if (file.media_type.startsWith('image/')) return await storeOutput(services, job, place, file)
    services.log.warn({ job: job._id, media_type: file.media_type }, 'The provider gave a still that is no picture.')
  } catch (error) {
    abort.signal.throwIfAborted()
    services.log.warn({ job: job._id, error }, 'A still of a film could not be kept; the film is.')
  }
  return undefined
}
