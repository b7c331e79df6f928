// A server of one's own that speaks OpenAI's API (vLLM, LM Studio, llama.cpp); on when LOCAL_BASE_URL is set.
// https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { openaiCompatible } from '../src/protocols/openai-compatible.ts'

export default defineProvider({
  contract: 1,
  name: 'Local server',
  docs: 'https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html',
  settings: z.object({ base_url: z.url(), api_key: z.string().optional() }),
  connect: ({ base_url, api_key }, { fetch }) =>
    openaiCompatible(
      {
        provider: 'The local server',
        base_url,
        api_key,
        fetch,
        // A server within the operator's network fetches nothing that a caller names.
        quirks: { output_limit_field: 'max_tokens', top_k: true, data_only: true, completions: true },
      },
      ['chat', 'image', 'speech', 'transcription', 'embedding'],
    ),
})
