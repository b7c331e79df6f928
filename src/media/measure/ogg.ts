// The length of an Ogg file (Opus, Vorbis, FLAC, Speex): its pages' clock, checked against the packets where these tell
// their own length (RFC 3533, RFC 7845).
import { believable } from './measure.ts'
import { opusPacketSeconds } from './opus.ts'

interface Page {
  serial: number
  /** The clock at the end of the page in samples; undefined where no packet ends. */
  clock: number | undefined
  /** Sizes of the packets' pieces; the last one continues on the next page if `open`. */
  pieces: Buffer[]
  open: boolean
  end: number
}

interface Track {
  codec: 'opus' | 'vorbis' | 'other'
  rate: number
  pre_skip: number
  long_block: number
  first_clock: number | undefined
  last_clock: number
  packets: number
  packet_seconds: number
  rest: Buffer[]
}

const OPUS_CLOCK = 48_000

export function oggSeconds(bytes: Buffer): number | undefined {
  const tracks = new Map<number, Track>()
  for (let page = pageAt(bytes, 0); page; page = pageAt(bytes, page.end)) {
    const track = tracks.get(page.serial) ?? openTrack(page.pieces[0])
    if (!track) continue
    tracks.set(page.serial, track)
    readPage(track, page)
  }
  const lengths = [...tracks.values()].map(secondsOf)
  return lengths.length > 0 ? Math.max(...lengths) : undefined
}

function pageAt(bytes: Buffer, from: number): Page | undefined {
  const at = bytes.indexOf('OggS', from, 'latin1')
  if (at < 0 || at + 27 > bytes.length) return undefined
  const sizes = bytes.subarray(at + 27, at + 27 + bytes.readUInt8(at + 26))
  const pieces: Buffer[] = []
  let start = at + 27 + sizes.length
  let length = 0
  for (const [index, size] of sizes.entries()) {
    length += size
    if (size === 255 && index < sizes.length - 1) continue
    pieces.push(bytes.subarray(start, start + length))
    start += length
    length = 0
  }
  const clock = bytes.readBigInt64LE(at + 6)
  return {
    serial: bytes.readUInt32LE(at + 14),
    clock: clock < 0n ? undefined : Number(clock),
    pieces,
    open: sizes.at(-1) === 255,
    end: start,
  }
}

/** By the first packet; undefined for what is no sound. */
function openTrack(head: Buffer | undefined): Track | undefined {
  const blank = { pre_skip: 0, long_block: 0, first_clock: undefined, last_clock: 0, packets: 0, packet_seconds: 0 }
  const starts = (mark: string) => head?.toString('latin1', 0, mark.length) === mark
  if (!head) return undefined
  if (starts('OpusHead')) {
    return { ...blank, codec: 'opus', rate: OPUS_CLOCK, pre_skip: head.readUInt16LE(10), rest: [] }
  }
  if (starts('\x01vorbis')) {
    const long_block = 2 ** (head.readUInt8(28) >> 4)
    return { ...blank, codec: 'vorbis', rate: head.readUInt32LE(12), long_block, rest: [] }
  }
  if (starts('\x7fFLAC')) return { ...blank, codec: 'other', rate: head.readUIntBE(27, 3) >> 4, rest: [] }
  if (starts('Speex   ')) return { ...blank, codec: 'other', rate: head.readUInt32LE(36), rest: [] }
  return undefined
}

function readPage(track: Track, { clock, pieces, open }: Page): void {
  if (clock !== undefined) {
    // The first page with sound: recordings of a running broadcast do not begin at 0.
    if (clock > 0) track.first_clock ??= clock
    track.last_clock = Math.max(track.last_clock, clock)
  }
  for (const [index, piece] of pieces.entries()) {
    track.rest.push(piece)
    if (open && index === pieces.length - 1) return
    const packet = track.rest.length === 1 ? piece : Buffer.concat(track.rest)
    track.rest = []
    if (isSound(track, packet)) {
      track.packets++
      if (track.codec === 'opus') track.packet_seconds += opusPacketSeconds(packet)
    }
  }
}

function isSound({ codec }: Track, packet: Buffer): boolean {
  if (codec === 'opus') return !/^Opus(Head|Tags)/.test(packet.toString('latin1', 0, 8))
  return codec !== 'vorbis' || ((packet[0] ?? 1) & 1) === 0
}

/**
 * Opus packets say exactly how long they are. Vorbis packets are at most half a long block each and mostly that, so a
 * clock that shows less than half of it is not believed, nor one that shows more. Others have only their clock.
 */
function secondsOf({ codec, rate, pre_skip, long_block, last_clock, packets, packet_seconds }: Track): number {
  const clock = Math.max(0, last_clock - pre_skip) / rate
  if (codec === 'opus') return believable(clock, packet_seconds)
  if (codec === 'other') return clock
  const most = (packets * long_block) / 2 / rate
  return clock >= most / 2 && clock <= most ? clock : most
}
