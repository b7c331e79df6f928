// Together AI: open models. https://docs.together.ai/reference (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { openaiCompatible } from '../src/protocols/openai-compatible.ts'

export default defineProvider({
  contract: 1,
  name: 'Together AI',
  docs: 'https://www.together.ai/pricing',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://api.together.xyz/v1') }),
  connect: ({ api_key, base_url }, { fetch }) =>
    openaiCompatible(
      {
        provider: 'Together AI',
        base_url,
        api_key,
        fetch,
        quirks: { output_limit_field: 'max_tokens', top_k: true, completions: true },
      },
      ['chat', 'image', 'speech', 'transcription', 'embedding'],
    ),
})
