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

/** Throws ZodError and WireError. */
export function readSpeechRequest(body: JsonObject): { request: SpeechRequest; events: boolean } {
  const { known, extra } = readFields(shape, body)
  const { stream_format, response_format = 'mp3', voice, ...fields } = known
  const request: SpeechRequest = { ...fields, voice: voice as Json, format: response_format, ...extraField(extra) }
  return { request, events: stream_format === 'sse' }
}

/** A multiple of three, so that the pieces' base64 can also be joined as text. */
const PIECE_BYTES = 48 * 1024

/** The sound in pieces, then what it took. */
export function* speechEvents(sound: Uint8Array, { meters }: Usage, cost_usd: string): Generator<string> {
  for (let at = 0; at < sound.length; at += PIECE_BYTES) {
    yield event({
      type: 'speech.audio.delta',
      audio: Buffer.from(sound.subarray(at, at + PIECE_BYTES)).toString('base64'),
    })
  }
  const input_tokens = meters.input_tokens ?? 0
  const output_tokens = meters.output_audio_tokens ?? 0
  const usage = { input_tokens, output_tokens, total_tokens: input_tokens + output_tokens, cost: exactNumber(cost_usd) }
  yield event({ type: 'speech.audio.done', usage })
}

const event = (data: { type: string; [name: string]: unknown }): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
