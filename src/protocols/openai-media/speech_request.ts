// What a caller may send to POST /v1/audio/speech, and the events of its answer where that is asked for as a stream.
import { z } from 'zod'
import type { Json, JsonObject, SpeechRequest, Usage } from '../../contract.ts'
import { exactNumber } from '../json.ts'
import { extraField, modelName, readFields, word } from './fields.ts'

const shape = {
  model: modelName,
  input: z.string().min(1).max(100_000),
  voice: z.union([word, z.looseObject({ id: word })], { error: 'must be the name of a voice, or {"id": "…"}' }),
  instructions: z.string().max(10_000).exactOptional(),
  response_format: word.exactOptional(),
  speed: z.number().positive().max(10).exactOptional(),
  stream_format: z.enum(['audio', 'sse']).exactOptional(),
}

export interface SpeechCall {
  request: SpeechRequest
  /** How it is handed over while it is made; at once when it is done, where the caller does not say. */
  stream?: 'audio' | 'sse'
}

/** Throws ZodError and WireError. */
export function readSpeechRequest(body: JsonObject): SpeechCall {
  const { known, extra } = readFields(shape, body)
  const { stream_format, response_format = 'mp3', voice, ...fields } = known
  const request: SpeechRequest = { ...fields, voice: voice as Json, format: response_format, ...extraField(extra) }
  return { request, ...(stream_format && { stream: stream_format }) }
}

/** A multiple of three, so that the pieces' base64 can also be joined as text. */
const PIECE_BYTES = 48 * 1024

/** A sound that is whole, in pieces. */
export function* soundPieces(sound: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < sound.length; at += PIECE_BYTES) yield sound.subarray(at, at + PIECE_BYTES)
}

export const speechDelta = (piece: Uint8Array): string =>
  event({
    type: 'speech.audio.delta',
    audio: Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString('base64'),
  })

/** What it took, last of all. */
export function speechDone({ meters }: Usage, cost_usd: string): string {
  const input_tokens = meters.input_tokens ?? 0
  const output_tokens = meters.output_audio_tokens ?? 0
  const usage = { input_tokens, output_tokens, total_tokens: input_tokens + output_tokens, cost: exactNumber(cost_usd) }
  return event({ type: 'speech.audio.done', usage })
}

const event = (data: { type: string; [name: string]: unknown }): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
