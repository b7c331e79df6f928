// Speech to text over OpenAI's /audio/transcriptions and /audio/translations. The answer stays in the asked format, byte
// for byte.
import type { TranscriptionCreateParams } from 'openai/resources/audio/transcriptions'
import type { TranslationCreateParams } from 'openai/resources/audio/translations'
import { z } from 'zod'
import { type Call, done, type Generator, type TranscriptionOutput, type TranscriptionRequest } from '../../contract.ts'
import { addressOf } from '../address.ts'
import { parseJson, readAnswer, unreadable } from '../faults.ts'
import { record } from '../lenient.ts'
import { sseEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { callOptions, fieldsOf, type MediaServer, mediaClient, upload, viaSdk } from './client.ts'
import { counted, readUsage, transcriptionMeters } from './transcription_usage.ts'

/** Others ignore the wish, or have events of their own. */
const STREAMING = /^gpt-.*transcribe/
const TEXT_FORMATS = new Set(['text', 'srt', 'vtt'])

const Answer = z.looseObject({
  text: z.string(),
  language: z.string().nullish(),
  duration: z.number().nullish(),
  segments: z
    .array(z.looseObject({ start: z.number(), end: z.number(), text: z.string(), speaker: z.string().nullish() }))
    .nullish(),
  usage: z.looseObject({}).nullish(),
})

const StreamEvent = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('transcript.text.delta'),
    delta: z.string(),
    segment_id: z.string().nullish(),
    logprobs: z.json().nullish(),
  }),
  z.looseObject({
    type: z.literal('transcript.text.segment'),
    id: z.string(),
    start: z.number(),
    end: z.number(),
    text: z.string(),
    speaker: z.string(),
  }),
  z.looseObject({ type: z.literal('transcript.text.done'), text: z.string(), usage: z.unknown() }),
])

export function openaiTranscription(server: MediaServer): Generator<TranscriptionRequest, TranscriptionOutput> {
  const sdk = mediaClient(server)
  const { provider } = server

  async function start(request: TranscriptionRequest, call: Call) {
    const { audio, task, format, language, prompt, temperature, known_speakers, extra = {} } = request
    const { stream: _stream, ...more } = extra
    const file = await upload(audio, 'audio', 'file')
    const samples = known_speakers?.flatMap(({ sample }) => (sample ? [addressOf(sample)] : []))
    const fields = {
      model: call.upstream,
      response_format: format,
      language,
      prompt,
      temperature,
      known_speaker_names: known_speakers?.map(({ name }) => name),
      known_speaker_references: samples?.length ? samples : undefined,
      stream: call.heard && task === 'transcribe' && STREAMING.test(call.upstream) ? true : undefined,
    }
    const params = { ...fieldsOf(fields, more), file } as unknown
    return viaSdk(provider, call, async () => {
      const response = await (task === 'translate'
        ? sdk.audio.translations.create(params as TranslationCreateParams, callOptions(call)).asResponse()
        : sdk.audio.transcriptions.create(params as TranscriptionCreateParams, callOptions(call)).asResponse())
      const media_type = response.headers.get('content-type') ?? 'text/plain'
      if (fields.stream && response.body && media_type.startsWith('text/event-stream')) {
        return readEvents(request, response.body, call, provider)
      }
      return read(request, { media_type, body: await response.text() }, provider)
    })
  }

  return {
    takes_extra: true,
    takes: ['words', 'speakers', 'known_speakers'],
    start,
    estimate: (request) => ({ meters: transcriptionMeters(request), source: 'estimated' }),
  }
}

/** Handed over as they come; the last one has the whole text and the usage. */
async function readEvents(
  request: TranscriptionRequest,
  body: AsyncIterable<Uint8Array>,
  call: Call,
  provider: string,
) {
  const segments: NonNullable<TranscriptionOutput['segments']> = []
  for await (const { data } of sseEvents(body)) {
    if (data === '[DONE]') continue
    const told = record(JSON.parse(data))
    if (told.error) throw streamError(told, provider)
    const read = StreamEvent.safeParse(told)
    if (!read.success) continue
    const event = read.data
    if (event.type === 'transcript.text.done') {
      const { type: _type, ...answer } = told
      const { usage, text } = event
      // Voices are told apart in the segments alone, from which the answer is written.
      const own = request.speakers ? {} : { answer: { media_type: 'application/json', body: JSON.stringify(answer) } }
      return done({ text, ...(segments.length > 0 && { segments }), ...own }, readUsage(usage, request))
    }
    if (event.type === 'transcript.text.segment') {
      const { id, start, end, text, speaker } = event
      segments.push({ start, end, text, speaker })
      call.heard?.({ type: 'segment', id, start, end, text, speaker })
      continue
    }
    const { delta, segment_id, logprobs } = event
    call.heard?.({
      type: 'text',
      text: delta,
      ...(segment_id != null && { segment_id }),
      ...(logprobs != null && { logprobs }),
    })
  }
  throw unreadable(provider)
}

function read(request: TranscriptionRequest, answer: { media_type: string; body: string }, provider: string) {
  const { media_type, body } = answer
  if (TEXT_FORMATS.has(request.format)) {
    if (media_type.startsWith('text/html')) throw unreadable(provider)
    // Text with its times, or a plain transcript, is its own answer.
    return done({ text: plainText(request.format, body), answer }, counted(request))
  }
  const { text, language, duration, segments, usage } = readAnswer(Answer, parseJson(body), provider)
  const output: TranscriptionOutput = {
    text,
    ...(language ? { language } : {}),
    ...(duration ? { seconds: duration } : {}),
    ...(segments ? { segments: segments.map(segmentOf) } : {}),
    answer,
  }
  return done(output, readUsage(usage, request))
}

const segmentOf = ({ start, end, text, speaker }: NonNullable<z.infer<typeof Answer>['segments']>[number]) => ({
  start,
  end,
  text,
  ...(speaker != null && { speaker }),
})

/** The words alone of SubRip and WebVTT: no numbers, no times, no header. */
function plainText(format: string, body: string): string {
  if (format !== 'srt' && format !== 'vtt') return body.trimEnd()
  const lines = body.split(/\r?\n/).filter((line) => !/^(?:WEBVTT|\d+|.*-->.*)?$/.test(line.trim()))
  return lines.map((line) => line.trim()).join(' ')
}
