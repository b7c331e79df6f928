// What several sound formats share, byte by byte: PCM, checksums and the two ways to write a comment.

/** 16-bit little-endian, as WAV and PCM have it. */
export function pcmOf(samples: Int16Array): Buffer {
  const bytes = Buffer.alloc(samples.length * 2)
  for (const [index, sample] of samples.entries()) bytes.writeInt16LE(sample, index * 2)
  return bytes
}

/** An ID3v2.4 tag with one comment, to stand before an MP3 or AAC stream. */
export function id3Of(comment: string): Buffer {
  // Encoding 3 is UTF-8; then the language and an empty description.
  const body = Buffer.concat([Buffer.from('\x03eng\0', 'latin1'), Buffer.from(comment)])
  const frame = Buffer.concat([Buffer.from('COMM'), syncsafe(body.length), Buffer.alloc(2), body])
  return Buffer.concat([Buffer.from('ID3\x04\0\0', 'latin1'), syncsafe(frame.length), frame])
}

/** Seven bits a byte, so that no size looks like the start of a frame. */
const syncsafe = (size: number): Buffer => Buffer.from([21, 14, 7, 0].map((shift) => (size >> shift) & 0x7f))

/** A Vorbis comment block, as FLAC and Opus have it: vendor and one comment, each with its length before it. */
export function vorbisComment(comment: string): Buffer {
  const counted = (text: string) => Buffer.concat([littleEndian(Buffer.byteLength(text)), Buffer.from(text)])
  return Buffer.concat([counted('Switchyard'), littleEndian(1), counted(`COMMENT=${comment}`)])
}

function littleEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** A cyclic checksum, highest bit first, from 0 (FLAC's two and Ogg's are of this family). */
export function createChecksum(polynomial: number, width: 8 | 16 | 32): (bytes: Uint8Array) => number {
  // Every width is computed in the upper bits of 32.
  const table = Int32Array.from({ length: 256 }, (_, byte) => {
    let sum = byte << 24
    for (let bit = 0; bit < 8; bit++) sum = (sum << 1) ^ (sum < 0 ? polynomial << (32 - width) : 0)
    return sum
  })
  return (bytes) => {
    let sum = 0
    for (const byte of bytes) sum = (sum << 8) ^ (table[(sum >>> 24) ^ byte] ?? 0)
    return sum >>> (32 - width)
  }
}
