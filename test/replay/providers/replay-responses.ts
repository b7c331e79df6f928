// A server that speaks the Responses API and nothing else: callers of every other format are translated for it.
import { z } from 'zod'
import { defineProvider } from '../../../src/contract.ts'
import { openaiResponses } from '../../../src/protocols/openai-responses/provider.ts'

export default defineProvider({
  contract: 1,
  name: 'Recorded responses',
  docs: 'test/replay',
  settings: z.object({ base_url: z.url() }),
  connect: ({ base_url }, { fetch }) => ({ chat: [openaiResponses({ provider: 'Recorded', base_url, fetch })] }),
})
