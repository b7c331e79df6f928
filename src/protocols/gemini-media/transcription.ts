// Transcripts by Gemini's models: they listen, and write down what is said. They are asked for no times, for those that a
// chat model writes are invented.
import {
  type Call,
  done,
  type Generator,
  type JsonObject,
  type Meters,
  ProviderError,
  type TranscriptionOutput,
  type TranscriptionRequest,
} from '../../contract.ts'
import { present } from '../check_body.ts'
import { refuse } from '../faults.ts'
import type { GeminiServer } from '../gemini/server.ts'
import { inlinePart, makeContent } from './answer.ts'

/** 32 tokens a second of sound, 263 and the sound's of film (ai.google.dev/gemini-api/docs/tokens); from above. */
const SOUND_TOKENS_PER_SECOND = 40
const FILM_TOKENS_PER_SECOND = 400
const INPUT_TOKENS_LEAST = 1_024
/** Nobody says more than ten tokens a second; the rest is for thoughts. Google is told the sum. */
const TEXT_TOKENS_PER_SECOND = 20
const OUTPUT_TOKENS_LEAST = 4_096

export function geminiTranscription(server: GeminiServer): Generator<TranscriptionRequest, TranscriptionOutput> {
  const { provider } = server
  return {
    async start(request: TranscriptionRequest, call: Call) {
      const { text, cut, usage } = await makeContent(server, bodyOf(request), call)
      if (cut) throw new ProviderError('unavailable', `${provider} broke the transcript off before its end.`)
      const output: TranscriptionOutput = { text: text.trim(), seconds: request.seconds }
      const meters: Meters = { audio_seconds: request.seconds }
      if (!usage) return done(output, { meters: { ...estimated(request), ...meters }, source: 'counted' as const })
      return done(output, { ...usage, meters: { ...meters, ...usage.meters } })
    },
    estimate(request) {
      if (request.format === 'srt' || request.format === 'vtt')
        throw refuse('response_format', `${request.model} tells no times, so it writes no '${request.format}'.`)
      return { meters: { audio_seconds: Math.ceil(request.seconds), ...estimated(request) }, source: 'estimated' }
    },
  }
}

function estimated(request: TranscriptionRequest): Meters {
  const { prompt = '', audio, seconds } = request
  const text = Buffer.byteLength(prompt) + INPUT_TOKENS_LEAST
  const film = audio.media_type.startsWith('video/') ? Math.ceil(seconds * FILM_TOKENS_PER_SECOND) : 0
  return {
    input_tokens: text + film,
    input_audio_tokens: Math.ceil(seconds * SOUND_TOKENS_PER_SECOND) + 100,
    output_tokens: outputTokens(request),
  }
}

const outputTokens = ({ seconds }: TranscriptionRequest) =>
  Math.ceil(seconds * TEXT_TOKENS_PER_SECOND) + OUTPUT_TOKENS_LEAST

function bodyOf(request: TranscriptionRequest): JsonObject {
  const { audio, task, language, prompt, temperature } = request
  const task_text =
    task === 'translate'
      ? 'Translate what is said in this recording into English.'
      : `Write down word for word what is said in this recording${language ? `, which is in the language "${language}"` : ''}.`
  const hint = prompt ? `\nNames and words that may occur in it, or what was said before it: ${prompt}` : ''
  const text = `${task_text} Answer with that text alone: no title, no times, no names of speakers, no remark.${hint}`
  return {
    contents: [{ role: 'user', parts: [inlinePart(audio, 'file'), { text }] }],
    generationConfig: present<JsonObject>({ temperature, maxOutputTokens: outputTokens(request) }),
  }
}
