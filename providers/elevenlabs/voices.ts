// Voices that ElevenLabs gives to its accounts by default, by the ids that open projects use them by (2026-11-21), and which of them
// stand for OpenAI's. An account that has one no longer hears so from ElevenLabs.
import { refuse } from '../../src/protocols/faults.ts'

const VOICES: Record<string, string> = {
  sarah: 'EXAVITQu4vr4xnSDxMaL',
  laura: 'FGY2WhTYpPnrIDTdsKH5',
  charlie: 'IKne3meq5aSn9XLyUdCD',
  george: 'JBFqnCBsd6RMkjVDRZzb',
  callum: 'N2lVS1w4EtoT3dr4eOWO',
  river: 'SAz9YHcvj6GT2YYXdXww',
  liam: 'TX3LPaxmHKxFdv7VOQHJ',
  alice: 'Xb7hH8MSUJpSbSDYk0k2',
  matilda: 'XrExE9yKIg1WjnnlVkGX',
  will: 'bIHbv24MWmeRgasZH58o',
  jessica: 'cgSgspJ2msm6clMCkdW9',
  roger: 'CwhRBWXzGAHq8TQ4Fs17',
}

/** By pitch and manner, as near as there is. */
const OPENAI_VOICES: Record<string, string> = {
  alloy: 'river',
  ash: 'will',
  ballad: 'george',
  cedar: 'roger',
  coral: 'jessica',
  echo: 'liam',
  fable: 'charlie',
  marin: 'matilda',
  nova: 'sarah',
  onyx: 'callum',
  sage: 'alice',
  shimmer: 'laura',
  verse: 'liam',
}

const ID = /^[A-Za-z0-9]{20}$/

/** `own` are the operator's. Ids go on as they are: every account has voices of its own. Throws ProviderError for other names. */
export function voiceId(name: string, own: Record<string, string> = {}): string {
  const key = name.toLowerCase()
  const known = own[name] ?? VOICES[OPENAI_VOICES[key] ?? key]
  if (known !== undefined) return known
  if (ID.test(name)) return name
  const names = [...Object.keys(own), ...Object.keys(OPENAI_VOICES), ...Object.keys(VOICES)]
  throw refuse('voice', `There is no voice '${name.slice(0, 50)}'. Send the id of one, or ${names.join(', ')}.`)
}
