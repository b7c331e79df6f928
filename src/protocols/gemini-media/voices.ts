// The voices of Google's speech (openrouter.ai/google/gemini-3.8-flash-tts/llms.txt, 2026-11-21), and which of them stand for OpenAI's.

const VOICES = [
  'Zephyr',
  'Puck',
  'Charon',
  'Kore',
  'Fenrir',
  'Leda',
  'Orus',
  'Aoede',
  'Callirrhoe',
  'Autonoe',
  'Enceladus',
  'Iapetus',
  'Umbriel',
  'Algieba',
  'Despina',
  'Erinome',
  'Algenib',
  'Rasalgethi',
  'Laomedeia',
  'Achernar',
  'Alnilam',
  'Schedar',
  'Gacrux',
  'Pulcherrima',
  'Achird',
  'Zubenelgenubi',
  'Vindemiatrix',
  'Sadachbia',
  'Sadaltager',
  'Sulafat',
]

/** By pitch and manner, as near as there is. */
const OPENAI_VOICES: Record<string, string> = {
  alloy: 'Kore',
  ash: 'Orus',
  ballad: 'Algieba',
  cedar: 'Charon',
  coral: 'Leda',
  echo: 'Puck',
  fable: 'Enceladus',
  marin: 'Aoede',
  nova: 'Zephyr',
  onyx: 'Algenib',
  sage: 'Erinome',
  shimmer: 'Despina',
  verse: 'Fenrir',
}

/** `own` are the operator's. A name that nobody here knows goes on as it is: Google has new voices before we do. */
export function voiceOf(name: string, own: Record<string, string> = {}): string {
  const key = name.toLowerCase()
  return own[name] ?? OPENAI_VOICES[key] ?? VOICES.find((voice) => voice.toLowerCase() === key) ?? name
}
