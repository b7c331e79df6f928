// The length and size of a WebM or Matroska file, by its blocks' clock and packets: recordings of browsers carry no
// length at all. Elements are read as a flat row, so those of unknown size need no care (RFC 8794, RFC 9559).
import { believable, type Measure } from './measure.ts'
import { opusPacketSeconds } from './opus.ts'

const MASTERS = new Set([
  0x18538067, // Segment
  0x1549a966, // Info
  0x1654ae6b, // Tracks
  0xae, // TrackEntry
  0xe0, // Video
  0x1f43b675, // Cluster
  0xa0, // BlockGroup
])

/** Blocks say when they begin; how long the last one lasts, only the header knows. */
const LAST_BLOCK_SECONDS = 2

interface State {
  scale_ns: number
  claimed_ticks: number | undefined
  cluster_ticks: number
  first_ticks: number | undefined
  last_ticks: number
  opus_tracks: Set<number>
  track: number
  opus_seconds: Map<number, number>
  width: number
  height: number
}

export function measureWebm(bytes: Buffer): Measure | undefined {
  if (bytes.length < 4 || bytes.readUInt32BE(0) !== 0x1a45dfa3) return undefined
  const state: State = {
    scale_ns: 1_000_000,
    claimed_ticks: undefined,
    cluster_ticks: 0,
    first_ticks: undefined,
    last_ticks: 0,
    opus_tracks: new Set(),
    track: 0,
    opus_seconds: new Map(),
    width: 0,
    height: 0,
  }
  walk(bytes, state)
  if (state.first_ticks === undefined) return undefined
  const second = 1e9 / state.scale_ns
  const claimed = state.claimed_ticks === undefined ? undefined : state.claimed_ticks / second
  const clock = (state.last_ticks - state.first_ticks) / second
  const shown = Math.max(clock, ...state.opus_seconds.values())
  return {
    seconds: believable(claimed, shown, LAST_BLOCK_SECONDS),
    ...(state.width > 0 && { width: state.width, height: state.height }),
  }
}

function walk(bytes: Buffer, state: State): void {
  for (let at = 0; at < bytes.length; ) {
    const id = numberAt(bytes, at, true)
    const size = id && numberAt(bytes, id.end, false)
    if (!id || !size) return
    if (MASTERS.has(id.value)) {
      at = size.end
      continue
    }
    if (size.value > bytes.length) return
    const end = size.end + size.value
    READERS[id.value]?.(bytes.subarray(size.end, end), state)
    at = end
  }
}

/** A number whose leading zero bits say its length; ids keep the bit that marks it. */
function numberAt(bytes: Buffer, at: number, keep_mark: boolean): { value: number; end: number } | undefined {
  const first = bytes[at]
  if (first === undefined || first === 0) return undefined
  const length = Math.clz32(first) - 23
  if (at + length > bytes.length) return undefined
  let value = keep_mark ? first : first & (0xff >> length)
  for (let index = 1; index < length; index++) value = value * 256 + bytes.readUInt8(at + index)
  return { value, end: at + length }
}

const unsigned = (body: Buffer) => body.reduce((sum, byte) => sum * 256 + byte, 0)

const READERS: Record<number, (body: Buffer, state: State) => void> = {
  // TimestampScale
  2807729(body, state) {
    state.scale_ns = unsigned(body) || state.scale_ns
  },
  // Duration
  17545(body, state) {
    state.claimed_ticks = body.length === 4 ? body.readFloatBE(0) : body.length === 8 ? body.readDoubleBE(0) : undefined
  },
  // TrackNumber, the first of a TrackEntry's by custom
  215(body, state) {
    state.track = unsigned(body)
  },
  // CodecID
  134(body, state) {
    if (body.toString('latin1').startsWith('A_OPUS')) state.opus_tracks.add(state.track)
  },
  // PixelWidth
  176(body, state) {
    state.width = unsigned(body)
  },
  // PixelHeight
  186(body, state) {
    state.height = unsigned(body)
  },
  // Timestamp of a Cluster
  231(body, state) {
    state.cluster_ticks = unsigned(body)
  },
  163: readBlock,
  161: readBlock,
}

function readBlock(body: Buffer, state: State): void {
  const track = numberAt(body, 0, false)
  if (!track || track.end + 3 > body.length) return
  const ticks = state.cluster_ticks + body.readInt16BE(track.end)
  state.first_ticks = Math.min(state.first_ticks ?? ticks, ticks)
  state.last_ticks = Math.max(state.last_ticks, ticks)
  // Browsers do not lace Opus; laced blocks count as their first packet, and their clock still counts.
  if (state.opus_tracks.has(track.value)) {
    const before = state.opus_seconds.get(track.value) ?? 0
    state.opus_seconds.set(track.value, before + opusPacketSeconds(body.subarray(track.end + 3)))
  }
}
