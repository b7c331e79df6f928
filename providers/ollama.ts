// Ollama: models on a machine of one's own; on when OLLAMA_BASE_URL is set (http://localhost:11434/v1).
// https://docs.ollama.com/api/openai-compatibility (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { openaiCompatible } from '../src/protocols/openai-compatible.ts'

export default defineProvider({
  contract: 1,
  name: 'Ollama',
  docs: 'https://docs.ollama.com/api/openai-compatibility',
  settings: z.object({ base_url: z.url(), api_key: z.string().optional() }),
  connect: ({ base_url, api_key }, { fetch }) =>
    openaiCompatible(
      // Pictures in base64 alone (its page on OpenAI's format, 2026-11).
      {
        provider: 'Ollama',
        base_url,
        api_key,
        fetch,
        quirks: { output_limit_field: 'max_tokens', data_only: true, completions: true },
      },
      ['chat', 'embedding'],
    ),
})
