// Films, speech and transcripts for tests, over OpenAI's own format.
import { z } from 'zod'
import { defineProvider } from '../../../src/contract.ts'
import { openaiCompatible } from '../../../src/protocols/openai-compatible.ts'

export default defineProvider({
  contract: 1,
  name: 'Reel',
  docs: 'test/theatre',
  settings: z.object({ base_url: z.url() }),
  connect: ({ base_url }, { fetch }) =>
    openaiCompatible({ provider: 'Reel', base_url, api_key: 'none', fetch }, ['video', 'speech', 'transcription']),
})
