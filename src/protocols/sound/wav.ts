// A WAV file: the 44-byte header, 16-bit samples of one channel, then the comment if there is one.
import { pcmOf } from './bytes.ts'
import type { Sound } from './samples.ts'

export function wavOf({ samples, rate }: Sound, comment?: string): Buffer {
  const format = Buffer.alloc(16)
  format.writeUInt16LE(1, 0)
  format.writeUInt16LE(1, 2)
  format.writeUInt32LE(rate, 4)
  format.writeUInt32LE(rate * 2, 8)
  format.writeUInt16LE(2, 12)
  format.writeUInt16LE(16, 14)
  const body = [Buffer.from('WAVE'), chunk('fmt ', format), chunk('data', pcmOf(samples))]
  if (comment !== undefined) body.push(chunk('LIST', Buffer.from('INFO'), chunk('ICMT', Buffer.from(`${comment}\0`))))
  return chunk('RIFF', ...body)
}

/** Chunks begin at even places: an odd one is followed by a byte that its size does not count. */
function chunk(name: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const head = Buffer.from(`${name}    `)
  head.writeUInt32LE(body.length, 4)
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)])
}
