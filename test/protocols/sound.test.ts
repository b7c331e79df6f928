// Plain samples: out of every kind of WAV and raw PCM, at another rate, and back into files that know their length.
import { describe, expect, it } from 'vitest'
import { probe } from '../../src/media/probe.ts'
import { soundFile, WRITTEN_FORMATS } from '../../src/protocols/sound/file.ts'
import { readSound, resampled, type Sound } from '../../src/protocols/sound/samples.ts'
import { wavOf } from '../../src/protocols/sound/wav.ts'

const { signal } = new AbortController()
const tone = (rate: number, hz = 440, seconds = 0.25): Sound => ({
  rate,
  samples: Int16Array.from({ length: rate * seconds }, (_, at) => 12_000 * Math.sin((2 * Math.PI * hz * at) / rate)),
})
/** How loud a tone of this height is in the sound, away from its ends. */
function loudness({ samples, rate }: Sound, hz: number): number {
  const middle = samples.subarray(samples.length / 4, (samples.length * 3) / 4)
  let [real, imaginary] = [0, 0]
  for (const [at, sample] of middle.entries()) {
    real += sample * Math.cos((2 * Math.PI * hz * at) / rate)
    imaginary += sample * Math.sin((2 * Math.PI * hz * at) / rate)
  }
  return (2 * Math.hypot(real, imaginary)) / middle.length
}

/** A WAV whose samples are written by `write`. */
function wav(sound: Sound, bits: number, kind: number, channels: number): Buffer {
  const width = bits / 8
  const body = Buffer.alloc(sound.samples.length * channels * width)
  for (const [index, sample] of sound.samples.entries()) {
    for (let channel = 0; channel < channels; channel++) {
      const at = (index * channels + channel) * width
      if (kind === 3) body.writeFloatLE(sample / 32_767, at)
      else if (bits === 8) body.writeUInt8((sample >> 8) + 128, at)
      else body.writeIntLE(sample * 2 ** (bits - 16), at, width)
    }
  }
  const head = wavOf({ samples: new Int16Array(), rate: sound.rate }).subarray(0, 44)
  head.writeUInt16LE(kind, 20)
  head.writeUInt16LE(channels, 22)
  head.writeUInt16LE(bits, 34)
  head.writeUInt32LE(body.length, 40)
  return Buffer.concat([head, body])
}

describe('samples', () => {
  it.each([
    [8, 1, 1, 256],
    [16, 1, 2, 0],
    [24, 1, 1, 0],
    [32, 1, 2, 0],
    [32, 3, 1, 1],
  ])('of %i bits, kind %i, %i channels are read within %i', (bits, kind, channels, most) => {
    const sound = tone(16_000)
    const read = readSound(wav(sound, bits, kind, channels), 'audio/wav')
    expect([read?.rate, read?.samples.length]).toEqual([16_000, sound.samples.length])
    const off = sound.samples.map((sample, at) => Math.abs(sample - (read?.samples[at] ?? 0)))
    expect(Math.max(...off)).toBeLessThanOrEqual(most)
  })

  it('of a stream whose size was not known are read to its end', () => {
    const file = wav(tone(8000), 16, 1, 1)
    file.writeUInt32LE(0xffffffff, 40)
    expect(readSound(file, 'audio/wav')?.samples.length).toBe(2000)
  })

  it('without a head have the rate that their type says', () => {
    const bytes = Buffer.alloc(100)
    expect(readSound(bytes, 'audio/L16;codec=pcm;rate=16000')).toMatchObject({ rate: 16_000 })
    expect(readSound(bytes, 'audio/pcm')).toMatchObject({ rate: 24_000 })
    expect(readSound(Buffer.from('ID3 no samples'), 'audio/mpeg')).toBeUndefined()
  })

  it('keep their tone at another rate, and what is too high for it does not fold back', () => {
    const low = resampled(tone(44_100, 440), 24_000)
    expect(low.samples.length).toBe(6000)
    expect(loudness(low, 440)).toBeCloseTo(12_000, -3)
    expect(loudness(resampled(tone(8000, 440), 24_000), 440)).toBeCloseTo(12_000, -3)
    // 15 kHz would sound at 9 kHz in a file of 24 kHz.
    expect(loudness(resampled(tone(48_000, 15_000), 24_000), 9000)).toBeLessThan(200)
  })

  it.each(WRITTEN_FORMATS)('become a file that is as long as they are: %s', async (format) => {
    const file = await soundFile(format, tone(22_050, 440, 1), signal)
    const media_type = { wav: 'audio/wav', mp3: 'audio/mpeg', opus: 'audio/ogg', flac: 'audio/flac', pcm: 'audio/pcm' }[
      format
    ]
    const { seconds } = await probe(file, media_type)
    expect(seconds).toBeGreaterThanOrEqual(0.99)
    expect(seconds).toBeLessThan(1.1)
  })

  it('are no longer written when nobody wants them', async () => {
    await expect(soundFile('mp3', tone(24_000), AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  })
})
