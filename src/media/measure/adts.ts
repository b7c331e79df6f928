// The length of a raw AAC file (ADTS): its frames, counted one by one (ISO/IEC 14496-3, 1.A.3).
import { afterId3 } from './measure.ts'

const SAMPLE_RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350,
]
const BLOCK_SAMPLES = 1024
const HEAD_BYTES = 7

export function adtsSeconds(bytes: Buffer): number | undefined {
  let seconds = 0
  for (let at: number | undefined = afterId3(bytes); at !== undefined && at < bytes.length; ) {
    const frame = frameAt(bytes, at)
    if (frame) seconds += frame.seconds
    at = frame ? at + frame.bytes : nextFrame(bytes, at + 1)
  }
  return seconds || undefined
}

function frameAt(bytes: Buffer, at: number): { bytes: number; seconds: number } | undefined {
  if (at + HEAD_BYTES > bytes.length || (bytes.readUInt16BE(at) & 0xfff6) !== 0xfff0) return undefined
  const rate = SAMPLE_RATES[(bytes.readUInt8(at + 2) >> 2) & 15]
  const length = (bytes.readUIntBE(at + 3, 3) >> 5) & 0x1fff
  if (rate === undefined || length < HEAD_BYTES) return undefined
  const blocks = (bytes.readUInt8(at + 6) & 3) + 1
  return { bytes: length, seconds: (blocks * BLOCK_SAMPLES) / rate }
}

function nextFrame(bytes: Buffer, from: number): number | undefined {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const frame = frameAt(bytes, at)
    if (frame && (at + frame.bytes >= bytes.length || frameAt(bytes, at + frame.bytes))) return at
  }
  return undefined
}
