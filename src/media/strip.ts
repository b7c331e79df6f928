// Takes from a picture what it tells about its maker: place, camera, comments, prompts. The file is copied part by part
// and never decoded, so its pixels are the same to the last bit. Colour profiles stay, for they belong to the colours, and
// so do content credentials (C2PA), which say that a picture was made by a machine.

const PNG_MARK = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
/** Texts, times and EXIF (PNG, third edition). */
const PNG_TOLD = new Set(['tEXt', 'zTXt', 'iTXt', 'tIME', 'eXIf'])

const JPEG_MARK = Buffer.from([0xff, 0xd8])
const SCAN = 0xda
/** EXIF and XMP, Photoshop's, comments. APP2 has the colour profile, APP11 the credentials, APP14 Adobe's colour order. */
const JPEG_TOLD = new Set([0xe1, 0xed, 0xfe])

/** The flags of VP8X that say that there is XMP, and EXIF (RFC 9649). */
const WEBP_FLAGS = 0b0000_1100
const WEBP_TOLD = new Set(['EXIF', 'XMP '])

/** The picture without its metadata; as it came where it has none, is of another format, or cannot be read. */
export function withoutMetadata(given: Uint8Array): Uint8Array {
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.length)
  const parts = partsOf(bytes)
  const kept = parts?.filter(({ told }) => !told)
  if (!parts || !kept || kept.length === parts.length) return given
  const joined = Buffer.concat(kept.map(({ bytes: part }) => part))
  return bytes.subarray(0, 4).toString('latin1') === 'RIFF' ? asRiff(joined) : joined
}

interface Part {
  bytes: Buffer
  told: boolean
}

function partsOf(bytes: Buffer): Part[] | undefined {
  if (bytes.subarray(0, 8).equals(PNG_MARK)) return pngParts(bytes)
  if (bytes.subarray(0, 2).equals(JPEG_MARK)) return jpegParts(bytes)
  const riff = bytes.subarray(0, 4).toString('latin1') + bytes.subarray(8, 12).toString('latin1')
  return riff === 'RIFFWEBP' ? webpParts(bytes) : undefined
}

function pngParts(bytes: Buffer): Part[] | undefined {
  const parts = [{ bytes: bytes.subarray(0, 8), told: false }]
  let at = 8
  while (at + 12 <= bytes.length) {
    const end = at + 12 + bytes.readUInt32BE(at)
    const name = bytes.toString('latin1', at + 4, at + 8)
    parts.push({ bytes: bytes.subarray(at, end), told: PNG_TOLD.has(name) })
    at = end
    // What stands behind the end belongs to no picture.
    if (name === 'IEND') return at <= bytes.length ? parts : undefined
  }
  return undefined
}

function jpegParts(bytes: Buffer): Part[] | undefined {
  const parts = [{ bytes: bytes.subarray(0, 2), told: false }]
  let at = 2
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1] ?? 0
    // From the first scan on there is picture alone.
    if (marker === SCAN) return [...parts, { bytes: bytes.subarray(at), told: false }]
    const end = at + 2 + bytes.readUInt16BE(at + 2)
    parts.push({ bytes: bytes.subarray(at, end), told: JPEG_TOLD.has(marker) })
    at = end
  }
  return undefined
}

function webpParts(bytes: Buffer): Part[] | undefined {
  const parts = [{ bytes: bytes.subarray(0, 12), told: false }]
  let at = 12
  while (at + 8 <= bytes.length) {
    const length = bytes.readUInt32LE(at + 4)
    const end = at + 8 + length + (length % 2)
    if (end > bytes.length) return undefined
    parts.push({ bytes: bytes.subarray(at, end), told: WEBP_TOLD.has(bytes.toString('latin1', at, at + 4)) })
    at = end
  }
  return parts
}

/** The outer size again, and the flags of what is gone. */
function asRiff(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(bytes.length - 8, 4)
  if (bytes.toString('latin1', 12, 16) === 'VP8X') bytes[20] = (bytes[20] ?? 0) & ~WEBP_FLAGS
  return bytes
}
