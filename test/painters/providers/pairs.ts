// A painter for tests: two pictures a call, masks in white, sizes alone.
import { z } from 'zod'
import { defineProvider } from '../../../src/contract.ts'
import { painter } from '../painter.ts'

export default defineProvider({
  contract: 1,
  name: 'Pairs',
  docs: 'test/painters',
  settings: z.object({ base_url: z.url() }),
  options: z.object({ most: z.number().default(10) }),
  connect: ({ base_url }, { fetch }) => ({ image: painter({ base_url, fetch }, { mask: 'white' }) }),
})
