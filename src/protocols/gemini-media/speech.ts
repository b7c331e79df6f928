// Speech of Gemini's models: text in, plain samples out (24 kHz, one channel, 16 bits), of which the router writes files.
import { z } from 'zod'
import {
  type Call,
  done,
  type Generator,
  type JsonObject,
  type Meters,
  ProviderError,
  type SpeechOutput,
  type SpeechRequest,
} from '../../contract.ts'
import { refuse } from '../faults.ts'
import type { GeminiServer } from '../gemini/server.ts'
import { voiceNamed } from '../sound/voice.ts'
import { makeContent, onlyWords } from './answer.ts'
import { voiceOf } from './voices.ts'

/** `options` of a model's entry in the price file. */
export const speechOptions = {
  /** Names that callers use, and what Google calls these voices: over those of voices.ts. */
  voices: z.record(z.string(), z.string()).exactOptional(),
}

const Options = z.object(speechOptions)

/**
 * Sound is some 25 tokens a second. Speech in Latin letters is some 15 bytes a second, in others about as much; the bound
 * allows for reading at less than half of that speed.
 */
const TOKENS_PER_BYTE = 25 / 15
const TOKENS_PER_BYTE_AT_MOST = 4
const TOKENS_LEAST = 400
const INPUT_TOKENS_LEAST = 64

export function geminiSpeech(server: GeminiServer): Generator<SpeechRequest, SpeechOutput> {
  const { provider } = server
  return {
    formats: ['pcm'],
    async start(request: SpeechRequest, call: Call) {
      const { files, text, cut, usage } = await makeContent(server, bodyOf(request, call.options), call)
      const [sound] = files.filter(({ media_type }) => media_type.startsWith('audio/'))
      if (!sound) throw onlyWords(provider, 'no sound', text)
      // Half a speech is none: the caller would not know what is missing.
      if (cut) throw new ProviderError('unavailable', `${provider} broke the speech off before its end.`)
      const characters = [...request.input].length
      if (!usage) return done({ audio: sound }, { meters: counted(request), source: 'counted' as const })
      return done({ audio: sound }, { ...usage, meters: { characters, ...usage.meters } })
    },
    estimate(request, _upstream, options) {
      bodyOf(request, options)
      const { input, instructions = '' } = request
      const bytes = Buffer.byteLength(input)
      const meters: Meters = {
        characters: [...input].length,
        input_tokens: bytes + Buffer.byteLength(instructions) + INPUT_TOKENS_LEAST,
        output_audio_tokens: Math.ceil(bytes * TOKENS_PER_BYTE_AT_MOST) + TOKENS_LEAST,
      }
      return { meters, source: 'estimated' }
    },
  }
}

function bodyOf({ input, voice, instructions, speed = 1 }: SpeechRequest, options: JsonObject): JsonObject {
  if (speed !== 1) throw refuse('speed', "This model has no 'speed': say in 'instructions' how fast it should read.")
  const { voices = {} } = Options.parse(options)
  const voiceName = voiceOf(voiceNamed(voice), voices)
  // Its models take direction in the text itself, set off by a colon (ai.google.dev/gemini-api/docs/speech-generation).
  const text = instructions === undefined ? input : `${instructions.replace(/[\s.:]+$/, '')}: ${input}`
  return {
    contents: [{ role: 'user', parts: [{ text }] }],
    generationConfig: {
      responseModalities: ['AUDIO'],
      speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName } } },
    },
  }
}

/** For an answer without its usage, which Google always sends. */
function counted({ input, instructions = '' }: SpeechRequest): Meters {
  const bytes = Buffer.byteLength(input)
  return {
    characters: [...input].length,
    input_tokens: Math.ceil((bytes + Buffer.byteLength(instructions)) / 4),
    output_audio_tokens: Math.ceil(bytes * TOKENS_PER_BYTE),
  }
}
