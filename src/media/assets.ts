// Brings a file here in whatever form it was named (bytes, address, data: URL) and types it by its bytes.
import type { Asset } from '../contract.ts'
import { collect, guardedFetch } from './fetch.ts'
import { FileTooLarge, MediaError } from './media_error.ts'
import { type FileKind, sniff } from './sniff.ts'

/** The file is of another kind than the field takes. */
export class WrongFile extends MediaError {
  override name = 'WrongFile'
  constructor(message: string) {
    super('wrong_file_type', message)
  }
}

export interface LoadOptions {
  max_bytes: number
  /** What the file may be. */
  kinds: FileKind[]
  signal: AbortSignal
  allowed_hosts?: string[]
  /** For a download; 5 minutes if absent. */
  timeout_ms?: number
}

const DOWNLOAD_TIMEOUT_MS = 300_000

/** Throws WrongFile, FileTooLarge, UnsafeUrl, FetchFailed, or the reason of `signal`. */
export async function loadAsset(asset: Asset, options: LoadOptions): Promise<Extract<Asset, { type: 'bytes' }>> {
  const file = asset.type === 'bytes' ? asset : await download(asset.url, options)
  if (file.data.length > options.max_bytes) throw new FileTooLarge(options.max_bytes)
  const { kind, media_type } = await sniff(file.data, asset.media_type)
  if (!options.kinds.includes(kind)) throw new WrongFile(refusal(options.kinds, file.data, media_type))
  const filename = asset.type === 'bytes' ? asset.filename : nameOf(asset.url)
  return { type: 'bytes', data: file.data, media_type, ...(filename !== undefined && { filename }) }
}

async function download(url: string, { max_bytes, kinds, signal, allowed_hosts, timeout_ms }: LoadOptions) {
  const { data } = await guardedFetch(url, {
    max_bytes,
    signal,
    timeout_ms: timeout_ms ?? DOWNLOAD_TIMEOUT_MS,
    accept: [...kinds.filter((kind) => WILDCARDS.has(kind)).map((kind) => `${kind}/*`), '*/*;q=0.5'].join(', '),
    ...(allowed_hosts && { allowed_hosts }),
  })
  return { data: await collect(data) }
}

const WILDCARDS = new Set<FileKind>(['image', 'audio', 'video'])
const WORDS: Record<FileKind, string> = {
  image: 'a picture (PNG, JPEG, WebP, GIF, AVIF, HEIC, TIFF, BMP)',
  audio: 'a sound file',
  video: 'a film',
  document: 'a document (PDF, text, Office)',
  other: 'a file',
}

function refusal(kinds: FileKind[], data: Uint8Array, media_type: string): string {
  const wanted = kinds.map((kind) => WORDS[kind]).join(' or ')
  if (data.length === 0) return `The file is empty; expected ${wanted}.`
  const found = media_type === 'application/octet-stream' ? 'of no known type' : media_type
  return `The file is ${found} by its content; expected ${wanted}.`
}

/** The last part of an address's path, where it looks like the name of a file. */
function nameOf(url: string): string | undefined {
  return /^https?:/i.test(url)
    ? /\/([\w-][\w.-]{0,120}\.\w{1,5})$/.exec(URL.parse(url)?.pathname ?? '')?.[1]
    : undefined
}
