// The recordings of a transcription: the one to be written down and those of known speakers, brought here and measured.
import type { Asset, TranscriptionRequest } from '../../contract.ts'
import type { TranscriptionCall } from '../../protocols/openai-media/transcription_request.ts'
import { Failure } from '../failure.ts'
import type { Services } from '../services.ts'
import { measureSound, takeUpload } from './uploads.ts'

const SAMPLE_BYTES_MAX = 4 * 2 ** 20
/** What OpenAI takes, and a little for the last frame. */
const SAMPLE_SECONDS = { least: 2, most: 10, tolerance: 0.1 }

/** Throws Failure naming the field. */
export async function takeRecordings(
  { config }: Services,
  { request, known_speakers }: TranscriptionCall,
  upload: Asset,
  signal: AbortSignal,
): Promise<TranscriptionRequest> {
  const options = {
    param: 'file',
    kinds: ['audio' as const, 'video' as const],
    max_bytes: config.body_bytes_max,
    signal,
  }
  const audio = await takeUpload(upload, options)
  const speakers = await Promise.all(
    known_speakers.map(async ({ name, sample }) => ({
      name,
      ...(sample && { sample: await takeSample(sample, signal) }),
    })),
  )
  return {
    ...request,
    audio,
    seconds: await measureSound(audio, 'file'),
    ...(speakers.length > 0 && { known_speakers: speakers }),
  }
}

async function takeSample(sample: Asset, signal: AbortSignal) {
  const param = 'known_speaker_references'
  const file = await takeUpload(sample, { param, kinds: ['audio'], max_bytes: SAMPLE_BYTES_MAX, signal })
  const seconds = await measureSound(file, param)
  const { least, most, tolerance } = SAMPLE_SECONDS
  if (seconds >= least - tolerance && seconds <= most + tolerance) return file
  const message = `'${param}' must be recordings of ${least} to ${most} seconds; one has ${seconds.toFixed(1)}.`
  throw new Failure(400, 'invalid_value', message, { param })
}
