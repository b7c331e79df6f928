// Finds what was made in a model's answer, by its map: pictures, a film, sound, a transcript. It fetches nothing.
import {
  type Asset,
  type ImageOutput,
  ProviderError,
  type SpeechOutput,
  type TranscriptionOutput,
  type VideoOutput,
} from '../../contract.ts'
import type { MappedOperation } from './fields.ts'
import { readAll, readOne } from './path.ts'
import type { OutputMap } from './schema.ts'

export interface Outputs {
  image: ImageOutput
  video: VideoOutput
  speech: SpeechOutput
  transcription: TranscriptionOutput
}

export interface Made<Output> {
  output: Output
  /** How many files it has. */
  files: number
}

export interface Asking {
  /** For people. */
  provider: string
  /** How many files were asked for: more are not paid for, and not handed on. */
  most: number
}

/** Throws ProviderError: 'bad_response' where nothing is to be found, 'content_policy' where all of it was withheld. */
export function readOutput<Operation extends MappedOperation>(
  operation: Operation,
  map: OutputMap,
  answer: unknown,
  { provider, most }: Asking,
): Made<Outputs[Operation]> {
  return READERS[operation](map, answer, { provider, most }) as Made<Outputs[Operation]>
}

const READERS: {
  [Operation in MappedOperation]: (map: OutputMap, answer: unknown, asking: Asking) => Made<Outputs[Operation]>
} = {
  image(map, answer, { provider, most }) {
    const all = readAll(answer, map.images ?? 'output').map(assetOf)
    const flags = map.flagged === undefined ? [] : readAll(answer, map.flagged)
    const safe = all.filter((file, index): file is Asset => file !== undefined && flags[index] !== true)
    const files = safe.slice(0, most)
    if (files.length === 0 && flags.includes(true)) throw withheld(provider)
    if (files.length === 0) throw nothing(provider)
    return { output: { images: files.map((image) => ({ image })) }, files: files.length }
  },
  video(map, answer, { provider }) {
    const video = assetOf(readOne(answer, map.video))
    if (!video) throw nothing(provider)
    const thumbnail = assetOf(readOne(answer, map.thumbnail))
    return { output: { video, ...(thumbnail && { thumbnail }) }, files: 1 }
  },
  speech(map, answer, { provider }) {
    const audio = assetOf(readOne(answer, map.audio))
    if (!audio) throw nothing(provider)
    return { output: { audio }, files: 1 }
  },
  transcription(map, answer, { provider }) {
    const texts = readAll(answer, map.text ?? 'output').filter((part) => typeof part === 'string')
    if (texts.length === 0) throw nothing(provider)
    return { output: { text: texts.join('').trim(), ...timesOf(map, answer) }, files: 1 }
  },
}

/** An address or a data: URL, plain or as {url}. */
function assetOf(value: unknown): Asset | undefined {
  const url: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'url') : value
  return typeof url === 'string' && /^(?:https?|data):/i.test(url) ? { type: 'url', url } : undefined
}

function timesOf(map: OutputMap, answer: unknown): Omit<TranscriptionOutput, 'text'> {
  const language = readOne(answer, map.language)
  const seconds = readOne(answer, map.seconds)
  const segments = partsOf(map.segments, answer)
  const words = partsOf(map.words, answer).map(({ text, ...part }) => ({ ...part, word: text }))
  return {
    ...(typeof language === 'string' && { language }),
    ...(typeof seconds === 'number' && seconds >= 0 && { seconds }),
    ...(segments.length > 0 && { segments }),
    ...(words.length > 0 && { words }),
  }
}

interface Part {
  start: number
  end: number
  text: string
  speaker?: string
}

function partsOf(map: OutputMap['segments'], answer: unknown): Part[] {
  if (!map) return []
  return readAll(answer, map.each).flatMap((each): Part[] => {
    const [start, end, text] = [map.start, map.end, map.text].map((path) => readOne(each, path))
    const speaker = readOne(each, map.speaker)
    if (typeof start !== 'number' || typeof text !== 'string') return []
    // Whisper leaves the end of the last piece open where the sound breaks off.
    return [
      {
        start,
        end: typeof end === 'number' ? end : start,
        text,
        ...(speaker !== undefined && { speaker: String(speaker) }),
      },
    ]
  })
}

const nothing = (provider: string) =>
  new ProviderError('bad_response', `${provider} says that the work is done, and gave nothing that we can read.`)

const withheld = (provider: string) =>
  new ProviderError('content_policy', `${provider} withheld what was made, because its filter marked it as unsafe.`)
