// Transcripts by Deepgram's Nova: sentences, words and speakers, of a recording that is the body of the request.
import { z } from 'zod'
import {
  type Call,
  done,
  type Generator,
  type TranscriptionOutput,
  type TranscriptionRequest,
  type Usage,
} from '../../src/contract.ts'
import { parseJson, readAnswer, refuse } from '../../src/protocols/faults.ts'
import { sendOrThrow } from '../../src/protocols/send.ts'
import { segmentsOf, speakerNames } from '../../src/protocols/sound/segments.ts'
import { readBody } from '../../src/protocols/transport.ts'
import type { DeepgramServer } from './speak.ts'

const Spoken = z.looseObject({ start: z.number(), end: z.number(), speaker: z.number().nullish() })
const Answer = z.looseObject({
  metadata: z.looseObject({ duration: z.number().nonnegative().nullish() }).nullish(),
  results: z.looseObject({
    channels: z
      .array(
        z.looseObject({
          detected_language: z.string().nullish(),
          alternatives: z
            .array(
              z.looseObject({
                transcript: z.string(),
                words: z.array(Spoken.extend({ word: z.string(), punctuated_word: z.string().nullish() })).nullish(),
              }),
            )
            .min(1),
        }),
      )
      .min(1),
    utterances: z.array(Spoken.extend({ transcript: z.string() })).nullish(),
  }),
})
type Answer = z.infer<typeof Answer>

/** Hours of words, each with its times and how sure it is of them. */
const ANSWER_BYTES_MAX = 64 * 2 ** 20

export function deepgramTranscription(server: DeepgramServer): Generator<TranscriptionRequest, TranscriptionOutput> {
  const { provider, base_url, headers, fetch } = server
  return {
    takes: ['words', 'speakers'],
    async start(request: TranscriptionRequest, call: Call) {
      const { audio, seconds } = request
      const wire = {
        method: 'POST' as const,
        url: `${base_url}/v1/listen?${queryOf(request, call.upstream)}`,
        headers: { ...headers, 'content-type': audio.media_type },
        body: audio.data,
        signal: call.signal,
      }
      const answer = await sendOrThrow(fetch, wire, provider)
      const heard = readAnswer(Answer, parseJson((await readBody(answer, ANSWER_BYTES_MAX)).toString()), provider)
      const { duration } = heard.metadata ?? {}
      const usage: Usage = {
        // It counts what it heard, to a thousandth; the caller pays for no more than the router measured.
        meters: { audio_seconds: Math.min(seconds, duration ?? seconds) },
        attributes: factsOf(request),
        source: typeof duration === 'number' ? 'reported' : 'counted',
      }
      return done(outputOf(heard, request), usage)
    },
    estimate(request) {
      const { task, prompt, temperature, seconds, model } = request
      if (task === 'translate') throw refuse('model', `${model} writes down what is said; it does not translate.`)
      if (prompt !== undefined) throw refuse('prompt', `${model} takes no 'prompt'.`)
      if (temperature) throw refuse('temperature', `${model} has no 'temperature'.`)
      return { meters: { audio_seconds: seconds }, attributes: factsOf(request), source: 'estimated' }
    },
  }
}

/** What its price depends on: a language that is named costs less than finding it out, and telling voices apart costs more. */
const factsOf = ({ language, speakers }: TranscriptionRequest) => ({
  languages: language === undefined ? 'any' : 'one',
  speakers: String(speakers === true),
})

function queryOf({ language, speakers }: TranscriptionRequest, model: string): URLSearchParams {
  return new URLSearchParams({
    model,
    smart_format: 'true',
    utterances: 'true',
    ...(language === undefined ? { detect_language: 'true' } : { language }),
    ...(speakers ? { diarize: 'true' } : {}),
  })
}

function outputOf({ results }: Answer, request: TranscriptionRequest): TranscriptionOutput {
  const [channel] = results.channels
  const [best] = channel?.alternatives ?? []
  const nameOf = speakerNames()
  const speakerOf = (speaker: number | null | undefined) =>
    request.speakers && typeof speaker === 'number' ? { speaker: nameOf(speaker) } : {}
  const words = (best?.words ?? []).map(({ start, end, word, punctuated_word, speaker }) => {
    return { start, end, word: punctuated_word ?? word, ...speakerOf(speaker) }
  })
  const told = (results.utterances ?? []).map(({ start, end, transcript, speaker }) => {
    return { start, end, text: transcript, ...speakerOf(speaker) }
  })
  const segments = told.length > 0 ? told : segmentsOf(words)
  return {
    text: best?.transcript ?? '',
    seconds: request.seconds,
    ...(channel?.detected_language ? { language: channel.detected_language } : {}),
    ...(segments.length > 0 ? { segments } : {}),
    ...(request.words ? { words } : {}),
  }
}
