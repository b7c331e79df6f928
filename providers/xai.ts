// xAI: the Grok models. https://docs.x.ai/docs/api-reference (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { openaiCompatible } from '../src/protocols/openai-compatible.ts'

export default defineProvider({
  contract: 1,
  name: 'xAI',
  docs: 'https://docs.x.ai/docs/models',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://api.x.ai/v1') }),
  connect: ({ api_key, base_url }, { fetch }) =>
    openaiCompatible(
      { provider: 'xAI', base_url, api_key, fetch, quirks: { output_limit_field: 'max_completion_tokens' } },
      ['chat', 'image'],
    ),
})
