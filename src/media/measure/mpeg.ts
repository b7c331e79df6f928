// The length of an MPEG audio file (MP3, also layers I and II): its frames, counted one by one. The counts that Xing,
// Info and VBRI headers give are not asked (ISO/IEC 11172-3, 13818-3).
import { afterId3 } from './measure.ts'

/** In kbit/s, from index 1. */
const BITRATES = {
  v1_layer1: [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  v1_layer2: [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  v1_layer3: [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  v2_layer1: [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  v2_layer23: [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
}
const SAMPLE_RATES = [44_100, 48_000, 32_000]

interface Frame {
  bytes: number
  seconds: number
}

export function mpegSeconds(bytes: Buffer): number | undefined {
  let seconds = 0
  let at = nextFrame(bytes, afterId3(bytes))
  if (at !== undefined && isInfoFrame(bytes, at)) at += frameAt(bytes, at)?.bytes ?? 0
  while (at !== undefined && at < bytes.length) {
    const frame = frameAt(bytes, at)
    if (frame) seconds += frame.seconds
    at = frame ? at + frame.bytes : nextFrame(bytes, at + 1)
  }
  return seconds || undefined
}

function frameAt(bytes: Buffer, at: number): Frame | undefined {
  if (at + 4 > bytes.length || bytes[at] !== 0xff) return undefined
  const head = bytes.readUInt32BE(at)
  const version = (head >>> 19) & 3
  const layer = 4 - ((head >>> 17) & 3)
  if ((head & 0xffe00000) >>> 0 !== 0xffe00000 || version === 1 || layer === 4) return undefined
  const first = version === 3
  const rate = SAMPLE_RATES[(head >>> 10) & 3]
  const kilobits = bitrates(first, layer)[((head >>> 12) & 15) - 1]
  if (rate === undefined || kilobits === undefined) return undefined
  const sample_rate = first ? rate : version === 2 ? rate / 2 : rate / 4
  const samples = layer === 1 ? 384 : layer === 3 && !first ? 576 : 1152
  const padding = (head >>> 9) & 1
  const slot = layer === 1 ? 4 : 1
  const slots = Math.floor((samples / 8 / slot) * ((kilobits * 1000) / sample_rate)) + padding
  return { bytes: slots * slot, seconds: samples / sample_rate }
}

function bitrates(first: boolean, layer: number): number[] {
  if (!first) return layer === 1 ? BITRATES.v2_layer1 : BITRATES.v2_layer23
  return layer === 1 ? BITRATES.v1_layer1 : layer === 2 ? BITRATES.v1_layer2 : BITRATES.v1_layer3
}

/** After garbage or a tag: a frame counts as found when another follows it, or the file ends with it. */
function nextFrame(bytes: Buffer, from: number): number | undefined {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const frame = frameAt(bytes, at)
    if (!frame) continue
    const end = at + frame.bytes
    if (end >= bytes.length - 4 || frameAt(bytes, end) || bytes.toString('latin1', end, end + 3) === 'TAG') return at
  }
  return undefined
}

/** The frame that encoders put first to hold a table of contents; it has no sound. */
function isInfoFrame(bytes: Buffer, at: number): boolean {
  return /Xing|Info|VBRI/.test(bytes.toString('latin1', at + 4, at + 44))
}
