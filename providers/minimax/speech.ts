// Speech of MiniMax: the whole sound in one answer, in hexadecimal.
import { z } from 'zod'
import { done, type Generator, type JsonObject, type SpeechOutput, type SpeechRequest } from '../../src/contract.ts'
import { refuse, unreadable } from '../../src/protocols/faults.ts'
import { ask, type TaskServer } from '../../src/protocols/media-tasks/client.ts'

const TYPES: Record<string, string> = { mp3: 'audio/mpeg', flac: 'audio/flac', wav: 'audio/wav' }
const SPEED = { min: 0.5, max: 2 }

const Answer = z.looseObject({
  data: z.looseObject({ audio: z.string().regex(/^(?:[0-9a-f]{2})+$/i) }),
  extra_info: z.looseObject({ usage_characters: z.int().nonnegative().nullish() }).nullish(),
})

export function minimaxSpeech(server: TaskServer): Generator<SpeechRequest, SpeechOutput> {
  return {
    formats: Object.keys(TYPES),
    async start(request, call) {
      const body = bodyOf(request, call.upstream)
      const { data, extra_info } = await ask(server, call, { method: 'POST', path: '/v1/t2a_v2', body }, Answer)
      const media_type = TYPES[request.format]
      if (media_type === undefined) throw unreadable(server.provider)
      const reported = extra_info?.usage_characters
      return done(
        { audio: { type: 'bytes', data: Buffer.from(data.audio, 'hex'), media_type } },
        {
          meters: { characters: reported ?? billedCharacters(request.input) },
          source: typeof reported === 'number' ? 'reported' : 'counted',
        },
      )
    },
    estimate(request, upstream) {
      bodyOf(request, upstream)
      return { meters: { characters: billedCharacters(request.input) }, source: 'estimated' }
    },
  }
}

/** A character of Chinese counts as two (pricing-paygo, 2026-11-21); so does, at most, any other that is not ASCII. */
function billedCharacters(text: string): number {
  let count = 0
  for (const character of text) count += (character.codePointAt(0) ?? 0) < 128 ? 1 : 2
  return count
}

function bodyOf({ model, input, voice, format, speed, instructions }: SpeechRequest, upstream: string): JsonObject {
  if (typeof voice !== 'string')
    throw refuse('voice', `${model} takes the id of a voice, like "English_Graceful_Lady".`)
  if (instructions !== undefined) throw refuse('instructions', `${model} takes no 'instructions'.`)
  if (speed !== undefined && (speed < SPEED.min || speed > SPEED.max))
    throw refuse('speed', `${model} speaks at ${SPEED.min} to ${SPEED.max} times the usual speed.`)
  return {
    model: upstream,
    text: input,
    stream: false,
    output_format: 'hex',
    voice_setting: { voice_id: voice, ...(speed !== undefined && { speed }) },
    audio_setting: { format },
  }
}
