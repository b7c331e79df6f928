// Outputs of media jobs: fetched from the provider, typed by their bytes, measured, and kept in storage under the job.
import type { Asset } from '../contract.ts'
import { loadAsset } from '../media/assets.ts'
import { probe } from '../media/probe.ts'
import { sniff } from '../media/sniff.ts'
import type { JobOutput, JobRecord } from '../store/jobs.ts'
import type { GeneratorOperation, Kinds } from './generators.ts'
import type { Services } from './services.ts'

/** The largest file a provider may give us. */
const OUTPUT_BYTES_MAX = 512 * 2 ** 20

export type Bytes = Extract<Asset, { type: 'bytes' }>

/** The files among an operation's output, in order; text and vectors have none. */
export function filesOf<Kind extends GeneratorOperation>(operation: Kind, output: Kinds[Kind]['output']): Asset[] {
  const any = output as Partial<Kinds['image']['output'] & Kinds['video']['output'] & Kinds['speech']['output']>
  if (operation === 'image') return (any.images ?? []).map(({ image }) => image)
  if (operation === 'video') return any.video ? [any.video] : []
  if (operation === 'speech') return any.audio ? [any.audio] : []
  return []
}

/** Brings a file here, whatever form the provider gave it in; its type is what its bytes say. */
export function fetchOutput(asset: Asset, signal: AbortSignal): Promise<Bytes> {
  return loadAsset(asset, { max_bytes: OUTPUT_BYTES_MAX, kinds: ['image', 'audio', 'video'], signal })
}

async function storeOutput(services: Services, job: JobRecord, index: number, file: Bytes): Promise<JobOutput> {
  const { ext, kind } = await sniff(file.data)
  const key = `${job.account_id}/${job._id}/${index}.${ext}`
  const [stored, measured] = await Promise.all([
    services.storage.put(key, file.data, { media_type: file.media_type, max_bytes: OUTPUT_BYTES_MAX }),
    probe(file.data, file.media_type).catch(() => ({})),
  ])
  const { seconds, width, height }: { seconds?: number; width?: number; height?: number } = measured
  return {
    type: kind === 'image' || kind === 'video' || kind === 'audio' ? kind : 'json',
    key,
    media_type: file.media_type,
    bytes: stored.bytes,
    sha256: stored.sha256,
    seconds: seconds ?? null,
    width: width ?? null,
    height: height ?? null,
  }
}

/** Keeps what a job made: its files, or the output itself as JSON where it has none. */
export async function keepFiles(
  services: Services,
  job: JobRecord,
  output: object,
  files: Bytes[],
): Promise<JobOutput[]> {
  if (files.length === 0) return [await storeJson(services, job, JSON.stringify(output))]
  return Promise.all(files.map((file, index) => storeOutput(services, job, index, file)))
}

/** Stores what is not a file (a transcript, vectors, a chat's answer) as the JSON that a waiting caller would have got. */
export async function storeJson(services: Services, job: JobRecord, json: string): Promise<JobOutput> {
  const media_type = 'application/json'
  const file = await services.storage.put(`${job.account_id}/${job._id}/0.json`, Buffer.from(json), {
    media_type,
    max_bytes: OUTPUT_BYTES_MAX,
  })
  return {
    type: 'json',
    key: file.key,
    media_type,
    bytes: file.bytes,
    sha256: file.sha256,
    seconds: null,
    width: null,
    height: null,
  }
}
