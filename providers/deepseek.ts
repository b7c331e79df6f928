// DeepSeek: its own models. Thinking models want their earlier thoughts back. https://api-docs.deepseek.com (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { openaiCompatible } from '../src/protocols/openai-compatible.ts'

export default defineProvider({
  contract: 1,
  name: 'DeepSeek',
  docs: 'https://api-docs.deepseek.com/quick_start/pricing',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://api.deepseek.com/v1') }),
  connect: ({ api_key, base_url }, { fetch }) =>
    openaiCompatible({
      provider: 'DeepSeek',
      base_url,
      api_key,
      fetch,
      quirks: { output_limit_field: 'max_tokens', reasoning_content: true },
    }),
})
