// MiniMax: Hailuo and H3 films, pictures and speech. https://platform.minimax.io/docs/api-reference (2026-11-21)
import { z } from 'zod'
import { defineProvider } from '../../src/contract.ts'
import type { TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { FilmOptions, minimaxVideo } from './film.ts'
import { minimaxImage } from './picture.ts'
import { refusal } from './server.ts'
import { minimaxSpeech } from './speech.ts'

export default defineProvider({
  contract: 1,
  name: 'MiniMax',
  docs: 'https://platform.minimax.io/docs/guides/pricing-paygo',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://api.minimax.io') }),
  options: z.strictObject({ film: FilmOptions.optional() }).transform(({ film }) => (film ? { film } : {})),
  connect: ({ api_key, base_url }, { fetch }) => {
    const headers = () => ({ authorization: `Bearer ${api_key}` })
    const server: TaskServer = { provider: 'MiniMax', base_url, fetch, headers, refusal }
    return { image: minimaxImage(server), video: minimaxVideo(server), speech: minimaxSpeech(server) }
  },
})
