// The format of speech: what the provider makes is asked of it, and what it does not make is written here from its
// samples. What can be neither is refused before anything is held.
import type { JsonObject, SpeechRequest } from '../../contract.ts'
import { isWritten, SOUND_TYPES, soundFile, WRITTEN_FORMATS } from '../../protocols/sound/file.ts'
import { PCM_RATE, readSound } from '../../protocols/sound/samples.ts'
import { Failure } from '../failure.ts'
import type { Bytes } from './outputs.ts'

export interface Speaker {
  model: string
  /** Generator.formats. */
  formats: readonly string[] | undefined
}

/** The formats that carry plain samples, from which any other can be written, best first. */
const SAMPLES = ['wav', 'pcm']

/** Throws Failure naming the formats that there are. */
export function speechFor({ model, formats }: Speaker, request: SpeechRequest): SpeechRequest {
  if (!formats || formats.includes(request.format)) return request
  const samples = SAMPLES.find((format) => formats.includes(format))
  if (samples !== undefined && isWritten(request.format)) return { ...request, format: samples }
  const all = [...new Set([...formats, ...(samples === undefined ? [] : WRITTEN_FORMATS)])]
  const message = `${model} speaks ${all.join(', ')}, not ${request.format.slice(0, 50)}.`
  throw new Failure(400, 'invalid_value', message, { param: 'response_format' })
}

/** The sound as it was asked for, where the provider gave samples of it; `told` is the provider's word for its kind. */
export async function inAskedSound(
  file: Bytes,
  told: string,
  { response_format }: JsonObject,
  signal: AbortSignal,
): Promise<Bytes> {
  if (typeof response_format !== 'string' || !isWritten(response_format)) return file
  const media_type = SOUND_TYPES[response_format]
  const is_raw = file.media_type.startsWith('audio/pcm')
  if (file.media_type.startsWith(media_type) && !is_raw) return file
  const sound = readSound(file.data, is_raw ? told : file.media_type)
  if (!sound || (response_format === 'pcm' && is_raw && sound.rate === PCM_RATE)) return file
  return { type: 'bytes', data: await soundFile(response_format, sound, signal), media_type }
}
