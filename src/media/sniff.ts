// What a file is, by its bytes. Names and declared types are not asked, except for sound that has no mark at all.
import { isUtf8 } from 'node:buffer'

export type FileKind = 'image' | 'audio' | 'video' | 'document' | 'other'
export interface FileFormat {
  media_type: string
  ext: string
  kind: FileKind
}

/** Pictures that our decoders and browsers know. SVG is a program, not a picture, and is not among them. */
const IMAGES = new Set([
  'image/png',
  'image/apng',
  'image/jpeg',
  'image/webp',
  'image/gif',
  'image/avif',
  'image/heic',
  'image/heif',
  'image/tiff',
  'image/bmp',
])

const DOCUMENTS = /^application\/(pdf|rtf|epub\+zip|vnd\.(openxmlformats-officedocument|oasis\.opendocument)\.)/

/** The registered or common name where file-type has another. */
const NAMES: Record<string, string> = { 'audio/x-m4a': 'audio/mp4', 'video/matroska': 'video/x-matroska' }

const UNKNOWN: FileFormat = { media_type: 'application/octet-stream', ext: 'bin', kind: 'other' }
const PCM: FileFormat = { media_type: 'audio/pcm', ext: 'pcm', kind: 'audio' }
const TEXT: FileFormat = { media_type: 'text/plain', ext: 'txt', kind: 'document' }

/** `declared` is believed only if it says raw samples: those have no mark, and may look like anything by chance. */
export async function sniff(bytes: Uint8Array, declared?: string): Promise<FileFormat> {
  if (declared !== undefined && /^audio\/(pcm|l16)\b/i.test(declared)) return PCM
  // Loaded with the first file: a router of text never needs it.
  const { fileTypeFromBuffer } = await import('file-type')
  const found = await fileTypeFromBuffer(bytes)
  if (!found) return isText(bytes) ? TEXT : UNKNOWN
  const [plain = ''] = found.mime.split(';')
  const media_type = NAMES[plain] ?? plain
  return { media_type, ext: found.ext, kind: kindOf(media_type) }
}

function kindOf(media_type: string): FileKind {
  if (IMAGES.has(media_type)) return 'image'
  if (media_type.startsWith('audio/')) return 'audio'
  if (media_type.startsWith('video/')) return 'video'
  return DOCUMENTS.test(media_type) ? 'document' : 'other'
}

/** UTF-8 without control characters but those of lines. Served as text/plain, whatever markup it contains. */
function isText(bytes: Uint8Array): boolean {
  const head = bytes.subarray(0, 65_536)
  return bytes.length > 0 && isUtf8(bytes) && !head.some((byte) => byte < 32 && (byte < 9 || byte > 13))
}
