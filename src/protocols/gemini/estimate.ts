// How many tokens a request can be at most, before anybody has counted them, and about how many it will be. Pure.
import type { JsonObject, Meters } from '../../contract.ts'
import { isRecord } from '../lenient.ts'

/** What of a request is counted in which way. */
interface Measure {
  /** UTF-8 bytes of everything that is text, names of fields included. */
  text_bytes: number
  turns: number
  images: number
  audio_bytes: { mp3: number; wav: number }
  video_bytes: number
  document_bytes: number
  /** Files by address, films, and pages that Google's tools will read: nobody can see how much that is. */
  unseen: boolean
  unseen_sound: boolean
  /** Google may search the web. */
  searches: boolean
}

/** What one answer searches at most, and brings in by each: 5 searches and 319 tokens are the most in recordings of 2026. */
const SEARCHES_MOST = 16
const TOKENS_PER_SEARCH = 1_024

/** Every token is at least a byte; roles and separators cost a few more. */
const TOKENS_PER_TURN = 16
/** What Google puts before a request with tools. */
const TOKENS_PER_REQUEST = 2_048
/** A picture is 258 tokens a tile of 768 pixels, 2,240 at most since Gemini 3 (Google's guide on media, 2026). */
const IMAGE_TOKENS = 16_512
const IMAGE_TOKENS_USUAL = 1_120
/** 32 tokens a second; mp3 goes down to 8 kbit/s, WAV (ADPCM) to 4 kB/s. */
const AUDIO_TOKENS_PER_BYTE = { mp3: 32 / 1_000, wav: 32 / 4_000 }
const AUDIO_TOKENS_PER_BYTE_USUAL = { mp3: 32 / 16_000, wav: 32 / 32_000 }
const AUDIO_TOKENS_LEAST = 100
/** PDF text is compressed about fourfold and every page is read as a picture too. */
const DOCUMENT_TOKENS_PER_BYTE = 4
const DOCUMENT_TOKENS_LEAST = 4_000
/** The whole context, which is what the flow cuts it to. */
const UNSEEN_TOKENS = 2_000_000
/** A film has 66 tokens of picture a second at least and 32 of sound. */
const SOUND_OF_UNSEEN = UNSEEN_TOKENS / 3

/** The most that the input of a checked body can be; the caller limits it to the model's context. */
export function inputUpperBound(body: JsonObject): Meters {
  const seen = measure(body)
  const { mp3, wav } = seen.audio_bytes
  const audio =
    (mp3 ? Math.ceil(mp3 * AUDIO_TOKENS_PER_BYTE.mp3) + AUDIO_TOKENS_LEAST : 0) +
    (wav ? Math.ceil(wav * AUDIO_TOKENS_PER_BYTE.wav) + AUDIO_TOKENS_LEAST : 0) +
    (seen.unseen_sound ? SOUND_OF_UNSEEN : 0)
  const documents = seen.document_bytes ? seen.document_bytes * DOCUMENT_TOKENS_PER_BYTE + DOCUMENT_TOKENS_LEAST : 0
  const found = seen.searches ? SEARCHES_MOST * TOKENS_PER_SEARCH : 0
  const text = seen.text_bytes + seen.turns * TOKENS_PER_TURN + TOKENS_PER_REQUEST + found
  return {
    input_tokens: text + seen.images * IMAGE_TOKENS + documents + (seen.unseen ? UNSEEN_TOKENS : 0),
    ...(audio ? { input_audio_tokens: Math.ceil(audio) } : {}),
    ...(seen.searches ? { web_searches: SEARCHES_MOST } : {}),
  }
}

/** About how many tokens, by modality: four bytes of text a token, and the usual size of everything else. */
export function countedInput(body: JsonObject): { modality: string; tokenCount: number }[] {
  const seen = measure(body)
  const { mp3, wav } = seen.audio_bytes
  const sound = mp3 * AUDIO_TOKENS_PER_BYTE_USUAL.mp3 + wav * AUDIO_TOKENS_PER_BYTE_USUAL.wav
  return [
    { modality: 'TEXT', tokenCount: Math.ceil(seen.text_bytes / 4) },
    { modality: 'IMAGE', tokenCount: seen.images * IMAGE_TOKENS_USUAL },
    { modality: 'AUDIO', tokenCount: Math.ceil(sound) },
    { modality: 'VIDEO', tokenCount: Math.ceil(seen.video_bytes / 500) },
    { modality: 'DOCUMENT', tokenCount: Math.ceil(seen.document_bytes / 50) },
  ].filter(({ modality, tokenCount }) => modality === 'TEXT' || tokenCount > 0)
}

function measure(body: JsonObject): Measure {
  const seen: Measure = {
    text_bytes: 0,
    turns: Array.isArray(body.contents) ? body.contents.length : 0,
    images: 0,
    audio_bytes: { mp3: 0, wav: 0 },
    video_bytes: 0,
    document_bytes: 0,
    unseen: false,
    unseen_sound: false,
    searches: false,
  }
  addValue(seen, body.systemInstruction)
  addValue(seen, body.contents)
  addTools(seen, body.tools)
  const settings = isRecord(body.generationConfig) ? body.generationConfig : {}
  for (const schema of [settings.responseSchema, settings.responseJsonSchema]) {
    if (schema) seen.text_bytes += Buffer.byteLength(JSON.stringify(schema))
  }
  return seen
}

function addTools(seen: Measure, tools: unknown): void {
  if (!Array.isArray(tools)) return
  seen.text_bytes += Buffer.byteLength(JSON.stringify(tools))
  for (const name of tools.filter(isRecord).flatMap((tool) => Object.keys(tool))) {
    if (name === 'googleSearch' || name === 'googleSearchRetrieval') seen.searches = true
    else if (name !== 'functionDeclarations') seen.unseen = true
  }
}

function addValue(seen: Measure, value: unknown): void {
  if (typeof value === 'string') seen.text_bytes += Buffer.byteLength(value)
  else if (typeof value === 'number') seen.text_bytes += 8
  else if (Array.isArray(value)) for (const each of value) addValue(seen, each)
  else if (isRecord(value)) for (const [name, member] of Object.entries(value)) addMember(seen, name, member)
}

function addMember(seen: Measure, name: string, member: unknown): void {
  if (name === 'inlineData' && isRecord(member)) addFile(seen, String(member.mimeType), member.data)
  else if (name === 'fileData') {
    seen.unseen = true
    seen.unseen_sound = true
    // A signature is handed back to the model that wrote it and is not read as text.
  } else if (name !== 'thoughtSignature') {
    seen.text_bytes += name.length
    addValue(seen, member)
  }
}

function addFile(seen: Measure, media_type: string, data: unknown): void {
  const bytes = typeof data === 'string' ? Buffer.byteLength(data, 'base64') : 0
  const [kind] = media_type.toLowerCase().split('/')
  if (kind === 'image') seen.images++
  else if (kind === 'audio') seen.audio_bytes[/wav|pcm|l16/i.test(media_type) ? 'wav' : 'mp3'] += bytes
  else if (kind === 'video') {
    seen.video_bytes += bytes
    seen.unseen = true
    seen.unseen_sound = true
  } else seen.document_bytes += bytes
}
