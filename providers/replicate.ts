// Replicate: any public model or version, run as a prediction. Which inputs a model has stands in its price entry.
// https://replicate.com/docs/reference/http (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../src/contract.ts'
import { mappedGenerators } from '../src/protocols/input-map/generator.ts'
import { mapOptions } from '../src/protocols/input-map/options.ts'
import { replicateQueue } from '../src/protocols/replicate/predictions.ts'
import { isWebhookSecret } from '../src/protocols/standard_webhooks.ts'

export default defineProvider({
  contract: 1,
  name: 'Replicate',
  docs: 'https://replicate.com/pricing',
  settings: z.object({
    api_token: z.string().min(1),
    base_url: z.url().default('https://api.replicate.com/v1'),
    // Of GET /v1/webhooks/default/secret. Without it the ends of predictions are found by polling alone.
    webhook_secret: z.string().refine(isWebhookSecret, 'must be the whole secret, which begins with whsec_').optional(),
  }),
  options: mapOptions,
  connect: (settings, { fetch }) => mappedGenerators(replicateQueue({ ...settings, fetch })),
})
