// Transcripts by ElevenLabs' Scribe: every word with its time and its speaker.
import { z } from 'zod'
import {
  type Call,
  done,
  type Generator,
  type JsonObject,
  type TranscriptionOutput,
  type TranscriptionRequest,
} from '../../src/contract.ts'
import { present } from '../../src/protocols/check_body.ts'
import { parseJson, readAnswer, refuse } from '../../src/protocols/faults.ts'
import { encodeForm } from '../../src/protocols/openai-media/form.ts'
import { sendOrThrow } from '../../src/protocols/send.ts'
import { segmentsOf, speakerNames, type Word } from '../../src/protocols/sound/segments.ts'
import { readBody } from '../../src/protocols/transport.ts'
import type { ElevenServer } from './speech.ts'

const Answer = z.looseObject({
  text: z.string(),
  language_code: z.string().nullish(),
  words: z
    .array(
      z.looseObject({
        text: z.string(),
        /** word, spacing or audio_event. */
        type: z.string().nullish(),
        start: z.number().nullish(),
        end: z.number().nullish(),
        speaker_id: z.string().nullish(),
      }),
    )
    .nullish(),
})

/** Hours of words, each with its times. */
const ANSWER_BYTES_MAX = 64 * 2 ** 20

export function elevenTranscription(server: ElevenServer): Generator<TranscriptionRequest, TranscriptionOutput> {
  const { provider, base_url, api_key, fetch } = server
  return {
    takes: ['words', 'speakers'],
    async start(request: TranscriptionRequest, call: Call) {
      const { audio, seconds } = request
      const file = new File([new Uint8Array(audio.data)], audio.filename ?? 'audio', { type: audio.media_type })
      const { body, content_type } = await encodeForm(fieldsOf(request, call.upstream), { file })
      const headers = { 'xi-api-key': api_key, 'content-type': content_type }
      const url = `${base_url}/v1/speech-to-text`
      const answer = await sendOrThrow(fetch, { method: 'POST', url, headers, body, signal: call.signal }, provider)
      const output = read((await readBody(answer, ANSWER_BYTES_MAX)).toString(), request, provider)
      return done(output, { meters: { audio_seconds: seconds }, source: 'counted' as const })
    },
    estimate(request) {
      const { task, prompt, seconds, model } = request
      if (task === 'translate') throw refuse('model', `${model} writes down what is said; it does not translate.`)
      if (prompt !== undefined) throw refuse('prompt', `${model} takes no 'prompt'.`)
      return { meters: { audio_seconds: seconds }, source: 'estimated' }
    },
  }
}

function fieldsOf({ language, temperature, speakers }: TranscriptionRequest, model_id: string): JsonObject {
  return present<JsonObject>({
    model_id,
    language_code: language,
    temperature,
    timestamps_granularity: 'word',
    // "(laughs)" is not what was said.
    tag_audio_events: false,
    diarize: speakers === true,
  })
}

function read(text: string, { words: asked, speakers, seconds }: TranscriptionRequest, provider: string) {
  const answer = readAnswer(Answer, parseJson(text), provider)
  const nameOf = speakerNames()
  const words = (answer.words ?? []).flatMap(({ text: word, type, start, end, speaker_id }): Word[] => {
    if (type === 'spacing' || type === 'audio_event' || typeof start !== 'number' || typeof end !== 'number') return []
    return [{ start, end, word, ...(speakers && speaker_id ? { speaker: nameOf(speaker_id) } : {}) }]
  })
  const segments = segmentsOf(words)
  const output: TranscriptionOutput = {
    text: answer.text,
    seconds,
    ...(answer.language_code ? { language: answer.language_code } : {}),
    ...(segments.length > 0 ? { segments } : {}),
    ...(asked ? { words } : {}),
  }
  return output
}
