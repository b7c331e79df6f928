// The sandbox's speech: a tone for every character, in each of OpenAI's formats, with the text kept in the file.
import {
  done,
  type Generator,
  type Json,
  type SpeechOutput,
  type SpeechRequest,
  type Usage,
} from '../../src/contract.ts'
import { isWritten, SOUND_TYPES, soundFile } from '../../src/protocols/sound/file.ts'
import { type FirstTime, type Orders, obey, readOrders } from './orders.ts'
import { breathe, throwIfCanceled } from './pause.ts'
import { refusal, requireOneOf } from './refusal.ts'
import { seededNumbers } from './seeded.ts'
import { aacOf } from './sound/aac.ts'
import { markFor } from './sound/mark.ts'
import { SAMPLE_RATE, samplesOf, type Tune, tuneOf } from './sound/tune.ts'

const FORMATS = ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'] as const
type Format = (typeof FORMATS)[number]
const LONGEST_INPUT = 4096
const SLOWEST = 0.25
const FASTEST = 4
/** What a listener is handed at a time. */
const PIECE_BYTES = 8192

export function sandboxSpeech(firstTime: FirstTime): Generator<SpeechRequest, SpeechOutput> {
  return {
    estimate: (request) => {
      checked(request)
      return usageOf(request, 'estimated')
    },
    async start(request, call) {
      const { format, voice, speed, orders } = checked(request)
      await obey(orders, call, firstTime)
      const tune = tuneOf(orders.text, seededNumbers(voice)(), speed)
      const data = await fileOf(format, tune, markFor(orders.text), call.signal)
      for (let at = 0; call.sound && at < data.length; at += PIECE_BYTES) {
        call.sound(data.subarray(at, at + PIECE_BYTES))
        await breathe(call.signal)
      }
      return done({ audio: { type: 'bytes', data, media_type: SOUND_TYPES[format] } }, usageOf(request, 'reported'))
    },
  }
}

/** Characters as written, orders included: what is sent is what is charged. */
const usageOf = ({ input }: SpeechRequest, source: Usage['source']): Usage => ({
  meters: { characters: [...input].length },
  source,
})

function checked(request: SpeechRequest): { format: Format; voice: string; speed: number; orders: Orders } {
  const { input, speed = 1 } = request
  if (input === '' || [...input].length > LONGEST_INPUT) throw refusal('input', `send 1 to ${LONGEST_INPUT} characters`)
  if (!(speed >= SLOWEST && speed <= FASTEST)) throw refusal('speed', `give a number from ${SLOWEST} to ${FASTEST}`)
  return {
    format: requireOneOf('response_format', request.format, FORMATS),
    voice: voiceName(request.voice),
    speed,
    orders: readOrders(input, { param: 'input' }),
  }
}

/** Any name is a voice, each with its own pitch. */
function voiceName(voice: Json): string {
  const name = typeof voice === 'object' && voice !== null && !Array.isArray(voice) ? voice.id : voice
  if (typeof name !== 'string' || name === '') throw refusal('voice', 'give a name, as "alloy", or {"id": "…"}')
  return name
}

async function fileOf(format: Format, tune: Tune, comment: string, signal: AbortSignal): Promise<Buffer> {
  if (!isWritten(format)) return aacOf(tune, comment)
  try {
    return await soundFile(format, { samples: samplesOf(tune), rate: SAMPLE_RATE }, signal, comment)
  } catch (error) {
    throwIfCanceled(signal)
    throw error
  }
}
