// An Opus file: libopus as WebAssembly makes the packets, this file lays them into Ogg pages (RFC 3533, RFC 7845).
import OpusScript from 'opusscript'
import { breathe } from '../pause.ts'
import { createChecksum, pcmOf, vorbisComment } from './bytes.ts'
import { SAMPLE_RATE } from './tune.ts'

const PACKET_SAMPLES = SAMPLE_RATE / 50
const PACKETS_A_PAGE = 50
const BITS_A_SECOND = 24_000
/** Ogg counts Opus in samples of 48 kHz whatever went in. */
const CLOCK = 48_000
/** What libopus puts before the sound, in that clock; players skip it. */
const LEAD_SAMPLES = 312
const FIRST = 2
const LAST = 4
const checksum = createChecksum(0x04c11db7, 32)

export async function opusOf(samples: Int16Array, comment: string, signal: AbortSignal): Promise<Buffer> {
  const pages = [
    page([head()], 0, 0, FIRST),
    page([Buffer.concat([Buffer.from('OpusTags'), vorbisComment(comment)])], 0, 1, 0),
  ]
  const lead = LEAD_SAMPLES * (SAMPLE_RATE / CLOCK)
  const count = Math.ceil((samples.length + lead) / PACKET_SAMPLES)
  const padded = new Int16Array(count * PACKET_SAMPLES)
  padded.set(samples)
  const encoder = new OpusScript(SAMPLE_RATE, 1, OpusScript.Application.AUDIO)
  try {
    encoder.setBitrate(BITS_A_SECOND)
    for (let from = 0; from < count; from += PACKETS_A_PAGE) {
      const to = Math.min(count, from + PACKETS_A_PAGE)
      const packets = Array.from({ length: to - from }, (_, index) => {
        const at = (from + index) * PACKET_SAMPLES
        return Buffer.from(encoder.encode(pcmOf(padded.subarray(at, at + PACKET_SAMPLES)), PACKET_SAMPLES))
      })
      // The last page's position says where the sound ends within its last packet.
      const end = to === count ? samples.length + lead : to * PACKET_SAMPLES
      pages.push(page(packets, end * (CLOCK / SAMPLE_RATE), pages.length, to === count ? LAST : 0))
      await breathe(signal)
    }
  } finally {
    encoder.delete()
  }
  return Buffer.concat(pages)
}

function head(): Buffer {
  const body = Buffer.alloc(19)
  body.write('OpusHead')
  body.writeUInt8(1, 8)
  body.writeUInt8(1, 9)
  body.writeUInt16LE(LEAD_SAMPLES, 10)
  body.writeUInt32LE(SAMPLE_RATE, 12)
  return body
}

function page(packets: Buffer[], position: number, number: number, flags: number): Buffer {
  // Each packet's length as a run of 255 and a rest below 255.
  const lengths = packets.flatMap(({ length }) => [...Array<number>(Math.floor(length / 255)).fill(255), length % 255])
  const header = Buffer.alloc(27)
  header.write('OggS')
  header.writeUInt8(flags, 5)
  header.writeBigInt64LE(BigInt(position), 6)
  header.writeUInt32LE(number, 18)
  header.writeUInt8(lengths.length, 26)
  const whole = Buffer.concat([header, Buffer.from(lengths), ...packets])
  whole.writeUInt32LE(checksum(whole), 22)
  return whole
}
