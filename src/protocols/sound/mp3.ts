// An MP3 file: LAME as WebAssembly, fed a second at a time so that others have their turn.
import { setImmediate as breathe } from 'node:timers/promises'
import { id3Of } from './bytes.ts'
import { nearestRate, resampled, type Sound } from './samples.ts'

const KILOBITS = 64
/** MPEG 1, 2 and 2.5; the lowest bitrates of the lowest rates are another table. */
const RATES = [16_000, 22_050, 24_000, 32_000, 44_100, 48_000]

/** Throws the reason of the signal. */
export async function mp3Of(sound: Sound, signal: AbortSignal, comment?: string): Promise<Buffer> {
  const { samples, rate } = resampled(sound, nearestRate(sound.rate, RATES))
  // Loaded with the first MP3: the encoder is a megabyte of text.
  const { createMp3Encoder } = await import('wasm-media-encoders')
  const encoder = await createMp3Encoder()
  encoder.configure({ channels: 1, sampleRate: rate, bitrate: KILOBITS })
  const parts = comment === undefined ? [] : [id3Of(comment)]
  for (let at = 0; at < samples.length; at += rate) {
    const second = Float32Array.from(samples.subarray(at, at + rate), (sample) => sample / 32_768)
    // A copy: what the encoder answers is a view of its own memory, overwritten by the next call.
    parts.push(Buffer.from(encoder.encode([second])))
    await breathe()
    signal.throwIfAborted()
  }
  parts.push(Buffer.from(encoder.finalize()))
  return Buffer.concat(parts)
}
