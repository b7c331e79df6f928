// Groq: open models on its own chips. https://console.groq.com/docs/openai (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { openaiCompatible } from '../src/protocols/openai-compatible.ts'

export default defineProvider({
  contract: 1,
  name: 'Groq',
  docs: 'https://groq.com/pricing',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://api.groq.com/openai/v1') }),
  connect: ({ api_key, base_url }, { fetch }) =>
    openaiCompatible(
      { provider: 'Groq', base_url, api_key, fetch, quirks: { output_limit_field: 'max_completion_tokens' } },
      ['chat', 'speech', 'transcription'],
    ),
})
