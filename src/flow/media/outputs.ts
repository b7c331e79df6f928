// Outputs of media jobs: fetched from the provider, typed by their bytes, measured, and kept in storage under the job.
import { type Asset, type JsonObject, ProviderError } from '../../contract.ts'
import { loadAsset } from '../../media/assets.ts'
import { FetchFailed } from '../../media/fetch.ts'
import { convertImage, PICTURE_FORMATS, plainImage } from '../../media/image.ts'
import { MediaError } from '../../media/media_error.ts'
import { probe } from '../../media/probe.ts'
import { type FileKind, sniff } from '../../media/sniff.ts'
import type { JobOutput, JobRecord } from '../../store/jobs.ts'
import type { Services } from '../services.ts'
import type { GeneratorOperation, Kinds } from './generators.ts'
import type { OutputText } from './output_text.ts'
import { inAskedSound } from './speech_format.ts'

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

/** No file came from an address that is allowed: it may with time. */
export class FileNotFetched extends ProviderError {
  constructor(cause: FetchFailed) {
    super('bad_response', 'The file that the provider made could not be downloaded.', { cause })
  }
}

/**
 * Brings a file here, whatever form the provider gave it in; its type is what its bytes say, or what the caller asked for.
 * `hosts` are the provider's own, which the operator chose: they alone may be private.
 */
export async function fetchOutput(
  asset: Asset,
  echo: JsonObject,
  signal: AbortSignal,
  hosts: readonly string[] = [],
): Promise<Bytes> {
  try {
    const limits = { max_bytes: OUTPUT_BYTES_MAX, kinds: ['image', 'audio', 'video'] as FileKind[] }
    const file = await loadAsset(asset, { ...limits, signal, allowed_hosts: [...hosts] })
    if (!file.media_type.startsWith('audio/')) return await inAskedFormat(file, echo)
    return await inAskedSound(file, asset.media_type ?? file.media_type, echo, signal)
  } catch (error) {
    if (error instanceof FetchFailed) throw new FileNotFetched(error)
    if (!(error instanceof MediaError)) throw error
    throw new ProviderError('bad_response', 'The provider gave a file that cannot be used.', { cause: error })
  }
}

/** Not every provider makes every format; then the picture is made anew here: as asked, else as PNG. Without metadata always. */
async function inAskedFormat(file: Bytes, { output_format, output_compression }: JsonObject): Promise<Bytes> {
  const { data: given, media_type: had } = file
  if (!had.startsWith('image/')) return file
  const format = PICTURE_FORMATS.find((each) => each === output_format)
  // OpenAI's own GIF, where that was asked for.
  if (format === undefined && had === `image/${String(output_format)}`) return file
  const { data, media_type } =
    format === undefined || had === `image/${format}`
      ? await plainImage(given)
      : await convertImage(given, {
          format,
          ...(typeof output_compression === 'number' && { compression: output_compression }),
          strip_metadata: true,
        })
  return { type: 'bytes', data, media_type }
}

/** Keeps one file as the output of this number. */
export async function storeOutput(services: Services, job: JobRecord, index: number, file: Bytes): Promise<JobOutput> {
  const { ext, kind } = await sniff(file.data, file.media_type)
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

/** Keeps what a job made: its files, or its text where it has none. */
export async function keepOutputs(
  services: Services,
  job: JobRecord,
  files: Bytes[],
  text: () => OutputText,
): Promise<JobOutput[]> {
  if (files.length === 0) return [await storeText(services, job, text())]
  return Promise.all(files.map((file, index) => storeOutput(services, job, index, file)))
}

/** Keeps an answer, in its caller's format, with its job. */
export type KeepAnswer = (job: JobRecord, json: string) => Promise<JobOutput[]>

/** The JSON answer of a chat that nobody waits for. */
export const storeJson = (services: Services, job: JobRecord, json: string): Promise<JobOutput> =>
  storeText(services, job, { media_type: 'application/json', body: json })

/** Stores what is not a file (a transcript, vectors, a chat's answer) as a waiting caller would have got it. */
async function storeText(services: Services, job: JobRecord, { media_type, body }: OutputText): Promise<JobOutput> {
  const type = media_type.startsWith('application/json') ? 'json' : 'text'
  const key = `${job.account_id}/${job._id}/0.${type === 'json' ? 'json' : 'txt'}`
  const file = await services.storage.put(key, Buffer.from(body), { media_type, max_bytes: OUTPUT_BYTES_MAX })
  return {
    type,
    key: file.key,
    media_type,
    bytes: file.bytes,
    sha256: file.sha256,
    seconds: null,
    width: null,
    height: null,
  }
}
