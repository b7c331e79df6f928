// fal: any of its endpoints, through its queue. Which inputs a model has stands in its price entry.
// https://docs.fal.ai/model-apis/model-endpoints/queue (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { falQueue } from '../src/protocols/fal/queue.ts'
import { mappedGenerators } from '../src/protocols/input-map/generator.ts'
import { mapOptions } from '../src/protocols/input-map/options.ts'

export default defineProvider({
  contract: 1,
  name: 'fal',
  docs: 'https://fal.ai/pricing',
  settings: z.object({
    api_key: z.string().min(1),
    base_url: z.url().default('https://queue.fal.run'),
  }),
  environment: { api_key: 'FAL_KEY' },
  options: mapOptions,
  connect: ({ api_key, base_url }, { fetch }) => mappedGenerators(falQueue({ api_key, base_url, fetch })),
})
