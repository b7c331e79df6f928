// How many tokens a chat request can be at most, before anybody has counted them. Pure; it errs upwards only.
import type { Meters, Usage } from '../../contract.ts'
import { withPlainId } from '../call_ids.ts'
import { isRecord } from '../lenient.ts'

/** Every vendor's tokens are at least a byte each; roles and separators cost a few more. */
const TOKENS_PER_MESSAGE = 16
/** What providers put before the request: gpt-oss 72 tokens, grok-4 680; with tools Claude 530, Llama 4 450 (recordings). */
const TOKENS_PER_REQUEST = 1_024
const TOKENS_FOR_TOOLS = 1_024

/**
 * Tokens of one picture at most, by `detail` (OpenAI's image guide, 2026-08: 2,500 patches at high, 10,000 at original,
 * times up to 1.62; auto may choose original). Other vendors stay below.
 */
const IMAGE_TOKENS: Record<string, number> = { low: 1_500, high: 8_000, auto: 16_200, original: 16_200 }
/** gpt-4o-mini counts a picture 33 times over: 2,833 and 5,667 for each of at most 8 tiles. */
const IMAGE_TOKENS_4O_MINI: Record<string, number> = { low: 2_833 }
const IMAGE_TOKENS_4O_MINI_HIGH = 48_169

/** Gemini's 32 tokens a second are the most; mp3 goes down to 8 kbit/s, WAV (ADPCM) to 4 kB/s. */
const AUDIO_TOKENS_PER_BYTE = { mp3: 32 / 1_000, wav: 32 / 4_000 }
const AUDIO_TOKENS_LEAST = 100

/** PDF text is compressed about fourfold and every page is read as a picture too. */
const DOCUMENT_TOKENS_PER_BYTE = 4
const DOCUMENT_TOKENS_LEAST = 4_000
/** A file or a film that only the provider can see: its whole context. */
const UNSEEN_TOKENS = 2_000_000

/**
 * The most that the input of this body (OpenAI's chat format, as it is sent) can be; the caller limits it to the
 * model's context. A `prediction` is not input: what of it is rejected counts within the output limit.
 */
export function inputUpperBound(body: Record<string, unknown>): Meters {
  const bound = { text: 0, audio: 0 }
  const { messages, tools, functions, response_format } = body
  if (Array.isArray(messages)) {
    for (const message of messages) {
      bound.text += TOKENS_PER_MESSAGE
      addValue(bound, message, String(body.model ?? ''))
    }
  }
  for (const described of [tools, functions, response_format]) {
    if (described) bound.text += Buffer.byteLength(JSON.stringify(described)) + TOKENS_FOR_TOOLS
  }
  // What a search of the provider's own brings in, nobody can foresee.
  const searches = Boolean(body.web_search_options) || (Array.isArray(tools) && tools.some(isServerTool))
  if (searches) bound.text += UNSEEN_TOKENS
  return {
    input_tokens: bound.text + TOKENS_PER_REQUEST,
    ...(bound.audio ? { input_audio_tokens: bound.audio } : {}),
    ...(searches ? { web_searches: SEARCHES_MOST } : {}),
  }
}

/** What a provider may search the web in one answer, where that has a price. */
const SEARCHES_MOST = 10

const isServerTool = (tool: unknown): boolean =>
  isRecord(tool) && typeof tool.type === 'string' && tool.type !== 'function' && tool.type !== 'custom'

interface Bound {
  text: number
  audio: number
}

function addValue(bound: Bound, value: unknown, model: string): void {
  if (typeof value === 'string') bound.text += Buffer.byteLength(value)
  else if (typeof value === 'number') bound.text += 8
  else if (Array.isArray(value)) for (const each of value) addValue(bound, each, model)
  else if (isRecord(value) && !addMedia(bound, value, model)) {
    for (const [name, member] of Object.entries(value)) {
      bound.text += name.length
      addValue(bound, withPlainId(name, member), model)
    }
  }
}

/** True if the part is a picture, sound, film or document, which are not counted by the length of their base64. */
function addMedia(bound: Bound, part: Record<string, unknown>, model: string): boolean {
  switch (part.type) {
    case 'image_url':
      bound.text += imageTokens(isRecord(part.image_url) ? part.image_url.detail : undefined, model)
      return true
    case 'input_audio':
      bound.audio += audioTokens(part.input_audio)
      return true
    case 'file':
      bound.text += documentTokens(part.file)
      return true
    case 'video_url':
    case 'document_url':
    case 'audio_url':
      bound.text += UNSEEN_TOKENS
      return true
    default:
      return false
  }
}

function imageTokens(detail: unknown, model: string): number {
  const asked = typeof detail === 'string' ? detail : 'auto'
  if (/gpt-4o-mini/.test(model)) return IMAGE_TOKENS_4O_MINI[asked] ?? IMAGE_TOKENS_4O_MINI_HIGH
  return IMAGE_TOKENS[asked] ?? Math.max(...Object.values(IMAGE_TOKENS))
}

function audioTokens(audio: unknown): number {
  const { data, format } = isRecord(audio) ? audio : {}
  if (typeof data !== 'string') return UNSEEN_TOKENS
  const rate = format === 'wav' ? AUDIO_TOKENS_PER_BYTE.wav : AUDIO_TOKENS_PER_BYTE.mp3
  return Math.ceil(Buffer.byteLength(data, 'base64') * rate) + AUDIO_TOKENS_LEAST
}

function documentTokens(file: unknown): number {
  const data = isRecord(file) ? file.file_data : undefined
  if (typeof data !== 'string') return UNSEEN_TOKENS
  return Buffer.byteLength(data, 'base64') * DOCUMENT_TOKENS_PER_BYTE + DOCUMENT_TOKENS_LEAST
}

/** Usage where the provider told none: four bytes a token, which is what English text comes to. */
export function countedUsage(input_bytes: number, output_bytes: number): Usage {
  return {
    meters: { input_tokens: Math.ceil(input_bytes / 4), output_tokens: Math.ceil(output_bytes / 4) },
    source: 'counted',
  }
}
