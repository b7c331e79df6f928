// ElevenLabs' voices, and its sound effects, which are speech of a model without a voice.
import { z } from 'zod'
import {
  type Call,
  done,
  type Generator,
  type JsonObject,
  type ProviderFetch,
  type SpeechOutput,
  type SpeechRequest,
  type Usage,
} from '../../src/contract.ts'
import { refuse } from '../../src/protocols/faults.ts'
import { sendOrThrow } from '../../src/protocols/send.ts'
import { readSpoken } from '../../src/protocols/sound/spoken.ts'
import { voiceNamed } from '../../src/protocols/sound/voice.ts'
import { voiceId } from './voices.ts'

export interface ElevenServer {
  provider: string
  /** Without a slash at the end. */
  base_url: string
  api_key: string
  fetch: ProviderFetch
}

/** `options` of a model's entry in the price file. */
export const speechOptions = {
  /** What the model makes of words; speech if absent. */
  makes: z.enum(['speech', 'effects']).exactOptional(),
  /** Names that callers use, and the ids of these voices: over those of voices.ts. */
  voices: z.record(z.string(), z.string()).exactOptional(),
}
const Options = z.object(speechOptions)

/** Its names for them; 44.1 kHz samples would need a dearer plan. */
const OUTPUT_FORMATS: Record<string, string> = { mp3: 'mp3_44100_128', opus: 'opus_48000_128', pcm: 'pcm_24000' }
const MEDIA_TYPES: Record<string, string> = { mp3: 'audio/mpeg', opus: 'audio/ogg', pcm: 'audio/pcm;rate=24000' }
const SLOWEST = 0.7
const FASTEST = 1.2

export function elevenSpeech({
  provider,
  base_url,
  api_key,
  fetch,
}: ElevenServer): Generator<SpeechRequest, SpeechOutput> {
  return {
    formats: Object.keys(OUTPUT_FORMATS),
    async start(request: SpeechRequest, call: Call) {
      const { path, body } = asked(request, call.options)
      const url = `${base_url}${path}?output_format=${OUTPUT_FORMATS[request.format] ?? 'mp3_44100_128'}`
      const headers = { 'xi-api-key': api_key, 'content-type': 'application/json' }
      const sent = JSON.stringify({ ...body, model_id: call.upstream })
      const wire = { method: 'POST' as const, url, headers, body: sent, signal: call.signal }
      const answer = await sendOrThrow(fetch, wire, provider)
      const data = await readSpoken(answer, call, provider)
      const media_type = MEDIA_TYPES[request.format] ?? 'audio/mpeg'
      return done({ audio: { type: 'bytes', data, media_type } }, usageOf(request, answer.headers['character-cost']))
    },
    estimate(request, _upstream, options) {
      asked(request, options)
      return { ...usageOf(request), source: 'estimated' }
    },
  }
}

/** It sells characters. `character-cost` counts credits, of which a character is one or half a one, and is kept for audits. */
const usageOf = ({ input }: SpeechRequest, credits?: string): Usage => ({
  meters: { characters: [...input].length, requests: 1 },
  source: 'counted',
  ...(credits === undefined ? {} : { raw: { 'character-cost': credits } }),
})

function asked(request: SpeechRequest, options: JsonObject): { path: string; body: JsonObject } {
  const { input, voice, speed = 1, instructions } = request
  const { makes = 'speech', voices = {} } = Options.parse(options)
  if (instructions !== undefined)
    throw refuse(
      'instructions',
      "This model takes no 'instructions'; eleven_v3 takes tags within the text: [whispers].",
    )
  if (makes === 'effects') {
    if (voice !== 'none') throw refuse('voice', "Sound effects have no voice: send 'voice' as 'none'.")
    if (speed !== 1) throw refuse('speed', "Sound effects have no 'speed'.")
    return { path: '/v1/sound-generation', body: { text: input } }
  }
  if (!(speed >= SLOWEST && speed <= FASTEST))
    throw refuse('speed', `These voices speak at a 'speed' of ${SLOWEST} to ${FASTEST}.`)
  return {
    path: `/v1/text-to-speech/${encodeURIComponent(voiceId(voiceNamed(voice), voices))}`,
    body: { text: input, ...(speed === 1 ? {} : { voice_settings: { speed } }) },
  }
}
