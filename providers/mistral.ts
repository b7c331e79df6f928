// Mistral: its own models. It refuses fields it does not know, stream_options and max_completion_tokens among them.
// https://docs.mistral.ai/api (2026-11-21); https://github.com/openai/openai-agents-python/issues/442
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { openaiCompatible } from '../src/protocols/openai-compatible.ts'

export default defineProvider({
  contract: 1,
  name: 'Mistral',
  docs: 'https://mistral.ai/pricing',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://api.mistral.ai/v1') }),
  connect: ({ api_key, base_url }, { fetch }) =>
    openaiCompatible(
      {
        provider: 'Mistral',
        base_url,
        api_key,
        fetch,
        quirks: { output_limit_field: 'max_tokens', stream_options: false },
      },
      ['chat', 'transcription', 'embedding', 'moderation'],
    ),
})
