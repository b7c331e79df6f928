// Transcripts in OpenAI's formats, whole and as events, written from a text and its times where the provider did not write
// them itself.
import type { TranscriptEvent, TranscriptionOutput, TranscriptionRequest, Usage } from '../../contract.ts'
import { exactNumber } from '../json.ts'
import { count, isRecord } from '../lenient.ts'
import { withCost } from '../openai-chat/usage.ts'

export interface TranscriptFacts {
  format: string
  task: TranscriptionRequest['task']
  usage: Usage
  cost_usd?: string
  /** Of words and segments, which of them verbose_json tells; both if empty. */
  granularities?: string[]
}

type Segment = NonNullable<TranscriptionOutput['segments']>[number]

const PLAIN = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json; charset=utf-8'

export function transcriptAnswer(
  output: TranscriptionOutput,
  facts: TranscriptFacts,
): { media_type: string; body: string } {
  if (output.answer) return ownAnswer(output.answer, facts)
  const { text } = output
  const segments = output.segments ?? [{ start: 0, end: secondsOf(output, facts), text }]
  switch (facts.format) {
    case 'text':
      return { media_type: PLAIN, body: `${text}\n` }
    case 'srt':
      return { media_type: PLAIN, body: srt(segments) }
    case 'vtt':
      return { media_type: PLAIN, body: `WEBVTT\n\n${segments.map(cue('.')).join('\n')}` }
    case 'verbose_json':
      return { media_type: JSON_TYPE, body: verbose(output, segments, facts) }
    case 'diarized_json':
      return { media_type: JSON_TYPE, body: diarized(output, segments, facts) }
    default:
      return { media_type: JSON_TYPE, body: JSON.stringify({ text, usage: transcriptUsage(facts) }) }
  }
}

/** The provider's own answer; a JSON one gets our cost into its usage. */
function ownAnswer({ media_type, body }: NonNullable<TranscriptionOutput['answer']>, facts: TranscriptFacts) {
  if (!media_type.includes('json')) return { media_type, body }
  const answer: unknown = JSON.parse(body)
  if (!isRecord(answer)) return { media_type, body }
  return { media_type: JSON_TYPE, body: JSON.stringify({ ...answer, usage: transcriptUsage(facts) }) }
}

/** Seconds, or tokens where the provider counted such; always with our cost. */
function transcriptUsage({ usage, cost_usd }: Pick<TranscriptFacts, 'usage' | 'cost_usd'>): Record<string, unknown> {
  const { raw, meters } = usage
  if (isRecord(raw) && typeof raw.type === 'string' && count(raw.input_tokens) !== undefined)
    return withCost(raw, cost_usd)
  return {
    type: 'duration',
    seconds: meters.audio_seconds ?? 0,
    ...(cost_usd !== undefined && { cost: exactNumber(cost_usd) }),
  }
}

const secondsOf = ({ seconds }: TranscriptionOutput, { usage }: TranscriptFacts): number =>
  seconds ?? usage.meters.audio_seconds ?? 0

/** OpenAI's own clients require every field of a segment; what a provider does not tell is zero. */
function verbose(output: TranscriptionOutput, segments: Segment[], facts: TranscriptFacts): string {
  const { granularities = [] } = facts
  const tells = (what: string) => granularities.length === 0 || granularities.includes(what)
  return JSON.stringify({
    task: facts.task,
    language: output.language ?? '',
    duration: secondsOf(output, facts),
    text: output.text,
    ...(tells('segment') && { segments: segments.map(verboseSegment) }),
    ...(granularities.includes('word') && {
      words: (output.words ?? []).map(({ word, start, end }) => ({ word, start, end })),
    }),
    usage: transcriptUsage(facts),
  })
}

const verboseSegment = ({ start, end, text }: Segment, id: number) => ({
  id,
  seek: 0,
  start,
  end,
  text,
  tokens: [],
  temperature: 0,
  avg_logprob: 0,
  compression_ratio: 0,
  no_speech_prob: 0,
})

function diarized(output: TranscriptionOutput, segments: Segment[], facts: TranscriptFacts): string {
  return JSON.stringify({
    task: 'transcribe',
    duration: secondsOf(output, facts),
    text: output.text,
    segments: segments.map(diarizedSegment),
    usage: transcriptUsage(facts),
  })
}

/** Voices without a name are A, B, …; where none is told apart, all is said by the first. */
const diarizedSegment = ({ start, end, text, speaker = 'A' }: Segment, index: number) => ({
  type: 'transcript.text.segment',
  id: segmentId(index),
  start,
  end,
  text,
  speaker,
})

const segmentId = (index: number): string => `seg_${String(index + 1).padStart(3, '0')}`

/** The stream's event of a part that the provider handed over. */
export function transcriptEvent(event: TranscriptEvent): string {
  if (event.type === 'segment') return sseEvent({ ...event, type: 'transcript.text.segment' })
  const { text, ...more } = event
  return sseEvent({ ...more, type: 'transcript.text.delta', delta: text })
}

/** The events of a transcript that is whole already, segment by segment, without the last one. */
export function* transcriptParts({ text, segments = [] }: TranscriptionOutput, speakers: boolean): Generator<string> {
  let told = 0
  for (const [index, segment] of segments.entries()) {
    const at = text.indexOf(segment.text.trim(), told)
    const end = index === segments.length - 1 ? text.length : at < 0 ? told : at + segment.text.trim().length
    const delta = text.slice(told, end)
    told = end
    if (delta) yield transcriptEvent({ type: 'text', text: delta, ...(speakers && { segment_id: segmentId(index) }) })
    if (speakers) yield sseEvent(diarizedSegment(segment, index))
  }
  if (told < text.length) yield transcriptEvent({ type: 'text', text: text.slice(told) })
}

/** The last event of a stream: the whole text, what else the provider said of it, and what it took. */
export function transcriptDone({ text, answer }: TranscriptionOutput, facts: TranscriptFacts): string {
  const told = answer?.media_type.includes('json') ? (JSON.parse(answer.body) as unknown) : {}
  const { languages, logprobs } = isRecord(told) ? told : {}
  return sseEvent({
    type: 'transcript.text.done',
    text,
    ...(languages !== undefined && { languages }),
    ...(logprobs !== undefined && { logprobs }),
    usage: transcriptUsage(facts),
  })
}

const sseEvent = (data: { type: string; [name: string]: unknown }): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`

const srt = (segments: Segment[]): string =>
  segments.map((segment, index) => `${index + 1}\n${cue(',')(segment)}`).join('\n')

/** `00:00:01,500 --> 00:00:04,000` and the words below. An empty line would end the cue. */
const cue =
  (point: string) =>
  ({ start, end, text }: Segment): string =>
    `${clock(start, point)} --> ${clock(end, point)}\n${text.trim().replace(/\n{2,}/g, '\n')}\n`

function clock(seconds: number, point: string): string {
  const ms = Math.round(seconds * 1000)
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const rest = String(ms % 1000).padStart(3, '0')
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}${point}${rest}`
}
