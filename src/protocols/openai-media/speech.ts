// Speech over OpenAI's /audio/speech: text in, a playable file out.
import type { SpeechCreateParams } from 'openai/resources/audio/speech'
import {
  type Call,
  done,
  type Generator,
  type Meters,
  type SpeechOutput,
  type SpeechRequest,
  type Usage,
} from '../../contract.ts'
import { unreadable } from '../faults.ts'
import { count, record } from '../lenient.ts'
import { SOUND_TYPES } from '../sound/file.ts'
import { sseEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { callOptions, fieldsOf, type MediaServer, mediaClient, viaSdk } from './client.ts'

/**
 * Sound tokens: $0.015 a minute at $12 a million is 21 a second (model page of gpt-4o-mini-tts, 2026-08). Speech in Latin
 * letters is some 15 bytes a second. The bound allows for the slowest reading that instructions bring about, and more
 * for a low `speed`.
 */
const TOKENS_PER_BYTE = 21 / 15
const TOKENS_PER_BYTE_AT_MOST = 4
const TOKENS_LEAST = 200

export function openaiSpeech(server: MediaServer): Generator<SpeechRequest, SpeechOutput> {
  const sdk = mediaClient(server)
  const { provider } = server

  async function start(request: SpeechRequest, call: Call) {
    const { input, voice, format, speed, instructions, extra } = request
    // Binary answers tell no usage; the models billed by token tell it at the end of a stream (spec of 2026-08).
    const stream_format = /^gpt-.*-tts/.test(call.upstream) ? 'sse' : undefined
    const fields = { model: call.upstream, input, voice, response_format: format, speed, instructions, stream_format }
    const params = fieldsOf(fields, extra) as unknown as SpeechCreateParams
    const { data, usage, type } = await viaSdk(provider, call, async () => {
      const response = await sdk.audio.speech.create(params, callOptions(call))
      const content_type = response.headers.get('content-type')?.split(';')[0] ?? ''
      if (content_type !== 'text/event-stream' || !response.body) {
        const is_sound = response.ok && !NO_SOUND.test(content_type)
        return { data: await readSound(response, is_sound ? call : undefined), type: content_type, usage: undefined }
      }
      return { ...(await readStream(response.body, provider, call)), type: '' }
    })
    if (data.length === 0 || NO_SOUND.test(type)) throw unreadable(provider)
    const media_type = type.startsWith('audio/')
      ? type
      : (SOUND_TYPES[format as keyof typeof SOUND_TYPES] ?? 'application/octet-stream')
    const output: SpeechOutput = { audio: { type: 'bytes', data, media_type } }
    return done(output, usageOf(request, usage))
  }

  return { takes_extra: true, start, estimate: (request) => ({ meters: speechMeters(request), source: 'estimated' }) }
}

const NO_SOUND = /^text\/|json$/

/** The bytes as they come, for a listener as well. */
async function readSound({ body }: Response, call: Call | undefined): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of body ?? []) {
    pieces.push(piece)
    call?.sound?.(piece)
  }
  return Buffer.concat(pieces)
}

async function readStream(body: AsyncIterable<Uint8Array>, provider: string, call: Call) {
  const pieces: Buffer[] = []
  let usage: unknown
  let whole = false
  for await (const { data } of sseEvents(body)) {
    if (data === '[DONE]') continue
    const event = record(JSON.parse(data))
    if (event.error) throw streamError(event, provider)
    if (typeof event.audio === 'string') {
      const piece = Buffer.from(event.audio, 'base64')
      pieces.push(piece)
      call.sound?.(piece)
    }
    if (event.type === 'speech.audio.done') whole = true
    if (event.usage) usage = event.usage
  }
  if (!whole) throw unreadable(provider)
  return { data: Buffer.concat(pieces), usage }
}

/** Characters are exact, as the vendor counts them; tokens are the server's own or counted by us, and then say so. */
function usageOf(request: SpeechRequest, raw: unknown): Usage {
  const characters = [...request.input].length
  const usage = record(raw)
  const input_tokens = count(usage.input_tokens)
  const output_audio_tokens = count(usage.output_tokens)
  if (input_tokens !== undefined && output_audio_tokens !== undefined) {
    return {
      meters: { characters, input_tokens, output_audio_tokens },
      source: 'reported',
      raw: raw as Usage['raw'] & {},
    }
  }
  const bytes = Buffer.byteLength(request.input)
  return {
    meters: { characters, input_tokens: Math.ceil(bytes / 4), output_audio_tokens: Math.ceil(bytes * TOKENS_PER_BYTE) },
    source: 'counted',
  }
}

function speechMeters({ input, instructions = '', speed = 1 }: SpeechRequest): Meters {
  const bytes = Buffer.byteLength(input)
  return {
    characters: [...input].length,
    input_tokens: bytes + Buffer.byteLength(instructions) + 16,
    output_audio_tokens: Math.ceil((bytes * TOKENS_PER_BYTE_AT_MOST + TOKENS_LEAST) / Math.min(1, speed)),
  }
}
