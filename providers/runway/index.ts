// Runway: films and pictures over its API, submitted, polled and canceled. Shapes from @runwayml/sdk 4.20.1 (2026-09-23) and
// https://docs.dev.runwayml.com (2026-11-21). Its SDK is not used: it waits and retries by itself, and adds nothing else.
import { z } from 'zod'
import { defineProvider } from '../../src/contract.ts'
import type { TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { runwayVideo } from './film.ts'
import { Options } from './model.ts'
import { runwayImage } from './picture.ts'
import { refusal } from './tasks.ts'

const VERSION = '2024-11-06'

export default defineProvider({
  contract: 1,
  name: 'Runway',
  docs: 'https://docs.dev.runwayml.com/guides/pricing/',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://api.dev.runwayml.com') }),
  environment: { api_key: 'RUNWAYML_API_SECRET', base_url: 'RUNWAYML_BASE_URL' },
  options: Options,
  connect: ({ api_key, base_url }, { fetch }) => {
    const headers = () => ({ authorization: `Bearer ${api_key}`, 'x-runway-version': VERSION })
    const server: TaskServer = { provider: 'Runway', base_url, fetch, headers, refusal }
    return { image: runwayImage(server), video: runwayVideo(server) }
  },
})
