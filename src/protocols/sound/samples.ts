// Plain samples: read out of WAV and raw PCM, and brought to another rate. One channel of 16 bits; more are mixed into one.

export interface Sound {
  /** One channel. */
  samples: Int16Array
  /** Samples a second. */
  rate: number
}

/** 16-bit little-endian, one channel, unless the type says more: `audio/pcm;rate=16000;channels=2`. */
export const PCM_RATE = 24_000
const WAVE_PCM = 1
const WAVE_FLOAT = 3
const WAVE_EXTENSIBLE = 0xfffe

/** Undefined for what is no WAV and no raw PCM, or holds samples of a kind that speech never has. */
export function readSound(file: Uint8Array, media_type: string): Sound | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  if (/^audio\/(?:pcm|l16)\b/i.test(media_type)) {
    const parameter = (name: string) => Number(new RegExp(`;\\s*${name}=(\\d{1,6})`, 'i').exec(media_type)?.[1])
    return { samples: mixed(bytes, 16, WAVE_PCM, parameter('channels') || 1), rate: parameter('rate') || PCM_RATE }
  }
  return bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WAVE'
    ? readWav(bytes)
    : undefined
}

function readWav(bytes: Buffer): Sound | undefined {
  let format: Buffer | undefined
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = bytes.toString('latin1', at, at + 4)
    const size = bytes.readUInt32LE(at + 4)
    const body = bytes.subarray(at + 8, at + 8 + size)
    if (name === 'fmt ' && body.length >= 16) format = body
    // A stream's size is not known when its header is written; then all that follows is sound.
    if (name === 'data') return format && soundOf(format, body)
    at += 8 + size + (size % 2)
  }
  return undefined
}

function soundOf(format: Buffer, body: Buffer): Sound | undefined {
  const told = format.readUInt16LE(0)
  const kind = told === WAVE_EXTENSIBLE && format.length >= 26 ? format.readUInt16LE(24) : told
  const channels = format.readUInt16LE(2)
  const rate = format.readUInt32LE(4)
  const bits = format.readUInt16LE(14)
  const is_known = kind === WAVE_PCM ? [8, 16, 24, 32].includes(bits) : kind === WAVE_FLOAT && bits === 32
  if (!is_known || channels < 1 || channels > 8 || rate < 8000 || rate > 192_000) return undefined
  return { samples: mixed(body, bits, kind, channels), rate }
}

function mixed(body: Buffer, bits: number, kind: number, channels: number): Int16Array {
  const width = bits / 8
  const samples = new Int16Array(Math.floor(body.length / (width * channels)))
  for (let index = 0; index < samples.length; index++) {
    let sum = 0
    for (let channel = 0; channel < channels; channel++) {
      sum += sampleAt(body, (index * channels + channel) * width, bits, kind)
    }
    samples[index] = clamped(sum / channels)
  }
  return samples
}

function sampleAt(body: Buffer, at: number, bits: number, kind: number): number {
  if (kind === WAVE_FLOAT) return body.readFloatLE(at) * 32_767
  if (bits === 8) return (body.readUInt8(at) - 128) * 256
  if (bits === 16) return body.readInt16LE(at)
  return bits === 24 ? body.readIntLE(at, 3) / 2 ** 8 : body.readInt32LE(at) / 2 ** 16
}

const clamped = (value: number): number => Math.max(-32_768, Math.min(32_767, Math.round(value)))

/** The rate that loses least: the lowest that is no lower, else the highest. `rates` ascend. */
export function nearestRate<Rate extends number>(rate: number, rates: readonly Rate[]): Rate {
  const found = rates.find((each) => each >= rate) ?? rates.at(-1)
  if (found === undefined) throw new Error('There is no rate to choose from.')
  return found
}

/** How many of the wider spaced samples to either side take part. */
const REACH = 16

/** The same sound at another rate, by a windowed sinc, which keeps what is above the new half rate from folding back. */
export function resampled({ samples, rate }: Sound, wanted: number): Sound {
  if (rate === wanted) return { samples, rate }
  const cutoff = Math.min(1, wanted / rate)
  const reach = REACH / cutoff
  const result = new Int16Array(Math.round((samples.length * wanted) / rate))
  for (let index = 0; index < result.length; index++) {
    const center = (index * rate) / wanted
    let sum = 0
    const last = Math.min(samples.length - 1, Math.floor(center + reach))
    for (let at = Math.max(0, Math.ceil(center - reach)); at <= last; at++) {
      const distance = at - center
      sum +=
        (samples[at] ?? 0) * cutoff * sinc(distance * cutoff) * (0.5 + 0.5 * Math.cos((Math.PI * distance) / reach))
    }
    result[index] = clamped(sum)
  }
  return { samples: result, rate: wanted }
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x))
