// A provider for tests that calls back by Standard Webhooks; asked by itself it says that nothing has changed for a minute.
import { z } from 'zod'
import { defineProvider, done, type Progress, pending, type SpeechOutput } from '../../../src/contract.ts'
import { verifyWebhook } from '../../../src/protocols/standard_webhooks.ts'

interface Told {
  audio?: string
}

export default defineProvider({
  contract: 1,
  name: 'Herald',
  docs: 'test/callers-back',
  settings: z.object({ base_url: z.url(), secret: z.string() }),
  connect: ({ base_url, secret }, { fetch }) => {
    const ask = async (path: string, body: object): Promise<Progress<SpeechOutput>> => {
      const answer = await fetch(base_url + path, { method: 'POST', body: JSON.stringify(body) })
      const { audio } = (await answer.json()) as Told
      if (audio === undefined) return pending('ref', 10, 60_000)
      const data = Buffer.from(audio, 'base64')
      const usage = { meters: { characters: 5, requests: 1 }, source: 'reported' as const }
      return done({ audio: { type: 'bytes', data, media_type: 'audio/wav' } }, usage)
    }
    return {
      speech: {
        start: (_request, { job, webhook_url = null }) => ask('/start', { job, webhook_url }),
        poll: (_ref, { job }) => ask('/poll', { job }),
        webhook: async (delivery) => verifyWebhook([secret], delivery),
      },
    }
  },
})
