// OpenRouter: many vendors' models behind one account. https://openrouter.ai/docs/api-reference (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { openaiCompatible } from '../src/protocols/openai-compatible.ts'

export default defineProvider({
  contract: 1,
  name: 'OpenRouter',
  docs: 'https://openrouter.ai/models',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://openrouter.ai/api/v1') }),
  connect: ({ api_key, base_url }, { fetch }) =>
    openaiCompatible(
      {
        provider: 'OpenRouter',
        base_url,
        api_key,
        fetch,
        quirks: { output_limit_field: 'max_tokens', top_k: true, completions: true },
      },
      ['chat', 'embedding'],
    ),
})
