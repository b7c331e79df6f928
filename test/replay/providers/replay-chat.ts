// A server that speaks OpenAI's chat format and nothing else, for recordings of servers that have no adapter of their own.
import { z } from 'zod'
import { defineProvider } from '../../../src/contract.ts'
import { openaiCompatible } from '../../../src/protocols/openai-compatible.ts'

export default defineProvider({
  contract: 1,
  name: 'Recorded chat',
  docs: 'test/replay',
  settings: z.object({ base_url: z.url() }),
  connect: ({ base_url }, { fetch }) =>
    openaiCompatible({ provider: 'Recorded', base_url, fetch, quirks: { developer_role: true, top_k: true } }),
})
