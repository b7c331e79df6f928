// A FLAC file of verbatim frames: valid and lossless, not compressed (RFC 9639).
import { createHash } from 'node:crypto'
import { createChecksum, pcmOf, vorbisComment } from './bytes.ts'
import type { Sound } from './samples.ts'

const BLOCK_SAMPLES = 4096
const VERBATIM = 0x02
const headerChecksum = createChecksum(0x07, 8)
const frameChecksum = createChecksum(0x8005, 16)

export function flacOf({ samples, rate }: Sound, comment = ''): Buffer {
  const parts = [
    Buffer.from('fLaC'),
    metadata(0, false, streamInfo({ samples, rate })),
    metadata(4, true, vorbisComment(comment)),
  ]
  for (let at = 0; at < samples.length; at += BLOCK_SAMPLES) {
    parts.push(frame(samples.subarray(at, at + BLOCK_SAMPLES), at / BLOCK_SAMPLES))
  }
  return Buffer.concat(parts)
}

function metadata(type: number, last: boolean, body: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(body.length)
  head.writeUInt8(type + (last ? 0x80 : 0))
  return Buffer.concat([head, body])
}

/** Block sizes, unknown frame sizes, then in 64 bits: rate (20), channels less 1 (3), bits less 1 (5), samples (36). */
function streamInfo({ samples, rate }: Sound): Buffer {
  const body = Buffer.alloc(34)
  body.writeUInt16BE(BLOCK_SAMPLES, 0)
  body.writeUInt16BE(BLOCK_SAMPLES, 2)
  body.writeBigUInt64BE((BigInt(rate) << 44n) | (15n << 36n) | BigInt(samples.length), 10)
  createHash('md5').update(pcmOf(samples)).digest().copy(body, 18)
  return body
}

function frame(block: Int16Array, number: number): Buffer {
  // Codes: fixed block size; its 16 bits at the end of the header (7), the rate of the stream (0); mono, 16 bits a sample.
  const size = Buffer.alloc(2)
  size.writeUInt16BE(block.length - 1)
  // Frame numbers are coded as UTF-8 codes characters.
  const header = Buffer.concat([Buffer.from([0xff, 0xf8, 0x70, 0x08]), Buffer.from(String.fromCodePoint(number)), size])
  const body = Buffer.concat([header, Buffer.from([headerChecksum(header), VERBATIM]), pcmOf(block).swap16()])
  const footer = Buffer.alloc(2)
  footer.writeUInt16BE(frameChecksum(body))
  return Buffer.concat([body, footer])
}
