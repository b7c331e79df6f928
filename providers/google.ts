// Google: Gemini models over the Gemini API, with an API key. https://ai.google.dev/api (2026-11-21)
// Its SDK (@google/genai 3.1.0) stays a tool of the tests: 13 MB, protobufs, an OAuth library and retries of its own, for
// three JSON calls over the connection that its chat uses anyway.
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { geminiEmbedding } from '../src/protocols/gemini/embedding.ts'
import { geminiGenerateContent } from '../src/protocols/gemini/provider.ts'
import { filmOptions, geminiFilm } from '../src/protocols/gemini-media/film.ts'
import { geminiImage, imageOptions } from '../src/protocols/gemini-media/image.ts'
import { geminiSpeech, speechOptions } from '../src/protocols/gemini-media/speech.ts'
import { geminiTranscription } from '../src/protocols/gemini-media/transcription.ts'

export default defineProvider({
  contract: 1,
  name: 'Google',
  docs: 'https://ai.google.dev/gemini-api/docs/pricing',
  settings: z.object({
    api_key: z.string().min(1),
    // Without a version, as Google's own SDK wants it.
    base_url: z.url().default('https://generativelanguage.googleapis.com'),
  }),
  environment: { api_key: 'GEMINI_API_KEY', base_url: 'GEMINI_BASE_URL' },
  options: z.strictObject({ ...imageOptions, ...speechOptions, ...filmOptions }),
  connect: ({ api_key, base_url }, { fetch }) => {
    const server = { provider: 'Google', base_url, api_key, fetch }
    return {
      chat: [geminiGenerateContent(server)],
      embedding: geminiEmbedding(server),
      image: geminiImage(server),
      video: geminiFilm(server),
      speech: geminiSpeech(server),
      transcription: geminiTranscription(server),
    }
  },
})
