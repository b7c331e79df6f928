// A sound in the format that was asked for, written from plain samples. AAC is not among them: there is no encoder for it.
import { pcmOf } from './bytes.ts'
import { flacOf } from './flac.ts'
import { mp3Of } from './mp3.ts'
import { opusOf } from './opus.ts'
import { PCM_RATE, resampled, type Sound } from './samples.ts'
import { wavOf } from './wav.ts'

export const WRITTEN_FORMATS = ['wav', 'mp3', 'opus', 'flac', 'pcm'] as const
export type WrittenFormat = (typeof WRITTEN_FORMATS)[number]

export const isWritten = (format: string): format is WrittenFormat =>
  WRITTEN_FORMATS.some((written) => written === format)

/** The kind of file of each of OpenAI's formats. */
export const SOUND_TYPES = {
  mp3: 'audio/mpeg',
  opus: 'audio/ogg',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
} as const

/** `comment` stands in the file where the format has a place for one. Throws the reason of the signal. */
export async function soundFile(
  format: WrittenFormat,
  sound: Sound,
  signal: AbortSignal,
  comment?: string,
): Promise<Buffer> {
  switch (format) {
    case 'wav':
      return wavOf(sound, comment)
    case 'flac':
      return flacOf(sound, comment)
    case 'mp3':
      return mp3Of(sound, signal, comment)
    case 'opus':
      return opusOf(sound, signal, comment)
    case 'pcm':
      return pcmOf(resampled(sound, PCM_RATE).samples)
  }
}
