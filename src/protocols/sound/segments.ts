// Sentences out of timed words: what a transcript's segments are, where a provider tells the times of words alone.
import type { TranscriptionOutput } from '../../contract.ts'

export type Word = NonNullable<TranscriptionOutput['words']>[number]
type Segment = NonNullable<TranscriptionOutput['segments']>[number]

const SENTENCE_ENDS = /[.!?。！？…]["'”’)]*$/
/** A sentence without an end is cut where the speaker pauses for so long, or goes on for so long. */
const PAUSE_SECONDS = 1.5
const SEGMENT_SECONDS = 30

/** Until a sentence ends, another speaks, or nobody does. Words that Chinese or Japanese write together stay so. */
export function segmentsOf(words: readonly Word[]): Segment[] {
  const segments: Segment[] = []
  let open: Word[] = []
  for (const word of words) {
    const [first] = open
    const last = open.at(-1)
    const ends =
      first &&
      last &&
      (SENTENCE_ENDS.test(last.word) ||
        last.speaker !== word.speaker ||
        word.start - last.end > PAUSE_SECONDS ||
        word.end - first.start > SEGMENT_SECONDS)
    if (ends) {
      segments.push(segmentOf(open))
      open = []
    }
    open.push(word)
  }
  if (open.length > 0) segments.push(segmentOf(open))
  return segments
}

const IDEOGRAPHIC = /[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef]$/

function segmentOf(words: Word[]): Segment {
  const [first] = words
  const text = words.reduce((sum, { word }) => `${sum}${sum === '' || IDEOGRAPHIC.test(sum) ? '' : ' '}${word}`, '')
  return {
    start: first?.start ?? 0,
    end: words.at(-1)?.end ?? 0,
    text,
    ...(first?.speaker === undefined ? {} : { speaker: first.speaker }),
  }
}

/** Speakers as `A`, `B` and so on, in the order in which they first speak, as OpenAI names those it does not know. */
export function speakerNames(): (id: string | number) => string {
  const names = new Map<string | number, string>()
  return (id) => {
    const known = names.get(id)
    if (known !== undefined) return known
    const number = names.size
    const name = number < 26 ? String.fromCharCode(65 + number) : `S${number + 1}`
    names.set(id, name)
    return name
  }
}
