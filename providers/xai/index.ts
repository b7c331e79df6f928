// xAI: the Grok models, and Grok Imagine's pictures and films. https://docs.x.ai/docs/api-reference (2026-11-21)
import { z } from 'zod'
import { defineProvider, type PricedEntry } from '../../src/contract.ts'
import type { TaskServer } from '../../src/protocols/media-tasks/client.ts'
import { openaiCompatible } from '../../src/protocols/openai-compatible.ts'
import { xaiImage } from './image.ts'
import { refusal } from './refusal.ts'
import { xaiVideo } from './video.ts'

const NAMES = z.array(z.string()).catch([])

/** No options of one's own: what pictures and films must know is in the entry's limits, and in what has a price. */
const options = ({ limits, meters }: PricedEntry) =>
  z.strictObject({}).transform(() => ({
    input_images: meters.includes('input_images'),
    qualities: NAMES.parse(limits.quality),
    resolutions: NAMES.parse(limits.resolution),
  }))

export default defineProvider({
  contract: 1,
  name: 'xAI',
  docs: 'https://docs.x.ai/docs/models',
  settings: z.object({ api_key: z.string().min(1), base_url: z.url().default('https://api.x.ai/v1') }),
  options,
  connect: ({ api_key, base_url }, { fetch }) => {
    const provider = 'xAI'
    const quirks = { output_limit_field: 'max_completion_tokens' as const }
    const headers = () => ({ authorization: `Bearer ${api_key}` })
    const tasks: TaskServer = { provider, base_url, fetch, headers, refusal }
    const { chat } = openaiCompatible({ provider, base_url, api_key, fetch, quirks }, ['chat'])
    return { ...(chat && { chat }), image: xaiImage(tasks), video: xaiVideo(tasks) }
  },
})
