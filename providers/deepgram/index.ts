// Deepgram: transcripts of recordings, and speech. https://developers.deepgram.com/reference (2026-11-21)
// Its SDK (@deepgram/sdk 5.13.0) is for sockets; a recording is one call whose body is the file.
import { z } from 'zod'
import { defineProvider } from '../../src/contract.ts'
import { deepgramTranscription } from './listen.ts'
import { deepgramSpeech, speechOptions } from './speak.ts'

export default defineProvider({
  contract: 1,
  name: 'Deepgram',
  docs: 'https://deepgram.com/pricing',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://api.deepgram.com') }),
  options: z.strictObject(speechOptions),
  connect: ({ api_key, base_url }, { fetch }) => {
    const headers = { authorization: `Token ${api_key}` }
    const server = { provider: 'Deepgram', base_url: base_url.replace(/\/+$/, ''), headers, fetch }
    return { speech: deepgramSpeech(server), transcription: deepgramTranscription(server) }
  },
})
