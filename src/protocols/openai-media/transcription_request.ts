// What a caller may send to POST /v1/audio/transcriptions and /v1/audio/translations beside the recording.
import { z } from 'zod'
import type { Asset, JsonObject, TranscriptionRequest } from '../../contract.ts'
import { WireError } from '../wire_error.ts'
import { extraField, modelName, readFields, word } from './fields.ts'

const SPEAKERS_MAX = 4
/** A stream carries text and segments, and none of the other formats. */
const STREAMED = ['json', 'text', 'diarized_json']
const SAMPLE = 'must be recordings as data: URLs'
const sample = z.string().regex(/^data:/i, SAMPLE)

const shape = {
  model: modelName,
  language: word.exactOptional(),
  prompt: z.string().max(32_000).exactOptional(),
  response_format: word.exactOptional(),
  temperature: z.number().min(0).max(1).exactOptional(),
  timestamp_granularities: z
    .union([z.enum(['word', 'segment']).transform((one) => [one]), z.array(z.enum(['word', 'segment']))], {
      error: "must be a list of 'word' and 'segment'",
    })
    .exactOptional(),
  stream: z.boolean().exactOptional(),
  known_speaker_names: z
    .union([word.transform((one) => [one]), z.array(word)], { error: 'must be a list of names' })
    .refine((names) => names.length <= SPEAKERS_MAX, `must have at most ${SPEAKERS_MAX} names`)
    .exactOptional(),
  known_speaker_references: z
    .union([sample.transform((one) => [one]), z.array(sample)], { error: SAMPLE })
    .exactOptional(),
}

export const TRANSCRIPTION_FORM = { numbers: ['temperature'], booleans: ['stream'] } as const

export interface TranscriptionCall {
  /** Without the known speakers, whose recordings are not yet brought here. */
  request: Omit<TranscriptionRequest, 'audio' | 'seconds' | 'known_speakers'>
  known_speakers: { name: string; sample?: Asset }[]
  /** Of words and segments, which of them verbose_json tells; both if empty, as far as the provider tells them. */
  granularities: string[]
  stream: boolean
}

/** Throws ZodError and WireError. */
export function readTranscriptionRequest(body: JsonObject, task: TranscriptionRequest['task']): TranscriptionCall {
  const { known, extra } = readFields(shape, body)
  const {
    response_format: format = 'json',
    timestamp_granularities: granularities = [],
    stream = false,
    known_speaker_names: names = [],
    known_speaker_references: samples = [],
    ...fields
  } = known
  const speakers = format === 'diarized_json'
  checkFields({ format, granularities, stream, names, samples, task })
  const words = granularities.includes('word')
  // Providers of this very format are sent the list as it is.
  const more = words ? { ...extra, timestamp_granularities: granularities } : extra
  return {
    request: {
      ...fields,
      format,
      task,
      ...(words && { words }),
      ...(speakers && { speakers }),
      ...extraField(more),
    },
    known_speakers: names.map((name, index) => {
      const url = samples[index]
      return { name, ...(url !== undefined && { sample: { type: 'url' as const, url } }) }
    }),
    granularities,
    stream,
  }
}

interface Told {
  format: string
  granularities: string[]
  stream: boolean
  names: string[]
  samples: string[]
  task: TranscriptionRequest['task']
}

/** What does not go together. */
function checkFields({ format, granularities, stream, names, samples, task }: Told): void {
  const refuse = (param: string, why: string) => {
    throw new WireError(`'${param}' ${why}.`, param, 'invalid_value')
  }
  if (granularities.length > 0 && format !== 'verbose_json')
    refuse('timestamp_granularities', "needs response_format 'verbose_json'")
  if (format === 'diarized_json' && task === 'translate')
    refuse('response_format', "of a translation is not 'diarized_json'")
  if (names.length > 0 && format !== 'diarized_json')
    refuse('known_speaker_names', "needs response_format 'diarized_json'")
  if (samples.length > 0 && samples.length !== names.length)
    refuse('known_speaker_references', `must have one recording for each of the ${names.length} known_speaker_names`)
  if (stream && !STREAMED.includes(format))
    refuse(
      'response_format',
      `of a stream is one of ${STREAMED.join(', ')}; leave out 'stream' for ${format.slice(0, 50)}`,
    )
}
