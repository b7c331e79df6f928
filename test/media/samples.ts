// Real files for these tests: sounds and a film from the sandbox's encoders, pictures by sharp.
import sharp from 'sharp'
import { createClips } from '../../providers/sandbox/clips.ts'
import { aacOf } from '../../providers/sandbox/sound/aac.ts'
import { SAMPLE_RATE, samplesOf, tuneOf } from '../../providers/sandbox/sound/tune.ts'
import { flacOf } from '../../src/protocols/sound/flac.ts'
import { mp3Of } from '../../src/protocols/sound/mp3.ts'
import { opusOf } from '../../src/protocols/sound/opus.ts'
import { wavOf } from '../../src/protocols/sound/wav.ts'

const tune = tuneOf('The points are set and the signal is green.', 0.5, 1)
const samples = samplesOf(tune)
export const sound = { samples, rate: SAMPLE_RATE }
const { signal } = new AbortController()
export const SOUND_SECONDS = samples.length / SAMPLE_RATE

export const wav = wavOf(sound, 'a remark')
export const aac = aacOf(tune, 'a remark')
export const flac = flacOf(sound, 'a remark')
export const mp3 = await mp3Of(sound, signal, 'a remark')
export const opus = await opusOf(sound, signal, 'a remark')
export const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
export const html = Buffer.from('<!doctype html><script>alert(1)</script>')

export const picture = (width = 64, height = 48) =>
  sharp({ create: { width, height, channels: 3, background: 'teal' } })

/** A film of 3 seconds, 320x180. */
export async function film(): Promise<Uint8Array> {
  const clips = createClips()
  const plan = { width: 320, height: 180, scenes: [{ words: 'a train', seconds: 3 }] }
  for (;;) {
    const clip = clips.take(plan)
    if (clip) return clip.film
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** A box of an MP4 file. */
export function box(name: string, ...body: Uint8Array[]): Buffer {
  const content = Buffer.concat(body)
  const head = Buffer.alloc(8)
  head.writeUInt32BE(content.length + 8)
  head.write(name, 4, 'latin1')
  return Buffer.concat([head, content])
}

export const words = (...values: number[]): Buffer =>
  Buffer.concat(values.map((value) => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value])))

/** An element of a WebM file; without `body` one of unknown size. */
export function element(id: number, ...body: Uint8Array[]): Buffer {
  const name = Buffer.from(id.toString(16).padStart(2, '0'), 'hex')
  const content = Buffer.concat(body)
  const size = Buffer.alloc(8)
  size.writeBigUInt64BE((1n << 56n) | (body.length === 0 ? (1n << 56n) - 1n : BigInt(content.length)))
  return Buffer.concat([name, size, content])
}
