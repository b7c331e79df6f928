// Speech by Deepgram's Aura, where every voice is a model of its own: aura-2-thalia-en.
import { z } from 'zod'
import {
  type Call,
  done,
  type Generator,
  type Json,
  type JsonObject,
  type ProviderFetch,
  type SpeechOutput,
  type SpeechRequest,
} from '../../src/contract.ts'
import { refuse } from '../../src/protocols/faults.ts'
import { sendOrThrow } from '../../src/protocols/send.ts'
import { readSpoken } from '../../src/protocols/sound/spoken.ts'
import { voiceNamed } from '../../src/protocols/sound/voice.ts'

export interface DeepgramServer {
  provider: string
  /** Without a slash at the end. */
  base_url: string
  headers: Record<string, string>
  fetch: ProviderFetch
}

/** `options` of a model's entry in the price file. */
export const speechOptions = {
  /** Names that callers use, and the voices that they stand for: `{ anna = "viktoria-de" }`. */
  voices: z.record(z.string(), z.string()).exactOptional(),
}
const Options = z.object(speechOptions)

const FORMATS: Record<string, { query: Record<string, string>; media_type: string }> = {
  mp3: { query: { encoding: 'mp3' }, media_type: 'audio/mpeg' },
  opus: { query: { encoding: 'opus', container: 'ogg' }, media_type: 'audio/ogg' },
  aac: { query: { encoding: 'aac' }, media_type: 'audio/aac' },
  flac: { query: { encoding: 'flac' }, media_type: 'audio/flac' },
  wav: { query: { encoding: 'linear16', container: 'wav', sample_rate: '24000' }, media_type: 'audio/wav' },
  pcm: {
    query: { encoding: 'linear16', container: 'none', sample_rate: '24000' },
    media_type: 'audio/pcm;rate=24000',
  },
}

/** OpenAI's voices by pitch and manner, as near as there is. */
const OPENAI_VOICES: Record<string, string> = {
  alloy: 'thalia',
  ash: 'apollo',
  ballad: 'draco',
  cedar: 'zeus',
  coral: 'asteria',
  echo: 'orion',
  fable: 'hyperion',
  marin: 'helena',
  nova: 'luna',
  onyx: 'arcas',
  sage: 'athena',
  shimmer: 'andromeda',
  verse: 'orpheus',
}
const VOICE = /^[a-z]{2,30}(?:-[a-z]{2}(?:-[a-z]{2})?)?$/

export function deepgramSpeech({
  provider,
  base_url,
  headers,
  fetch,
}: DeepgramServer): Generator<SpeechRequest, SpeechOutput> {
  return {
    formats: Object.keys(FORMATS),
    async start(request: SpeechRequest, call: Call) {
      const { query, media_type } = FORMATS[request.format] ?? { query: {}, media_type: 'audio/mpeg' }
      const model = modelOf(request.voice, call.upstream, call.options)
      const wire = {
        method: 'POST' as const,
        url: `${base_url}/v1/speak?${new URLSearchParams({ model, ...query })}`,
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ text: request.input }),
        signal: call.signal,
      }
      const answer = await sendOrThrow(fetch, wire, provider)
      const data = await readSpoken(answer, call, provider)
      const characters = [...request.input].length
      const told = Number(answer.headers['dg-char-count'] ?? Number.NaN)
      const reported = Number.isInteger(told) && told > 0
      return done(
        { audio: { type: 'bytes', data, media_type } },
        {
          meters: { characters: reported ? Math.min(told, characters) : characters, requests: 1 },
          source: reported ? ('reported' as const) : ('counted' as const),
        },
      )
    },
    estimate({ input, voice, speed = 1, instructions }, upstream, options) {
      if (speed !== 1) throw refuse('speed', "These voices have no 'speed'.")
      if (instructions !== undefined) throw refuse('instructions', "These voices take no 'instructions'.")
      modelOf(voice, upstream, options)
      return { meters: { characters: [...input].length, requests: 1 }, source: 'estimated' }
    },
  }
}

/** `thalia` or `thalia-en` as `aura-2-thalia-en`; English where no language is named. */
function modelOf(voice: Json, upstream: string, options: JsonObject): string {
  const { voices = {} } = Options.parse(options)
  const given = voiceNamed(voice)
  const name = (voices[given] ?? given).toLowerCase()
  const bare = name.startsWith(`${upstream}-`) ? name.slice(upstream.length + 1) : name
  const known = OPENAI_VOICES[bare] ?? bare
  if (!VOICE.test(known))
    throw refuse('voice', "'voice' must be the name of a voice, like 'thalia', 'thalia-en' or 'alloy'.")
  return `${upstream}-${known.includes('-') ? known : `${known}-en`}`
}
