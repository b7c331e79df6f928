// What a transcript consumes: tokens or seconds, as the server tells them, or the seconds that the router measured.
import type { JsonObject, Meters, TranscriptionRequest, Usage } from '../../contract.ts'
import { count, record } from '../lenient.ts'

/** Sound is 10 tokens a second at OpenAI, 12.5 at Mistral; speech is at most some 10 tokens of text a second. */
const AUDIO_TOKENS_PER_SECOND = 25
const TEXT_TOKENS_PER_SECOND = 20
const TOKENS_LEAST = 200

/** Tokens, or seconds, or Mistral's mixture; without any the seconds that the router measured. */
export function readUsage(raw: unknown, request: TranscriptionRequest): Usage {
  const usage = record(raw)
  const told = usage.seconds ?? usage.prompt_audio_seconds
  const seconds = typeof told === 'number' && told >= 0 && Number.isFinite(told) ? told : undefined
  const input = count(usage.input_tokens) ?? count(usage.prompt_tokens)
  const output = count(usage.output_tokens) ?? count(usage.completion_tokens)
  if (seconds === undefined && (input === undefined || output === undefined)) return counted(request)
  const audio = Math.min(input ?? 0, count(record(usage.input_token_details).audio_tokens) ?? 0)
  const meters: Meters = {
    audio_seconds: seconds ?? request.seconds,
    ...(input === undefined ? {} : { input_tokens: input - audio }),
    ...(audio ? { input_audio_tokens: audio } : {}),
    ...(output === undefined ? {} : { output_tokens: output }),
  }
  return { meters, source: 'reported', raw: raw as JsonObject }
}

export const counted = ({ seconds }: TranscriptionRequest): Usage => ({
  meters: { audio_seconds: seconds },
  source: 'counted',
})

/** Vendors bill whole seconds, rounded up. */
export function transcriptionMeters({ seconds, prompt = '' }: TranscriptionRequest): Meters {
  return {
    audio_seconds: Math.ceil(seconds),
    input_tokens: Buffer.byteLength(prompt) + TOKENS_LEAST,
    input_audio_tokens: Math.ceil(seconds * AUDIO_TOKENS_PER_SECOND) + TOKENS_LEAST,
    output_tokens: Math.ceil(seconds * TEXT_TOKENS_PER_SECOND) + TOKENS_LEAST,
  }
}
