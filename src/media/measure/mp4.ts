// The length and size of an MP4, M4A or QuickTime file: the sum of its samples' durations, whole or in fragments. The
// lengths that its headers give are used only where the samples bear them out (ISO/IEC 14496-12).
import { believable, type Measure } from './measure.ts'

interface Track {
  id: number
  kind: string
  codec: string
  timescale: number
  claimed: number | undefined
  /** In the timescale. */
  ticks: number
  samples: number
  default_ticks: number
  width: number
  height: number
  sample_rate: number
}

/** Boxes that hold boxes. */
const CONTAINERS = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl', 'mvex', 'moof', 'traf'])
/** An AAC sample is this many samples of sound, whatever duration the table gives it. */
const AAC_SAMPLES = 1024
const DEPTH_MAX = 8

interface State {
  tracks: Track[]
  /** The track that the boxes at hand belong to. */
  track: Track | undefined
  fragment_ticks: number | undefined
}

export function measureMp4(bytes: Buffer): Measure | undefined {
  const state: State = { tracks: [], track: undefined, fragment_ticks: undefined }
  walk(bytes, state, 0)
  const lengths = state.tracks.filter(({ kind }) => kind === 'soun' || kind === 'vide').map(secondsOf)
  const film = state.tracks.find(({ kind, width }) => kind === 'vide' && width > 0)
  if (lengths.length === 0) return undefined
  return { seconds: Math.max(...lengths), ...(film && { width: film.width, height: film.height }) }
}

function secondsOf({ timescale, claimed, ticks, samples, codec, sample_rate }: Track): number {
  const tabled = timescale > 0 ? ticks / timescale : 0
  const decoded = codec === 'mp4a' && sample_rate > 0 ? (samples * AAC_SAMPLES) / sample_rate : 0
  // Honest tables of HE-AAC count samples of half the rate; both directions are within a factor of two.
  return believable(claimed, Math.max(tabled, decoded / 2 > tabled ? decoded : 0))
}

function walk(bytes: Buffer, state: State, depth: number): void {
  for (let at = 0; at + 8 <= bytes.length && depth < DEPTH_MAX; ) {
    const short = bytes.readUInt32BE(at)
    const name = bytes.toString('latin1', at + 4, at + 8)
    const head = short === 1 ? 16 : 8
    const size = short === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : short === 0 ? bytes.length - at : short
    if (size < head) return
    const body = bytes.subarray(at + head, at + size)
    if (name === 'trak') open(state)
    if (CONTAINERS.has(name)) walk(body, state, depth + 1)
    else READERS[name]?.(body, state)
    at += size
  }
}

function open(state: State): void {
  state.track = {
    id: 0,
    kind: '',
    codec: '',
    timescale: 0,
    claimed: undefined,
    ticks: 0,
    samples: 0,
    default_ticks: 0,
    width: 0,
    height: 0,
    sample_rate: 0,
  }
  state.tracks.push(state.track)
}

const READERS: Record<string, (body: Buffer, state: State) => void> = {
  tkhd(body, { track }) {
    if (!track) return
    const late = body[0] === 1
    track.id = body.readUInt32BE(late ? 20 : 12)
    // 16.16 fixed point, the last two fields.
    track.width = Math.round(body.readUInt32BE(late ? 88 : 76) / 65_536)
    track.height = Math.round(body.readUInt32BE(late ? 92 : 80) / 65_536)
  },
  mdhd(body, { track }) {
    if (!track) return
    const late = body[0] === 1
    track.timescale = body.readUInt32BE(late ? 20 : 12)
    const duration = late ? Number(body.readBigUInt64BE(24)) : body.readUInt32BE(16)
    track.claimed = duration / track.timescale
  },
  hdlr(body, { track }) {
    // A second handler, of a QuickTime data reference, does not change what the track is.
    if (track && track.kind === '') track.kind = body.toString('latin1', 8, 12)
  },
  stsd(body, { track }) {
    if (!track || body.length < 16) return
    track.codec = body.toString('latin1', 12, 16)
    if (track.kind === 'soun' && body.length >= 44) track.sample_rate = body.readUInt32BE(40) / 65_536
  },
  stts(body, { track }) {
    if (!track) return
    const entries = Math.min(body.readUInt32BE(4), Math.floor((body.length - 8) / 8))
    for (let index = 0; index < entries; index++) {
      const count = body.readUInt32BE(8 + index * 8)
      track.ticks += count * body.readUInt32BE(12 + index * 8)
    }
  },
  stsz(body, { track }) {
    if (track) track.samples += body.readUInt32BE(8)
  },
  trex(body, { tracks }) {
    const track = tracks.find(({ id }) => id === body.readUInt32BE(4))
    if (track) track.default_ticks = body.readUInt32BE(12)
  },
  tfhd(body, state) {
    const flags = body.readUIntBE(1, 3)
    state.track = state.tracks.find(({ id }) => id === body.readUInt32BE(4))
    const before = (flags & 1 ? 8 : 0) + (flags & 2 ? 4 : 0)
    state.fragment_ticks = flags & 8 ? body.readUInt32BE(8 + before) : undefined
  },
  trun(body, { track, fragment_ticks }) {
    if (!track) return
    const flags = body.readUIntBE(1, 3)
    const count = body.readUInt32BE(4)
    track.samples += count
    if (!(flags & 0x100)) {
      track.ticks += count * (fragment_ticks ?? track.default_ticks)
      return
    }
    const entry_bytes = [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag).length * 4
    const start = 8 + (flags & 1 ? 4 : 0) + (flags & 4 ? 4 : 0)
    const end = Math.min(body.length - 3, start + count * entry_bytes)
    for (let at = start; at < end; at += entry_bytes) track.ticks += body.readUInt32BE(at)
  },
}
