// An MP3 file: LAME as WebAssembly, fed a second at a time so that others have their turn.
import { createMp3Encoder } from 'wasm-media-encoders'
import { breathe } from '../pause.ts'
import { id3Of } from './bytes.ts'
import { SAMPLE_RATE } from './tune.ts'

const KILOBITS = 64

export async function mp3Of(samples: Int16Array, comment: string, signal: AbortSignal): Promise<Buffer> {
  const encoder = await createMp3Encoder()
  encoder.configure({ channels: 1, sampleRate: SAMPLE_RATE, bitrate: KILOBITS })
  const parts = [id3Of(comment)]
  for (let at = 0; at < samples.length; at += SAMPLE_RATE) {
    const second = Float32Array.from(samples.subarray(at, at + SAMPLE_RATE), (sample) => sample / 32_768)
    // A copy: what the encoder answers is a view of its own memory, overwritten by the next call.
    parts.push(Buffer.from(encoder.encode([second])))
    await breathe(signal)
  }
  parts.push(Buffer.from(encoder.finalize()))
  return Buffer.concat(parts)
}
