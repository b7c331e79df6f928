// The length of a FLAC file: what its first header claims, checked against the last two frames, which carry their own
// numbers (RFC 9639, section 9). It decodes nothing.
import { afterId3, believable } from './measure.ts'

const STREAM_INFO_BYTES = 34

interface Frame {
  /** In samples. */
  start: number
  samples: number
}

export function flacSeconds(bytes: Buffer): number | undefined {
  const begin = afterId3(bytes)
  if (bytes.toString('latin1', begin, begin + 4) !== 'fLaC' || (bytes.readUInt8(begin + 4) & 0x7f) !== 0)
    return undefined
  const info = bytes.subarray(begin + 8, begin + 8 + STREAM_INFO_BYTES)
  const block_samples = info.readUInt16BE(2)
  const rate = info.readUIntBE(10, 3) >> 4
  const claimed_samples = (info.readUInt8(13) & 15) * 2 ** 32 + info.readUInt32BE(14)
  if (rate === 0) return undefined
  const claimed = claimed_samples > 0 ? claimed_samples / rate : undefined
  const end = lastSample(bytes, begin + 8 + STREAM_INFO_BYTES, block_samples)
  return end === undefined ? undefined : believable(claimed, end / rate)
}

/** From the back: two headers of which one begins where the other ends are no chance. A file of one frame has one. */
function lastSample(bytes: Buffer, begin: number, block_samples: number): number | undefined {
  let last: Frame | undefined
  for (let at = bytes.lastIndexOf(0xff); at >= begin; at = at > 0 ? bytes.lastIndexOf(0xff, at - 1) : -1) {
    const frame = frameAt(bytes, at, block_samples)
    if (!frame) continue
    if (last && frame.start + frame.samples === last.start) return last.start + last.samples
    // The first frame of the file, with nothing before it to agree with.
    if (!last && frame.start === 0) return frame.samples
    last = frame
  }
  return undefined
}

function frameAt(bytes: Buffer, at: number, block_samples: number): Frame | undefined {
  if (at + 6 > bytes.length || (bytes.readUInt16BE(at) & 0xfffe) !== 0xfff8) return undefined
  const variable = (bytes.readUInt8(at + 1) & 1) === 1
  const size_code = bytes.readUInt8(at + 2) >> 4
  const rate_code = bytes.readUInt8(at + 2) & 15
  const number = codedNumber(bytes, at + 4)
  if (!number || size_code === 0 || rate_code === 15) return undefined
  const size_bytes = size_code === 6 ? 1 : size_code === 7 ? 2 : 0
  const rate_bytes = rate_code === 12 ? 1 : rate_code === 13 || rate_code === 14 ? 2 : 0
  const end = number.end + size_bytes + rate_bytes
  if (end >= bytes.length || crc8(bytes.subarray(at, end)) !== bytes[end]) return undefined
  const samples = size_bytes > 0 ? bytes.readUIntBE(number.end, size_bytes) + 1 : blockSize(size_code)
  return { start: variable ? number.value : number.value * block_samples, samples }
}

function blockSize(code: number): number {
  if (code === 1) return 192
  return code <= 5 ? 144 * 2 ** code : 2 ** code
}

/** Written as UTF-8 writes characters, to 36 bits. */
function codedNumber(bytes: Buffer, at: number): { value: number; end: number } | undefined {
  const first = bytes.readUInt8(at)
  if (first < 0x80) return { value: first, end: at + 1 }
  const length = Math.clz32(~(first << 24))
  if (length < 2 || length > 7 || at + length > bytes.length) return undefined
  let value = first & (0x7f >> length)
  for (let index = 1; index < length; index++) {
    const next = bytes.readUInt8(at + index)
    if (next >> 6 !== 2) return undefined
    value = value * 64 + (next & 0x3f)
  }
  return { value, end: at + length }
}

function crc8(bytes: Buffer): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80 ? (crc << 1) ^ 0x07 : crc << 1) & 0xff
  }
  return crc
}
