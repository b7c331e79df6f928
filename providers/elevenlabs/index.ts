// ElevenLabs: speech, sound effects and transcripts. https://elevenlabs.io/docs/api-reference (2026-11-21)
// Its SDK (@elevenlabs/elevenlabs-js 2.73.0) is 108 MB with node-fetch and ws, for three plain calls.
import { z } from 'zod'
import { defineProvider } from '../../src/contract.ts'
import { elevenSpeech, speechOptions } from './speech.ts'
import { elevenTranscription } from './transcription.ts'

export default defineProvider({
  contract: 1,
  name: 'ElevenLabs',
  docs: 'https://elevenlabs.io/pricing/api',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://api.elevenlabs.io') }),
  options: z.strictObject(speechOptions),
  connect: ({ api_key, base_url }, { fetch }) => {
    const server = { provider: 'ElevenLabs', base_url: base_url.replace(/\/+$/, ''), api_key, fetch }
    return { speech: elevenSpeech(server), transcription: elevenTranscription(server) }
  },
})
