// Fireworks AI: open models. https://docs.fireworks.ai/api-reference (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { openaiCompatible } from '../src/protocols/openai-compatible.ts'

export default defineProvider({
  contract: 1,
  name: 'Fireworks AI',
  docs: 'https://fireworks.ai/pricing',
  settings: z.object({
    api_key: z.string().min(1),
    base_url: z.url().default('https://api.fireworks.ai/inference/v1'),
  }),
  connect: ({ api_key, base_url }, { fetch }) =>
    openaiCompatible(
      {
        provider: 'Fireworks AI',
        base_url,
        api_key,
        fetch,
        quirks: { output_limit_field: 'max_tokens', top_k: true, completions: true },
      },
      ['chat', 'embedding'],
    ),
})
