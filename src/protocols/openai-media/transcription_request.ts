// What a caller may send to POST /v1/audio/transcriptions and /v1/audio/translations beside the recording.
import { z } from 'zod'
import type { JsonObject, TranscriptionRequest } from '../../contract.ts'
import { extraField, modelName, readFields, word } from './fields.ts'

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
}

export const TRANSCRIPTION_FORM = { numbers: ['temperature'], booleans: ['stream'] } as const

export interface TranscriptionCall {
  request: Omit<TranscriptionRequest, 'audio' | 'seconds'>
  stream: boolean
}

/** Throws ZodError and WireError. */
export function readTranscriptionRequest(body: JsonObject, task: TranscriptionRequest['task']): TranscriptionCall {
  const { known, extra } = readFields(shape, body)
  const { response_format: format = 'json', timestamp_granularities, stream = false, ...fields } = known
  // Segments come with verbose_json anyway; words are for providers of the format's own.
  const more = timestamp_granularities?.includes('word') ? { ...extra, timestamp_granularities } : extra
  return { request: { ...fields, format, task, ...extraField(more) }, stream }
}

/** The events of a transcript that is whole already: its text, then all of it with what it took. */
export function* transcriptEvents(text: string, usage: Record<string, unknown>): Generator<string> {
  yield event({ type: 'transcript.text.delta', delta: text })
  yield event({ type: 'transcript.text.done', text, usage })
}

const event = (data: { type: string; [name: string]: unknown }): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
