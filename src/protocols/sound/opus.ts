// An Opus file: libopus as WebAssembly makes the packets, this file lays them into Ogg pages (RFC 3533, RFC 7845).
import { setImmediate as breathe } from 'node:timers/promises'
import { createChecksum, pcmOf, vorbisComment } from './bytes.ts'
import { nearestRate, resampled, type Sound } from './samples.ts'

const RATES = [8000, 12_000, 16_000, 24_000, 48_000] as const
const PACKETS_A_SECOND = 50
const PACKETS_A_PAGE = 50
const BITS_A_SECOND = 24_000
/** Ogg counts Opus in samples of 48 kHz whatever went in. */
const CLOCK = 48_000
/** What libopus puts before the sound, in that clock; players skip it. */
const LEAD_SAMPLES = 312
const FIRST = 2
const LAST = 4
const checksum = createChecksum(0x04c11db7, 32)

/** Throws the reason of the signal. */
export async function opusOf(sound: Sound, signal: AbortSignal, comment = ''): Promise<Buffer> {
  const rate = nearestRate(sound.rate, RATES)
  const { samples } = resampled(sound, rate)
  const packet_samples = rate / PACKETS_A_SECOND
  const pages = [
    page([head(rate)], 0, 0, FIRST),
    page([Buffer.concat([Buffer.from('OpusTags'), vorbisComment(comment)])], 0, 1, 0),
  ]
  const lead = LEAD_SAMPLES * (rate / CLOCK)
  const count = Math.ceil((samples.length + lead) / packet_samples)
  const padded = new Int16Array(count * packet_samples)
  padded.set(samples)
  // Loaded with the first Opus file: the encoder is half a megabyte.
  const { default: OpusScript } = await import('opusscript')
  const encoder = new OpusScript(rate, 1, OpusScript.Application.AUDIO)
  try {
    encoder.setBitrate(BITS_A_SECOND)
    for (let from = 0; from < count; from += PACKETS_A_PAGE) {
      const to = Math.min(count, from + PACKETS_A_PAGE)
      const packets = Array.from({ length: to - from }, (_, index) => {
        const at = (from + index) * packet_samples
        return Buffer.from(encoder.encode(pcmOf(padded.subarray(at, at + packet_samples)), packet_samples))
      })
      // The last page's position says where the sound ends within its last packet.
      const end = to === count ? samples.length + lead : to * packet_samples
      pages.push(page(packets, end * (CLOCK / rate), pages.length, to === count ? LAST : 0))
      await breathe()
      signal.throwIfAborted()
    }
  } finally {
    encoder.delete()
  }
  return Buffer.concat(pages)
}

function head(rate: number): Buffer {
  const body = Buffer.alloc(19)
  body.write('OpusHead')
  body.writeUInt8(1, 8)
  body.writeUInt8(1, 9)
  body.writeUInt16LE(LEAD_SAMPLES, 10)
  body.writeUInt32LE(rate, 12)
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
