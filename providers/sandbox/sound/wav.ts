// A WAV file: the 44-byte header, 16-bit samples, then the comment.
import { pcmOf } from './bytes.ts'
import { SAMPLE_RATE } from './tune.ts'

export function wavOf(samples: Int16Array, comment: string): Buffer {
  const format = Buffer.alloc(16)
  format.writeUInt16LE(1, 0)
  format.writeUInt16LE(1, 2)
  format.writeUInt32LE(SAMPLE_RATE, 4)
  format.writeUInt32LE(SAMPLE_RATE * 2, 8)
  format.writeUInt16LE(2, 12)
  format.writeUInt16LE(16, 14)
  const information = Buffer.concat([Buffer.from('INFO'), chunk('ICMT', Buffer.from(`${comment}\0`))])
  const body = [Buffer.from('WAVE'), chunk('fmt ', format), chunk('data', pcmOf(samples)), chunk('LIST', information)]
  return chunk('RIFF', Buffer.concat(body))
}

/** Chunks begin at even places: an odd one is followed by a byte that its size does not count. */
function chunk(name: string, body: Buffer): Buffer {
  const head = Buffer.from(`${name}    `)
  head.writeUInt32LE(body.length, 4)
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)])
}
