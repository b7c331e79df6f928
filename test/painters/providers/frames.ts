// A painter for tests: ratios and resolutions instead of sizes, masks as OpenAI's.
import { z } from 'zod'
import { defineProvider } from '../../../src/contract.ts'
import { painter } from '../painter.ts'

export default defineProvider({
  contract: 1,
  name: 'Frames',
  docs: 'test/painters',
  settings: z.object({ base_url: z.url() }),
  options: z.object({ most: z.number().default(10) }),
  connect: ({ base_url }, { fetch }) => ({
    image: painter({ base_url, fetch }, { takes: ['aspect_ratio', 'resolution', 'negative_prompt', 'seed'] }),
  }),
})
