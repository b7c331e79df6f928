// The sandbox's transcription: gives back what the sandbox itself spoke, and for any other recording the same sentences
// every time. Never decodes sound.
import { createHash } from 'node:crypto'
import {
  type Call,
  done,
  type Generator,
  type TranscriptionOutput,
  type TranscriptionRequest,
  type Usage,
} from '../../src/contract.ts'
import { type FirstTime, obey, readOrders } from './orders.ts'
import { breathe } from './pause.ts'
import { refusal, requireOneOf } from './refusal.ts'
import { seededNumbers } from './seeded.ts'
import { findMarked } from './sound/mark.ts'

const FORMATS = ['json', 'text', 'srt', 'verbose_json', 'vtt', 'diarized_json']
const VOICES = ['A', 'B']
type Segment = NonNullable<TranscriptionOutput['segments']>[number]

const WORDS_A_SECOND = 2.5
const SENTENCES = [
  'Good morning, this is the signal box.',
  'The express from the north is four minutes early today.',
  'Please keep platform two clear until it has passed.',
  'The freight train waits in the siding as usual.',
  'Someone has left a red umbrella in the waiting room.',
  'The points are set and the signal is green.',
  'There is fog on the line beyond the bridge.',
  'The night shift reports no incidents at all.',
  'Coffee is ready in the office for whoever wants it.',
  'That is all for now, thank you for listening.',
]

export function sandboxTranscription(firstTime: FirstTime): Generator<TranscriptionRequest, TranscriptionOutput> {
  return {
    takes: ['words', 'speakers', 'known_speakers'],
    estimate: (request) => {
      ordersIn(request)
      return usageOf(request, 'estimated')
    },
    async start(request, call) {
      await obey(ordersIn(request), call, firstTime)
      await requireRecording(request.audio.data)
      const text = findMarked(request.audio.data) ?? invented(request)
      const language = request.task === 'translate' ? 'english' : (request.language ?? 'english')
      const plain = segmentsOf(text, request.seconds)
      const segments = request.speakers
        ? plain.map((segment, index) => ({ ...segment, speaker: voiceOf(request, index) }))
        : plain
      const words = request.words ? { words: segments.flatMap(wordsOf) } : {}
      await tell(text, segments, call)
      return done({ text, language, seconds: request.seconds, segments, ...words }, usageOf(request, 'reported'))
    },
  }
}

const usageOf = ({ seconds }: TranscriptionRequest, source: Usage['source']): Usage => ({
  meters: { audio_seconds: seconds },
  source,
})

function ordersIn({ format, prompt = '' }: TranscriptionRequest) {
  requireOneOf('response_format', format, FORMATS)
  return readOrders(prompt, { param: 'prompt' })
}

/** By its magic bytes, for names and declared types may say anything. */
async function requireRecording(file: Uint8Array): Promise<void> {
  const { fileTypeFromBuffer } = await import('file-type')
  const type = await fileTypeFromBuffer(file)
  if (type === undefined || !/^(?:audio|video)\/|^application\/(?:ogg|mp4)/.test(type.mime)) {
    const found = type === undefined ? 'of no known type' : type.mime
    throw refusal('file', `it is ${found}, send a recording: flac, m4a, mp3, mp4, mpeg, mpga, ogg, wav or webm`)
  }
}

function invented({ audio, seconds }: TranscriptionRequest): string {
  const next = seededNumbers(createHash('sha256').update(audio.data).digest('hex'))
  const sentences: string[] = []
  for (
    let words = 0;
    words === 0 || words < seconds * WORDS_A_SECOND;
    words += sentences.at(-1)?.split(' ').length ?? 1
  ) {
    sentences.push(SENTENCES[Math.floor(next() * SENTENCES.length)] ?? '')
  }
  return sentences.join(' ')
}

/** Sentence after sentence another voice; the known ones have their names. */
function voiceOf({ known_speakers = [] }: TranscriptionRequest, index: number): string {
  const voices = VOICES.map((letter, place) => known_speakers[place]?.name ?? letter)
  return voices[index % voices.length] ?? 'A'
}

/** Word by word to whoever reads along, and each sentence with its voice when it is complete. */
async function tell(text: string, segments: Segment[], { heard, signal }: Call): Promise<void> {
  if (!heard) return
  let told = 0
  for (const [index, { speaker, ...segment }] of segments.entries()) {
    const id = `seg_${String(index + 1).padStart(3, '0')}`
    const end = index === segments.length - 1 ? text.length : text.indexOf(segment.text, told) + segment.text.length
    for (const word of text.slice(told, end).match(/\s*\S+\s*$|\s*\S+/g) ?? []) {
      heard({ type: 'text', text: word, ...(speaker !== undefined && { segment_id: id }) })
    }
    told = end
    if (speaker !== undefined) heard({ type: 'segment', id, speaker, ...segment })
    await breathe(signal)
  }
}

/** Each as long as its share of the sentence's letters. */
function wordsOf({ start, end, text, speaker }: Segment): NonNullable<TranscriptionOutput['words']> {
  const words = text.split(/\s+/).filter(Boolean)
  const letters = words.reduce((sum, { length }) => sum + length, 0)
  let before = 0
  return words.map((word) => {
    const from = start + timeAt(before / letters, end - start)
    before += word.length
    const to = start + timeAt(before / letters, end - start)
    const rounded = (time: number) => Math.round(time * 100) / 100
    return { word, start: rounded(from), end: rounded(to), ...(speaker !== undefined && { speaker }) }
  })
}

/** Sentence by sentence, each as long as its share of the letters. */
function segmentsOf(text: string, seconds: number): NonNullable<TranscriptionOutput['segments']> {
  const sentences = text.match(/[^.!?]+[.!?]*\s*|[.!?]+\s*/gu) ?? []
  let letters = 0
  return sentences.map((sentence) => {
    const start = letters
    letters += sentence.length
    return {
      start: timeAt(start / text.length, seconds),
      end: timeAt(letters / text.length, seconds),
      text: sentence.trim(),
    }
  })
}

const timeAt = (share: number, seconds: number): number => Math.round(share * seconds * 100) / 100
