// How long a sound or film is and how large a picture, measured from the content. Headers may lie, and seconds are
// billed: where a header and the frames disagree, the frames count, and what cannot be checked is refused.
import { readFile } from 'node:fs/promises'
import { ImageRefused, measureImage } from './image.ts'
import { adtsSeconds } from './measure/adts.ts'
import { flacSeconds } from './measure/flac.ts'
import type { Measure } from './measure/measure.ts'
import { measureMp4 } from './measure/mp4.ts'
import { mpegSeconds } from './measure/mpeg.ts'
import { oggSeconds } from './measure/ogg.ts'
import { wavSeconds } from './measure/wav.ts'
import { measureWebm } from './measure/webm.ts'
import { MediaError } from './media_error.ts'

/** Broken, empty, or of a kind that cannot be measured. */
export class Unmeasurable extends MediaError {
  override name = 'Unmeasurable'
  constructor(media_type: string, cause?: unknown) {
    super('unreadable_file', `The length of this file (${media_type}) cannot be determined: ${REMEDY}`, { cause })
  }
}

const REMEDY = 'it is broken or uncommon. Send WAV, MP3, FLAC, Ogg, M4A, MP4 or WebM.'

/** 16-bit mono at 24 kHz unless the type says another rate, as OpenAI's `pcm`. */
const PCM_BYTES_A_SAMPLE = 2
const PCM_RATE = 24_000
/** A year: longer ones are nonsense, and numbers that leave here go into bills. */
const SECONDS_MAX = 366 * 86_400

type Measurer = (bytes: Buffer) => Measure | undefined
const sound =
  (measure: (bytes: Buffer) => number | undefined): Measurer =>
  (bytes) => {
    const seconds = measure(bytes)
    return seconds === undefined ? undefined : { seconds }
  }

const MEASURERS: Record<string, Measurer> = {
  'audio/wav': sound(wavSeconds),
  'audio/mpeg': sound(mpegSeconds),
  'audio/aac': sound(adtsSeconds),
  'audio/flac': sound(flacSeconds),
  'audio/ogg': sound(oggSeconds),
  'application/ogg': sound(oggSeconds),
  'audio/mp4': measureMp4,
  'video/mp4': measureMp4,
  'video/x-m4v': measureMp4,
  'video/quicktime': measureMp4,
  'video/3gpp': measureMp4,
  'video/3gpp2': measureMp4,
  'video/webm': measureWebm,
  'audio/webm': measureWebm,
  'video/x-matroska': measureWebm,
}

const MICROSECONDS = 1_000_000

/**
 * `file` is the content or a path; `media_type` is what sniff said. Seconds for sounds and films, pixels for films and
 * pictures. Throws Unmeasurable, for a picture that is too large ImageRefused.
 */
export async function probe(file: Uint8Array | string, media_type: string): Promise<Measure> {
  const bytes = typeof file === 'string' ? await readFile(file) : Buffer.from(file.buffer, file.byteOffset, file.length)
  if (media_type.startsWith('image/')) return probeImage(bytes, media_type)
  const measured = media_type.startsWith('audio/pcm') ? measurePcm(bytes, media_type) : await measure(bytes, media_type)
  const { seconds } = measured
  if (seconds === undefined || !(seconds > 0) || seconds > SECONDS_MAX) throw new Unmeasurable(media_type)
  // Sums of frames leave dust behind the last digit that counts, which would stand on every receipt.
  return { ...measured, seconds: Math.max(1, Math.round(seconds * MICROSECONDS)) / MICROSECONDS }
}

async function measure(bytes: Buffer, media_type: string): Promise<Measure> {
  const measurer = MEASURERS[media_type]
  try {
    return (measurer ? measurer(bytes) : await measureOther(bytes, media_type)) ?? {}
  } catch (error) {
    // Reading past the end of a broken file throws a RangeError, music-metadata has errors of its own.
    throw new Unmeasurable(media_type, error)
  }
}

/** AIFF and other rarities, by their header: but no sound is denser than 8 channels of 32 bits at 192 kHz. */
async function measureOther(bytes: Buffer, mimeType: string): Promise<Measure> {
  if (!mimeType.startsWith('audio/')) return {}
  // Loaded for the uncommon kinds alone.
  const { parseBuffer } = await import('music-metadata')
  const { format } = await parseBuffer(bytes, { mimeType, size: bytes.length }, { duration: true, skipCovers: true })
  const { duration, sampleRate, numberOfChannels, bitsPerSample, lossless } = format
  if (duration === undefined || !lossless || !sampleRate || !numberOfChannels || !bitsPerSample) return {}
  const raw = (bytes.length * 8) / (sampleRate * numberOfChannels * bitsPerSample)
  return { seconds: Math.max(duration, raw) }
}

function measurePcm(bytes: Buffer, media_type: string): Measure {
  const rate = Number(/;\s*rate=(\d{4,6})/.exec(media_type)?.[1] ?? PCM_RATE)
  return { seconds: bytes.length / (PCM_BYTES_A_SAMPLE * rate) }
}

async function probeImage(bytes: Buffer, media_type: string): Promise<Measure> {
  try {
    const { width, height } = await measureImage(bytes)
    return { width, height }
  } catch (error) {
    if (error instanceof ImageRefused && error.code === 'image_too_large') throw error
    throw new Unmeasurable(media_type, error)
  }
}
