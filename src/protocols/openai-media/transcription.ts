// Speech to text over OpenAI's /audio/transcriptions and /audio/translations. The answer stays in the asked format, byte
// for byte.
import type { TranscriptionCreateParams } from 'openai/resources/audio/transcriptions'
import type { TranslationCreateParams } from 'openai/resources/audio/translations'
import { z } from 'zod'
import {
  type Call,
  done,
  type Generator,
  type JsonObject,
  type Meters,
  type TranscriptionOutput,
  type TranscriptionRequest,
  type Usage,
} from '../../contract.ts'
import { count, record } from '../lenient.ts'
import { badResponse, callOptions, fieldsOf, type MediaServer, mediaClient, upload, viaSdk } from './client.ts'

const TEXT_FORMATS = new Set(['text', 'srt', 'vtt'])

const Answer = z.looseObject({
  text: z.string(),
  language: z.string().nullish(),
  duration: z.number().nullish(),
  segments: z.array(z.looseObject({ start: z.number(), end: z.number(), text: z.string() })).nullish(),
  usage: z.looseObject({}).nullish(),
})

/** Sound is 10 tokens a second at OpenAI, 12.5 at Mistral; speech is at most some 10 tokens of text a second. */
const AUDIO_TOKENS_PER_SECOND = 25
const TEXT_TOKENS_PER_SECOND = 20
const TOKENS_LEAST = 200

export function openaiTranscription(server: MediaServer): Generator<TranscriptionRequest, TranscriptionOutput> {
  const sdk = mediaClient(server)
  const { provider } = server

  async function start(request: TranscriptionRequest, call: Call) {
    const { audio, task, format, language, prompt, temperature, extra = {} } = request
    const { stream: _stream, ...more } = extra
    const file = await upload(audio, 'audio', 'file')
    const fields = { model: call.upstream, response_format: format, language, prompt, temperature }
    const params = { ...fieldsOf(fields, more), file } as unknown
    const { body, media_type } = await viaSdk(provider, call, async () => {
      const response = await (task === 'translate'
        ? sdk.audio.translations.create(params as TranslationCreateParams, callOptions(call)).asResponse()
        : sdk.audio.transcriptions.create(params as TranscriptionCreateParams, callOptions(call)).asResponse())
      return { body: await response.text(), media_type: response.headers.get('content-type') ?? 'text/plain' }
    })
    return read(request, body, media_type)
  }

  function read(request: TranscriptionRequest, body: string, media_type: string) {
    const answer = { media_type, body }
    if (TEXT_FORMATS.has(request.format)) {
      if (media_type.startsWith('text/html')) throw badResponse(provider)
      // Text with its times, or a plain transcript, is its own answer.
      return done({ text: plainText(request.format, body), answer }, counted(request))
    }
    const { text, language, duration, segments, usage } = parse(body)
    const output: TranscriptionOutput = {
      text,
      ...(language ? { language } : {}),
      ...(duration ? { seconds: duration } : {}),
      ...(segments ? { segments: segments.map(({ start, end, text }) => ({ start, end, text })) } : {}),
      answer,
    }
    return done(output, readUsage(usage, request))
  }

  function parse(body: string) {
    try {
      return Answer.parse(JSON.parse(body))
    } catch (error) {
      throw badResponse(provider, error)
    }
  }

  return {
    takes_extra: true,
    start,
    estimate: (request) => ({ meters: transcriptionMeters(request), source: 'estimated' }),
  }
}

/** The words alone of SubRip and WebVTT: no numbers, no times, no header. */
function plainText(format: string, body: string): string {
  if (format !== 'srt' && format !== 'vtt') return body.trimEnd()
  const lines = body.split(/\r?\n/).filter((line) => !/^(?:WEBVTT|\d+|.*-->.*)?$/.test(line.trim()))
  return lines.map((line) => line.trim()).join(' ')
}

/** Tokens, or seconds, or Mistral's mixture; without any the seconds that the router measured. */
function readUsage(raw: unknown, request: TranscriptionRequest): Usage {
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

const counted = ({ seconds }: TranscriptionRequest): Usage => ({
  meters: { audio_seconds: seconds },
  source: 'counted',
})

/** Vendors bill whole seconds, rounded up. */
function transcriptionMeters({ seconds, prompt = '' }: TranscriptionRequest): Meters {
  return {
    audio_seconds: Math.ceil(seconds),
    input_tokens: Buffer.byteLength(prompt) + TOKENS_LEAST,
    input_audio_tokens: Math.ceil(seconds * AUDIO_TOKENS_PER_SECOND) + TOKENS_LEAST,
    output_tokens: Math.ceil(seconds * TEXT_TOKENS_PER_SECOND) + TOKENS_LEAST,
  }
}
