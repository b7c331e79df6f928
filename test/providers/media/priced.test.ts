// Every model of Google's, xAI's, ElevenLabs' and Deepgram's that has a price and makes pictures, films or sound: the least that
// one can ask of it has an estimate, and the page about them names it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Caller, Site } from '../../flow/site.ts'

const REQUESTS: Record<string, object> = {
  image: { prompt: 'a heron', n: 2 },
  video: { prompt: 'a train' },
  speech: { input: 'All clear.', voice: 'alloy' },
  transcription: { seconds: 12.5 },
}
const PROVIDERS = ['google', 'vertex', 'xai', 'elevenlabs', 'deepgram']
const page = readFileSync(join(import.meta.dirname, '../../../docs/media-providers.md'), 'utf8')

let site: Site
let caller: Caller
beforeAll(async () => {
  site = await Site.open({
    environment: {
      GEMINI_API_KEY: 'key',
      VERTEX_PROJECT: 'acme',
      VERTEX_ACCESS_TOKEN: 'token',
      XAI_API_KEY: 'key',
      ELEVENLABS_API_KEY: 'key',
      DEEPGRAM_API_KEY: 'key',
    },
  })
  caller = await site.caller('1')
})
afterAll(() => site.close())

it('has an estimate for the least that one can ask of each', async () => {
  const offers = [...site.services.registry().offers.values()].flat()
  const media = offers.filter(({ provider, operation }) => PROVIDERS.includes(provider) && REQUESTS[operation])
  expect(media.length).toBeGreaterThan(25)
  for (const { model, provider, operation } of media) {
    const voice = model === 'elevenlabs/sound-effects' ? { voice: 'none' } : {}
    const body = { model: `${provider}:${model}`, operation, ...REQUESTS[operation], ...voice }
    const estimate = await caller.send('/v1/estimate', body)
    expect([model, estimate.status, estimate.json.error?.message]).toEqual([model, 200, undefined])
    expect(Number(estimate.json.hold_usd), model).toBeGreaterThan(0)
    expect(Number(estimate.json.hold_usd), model).toBeLessThan(5)
    const name = model.split('/')[1] ?? ''
    expect([name, page.includes(name) || shortened(name)]).toEqual([name, true])
  }
})

/** `-2.5-flash` after `google/gemini-3-pro`: the page names families once. */
const shortened = (name: string) =>
  page.includes(`\`-${name.replace(/^(?:gemini-omni|gemini|imagen|veo|grok-imagine)-/, '')}\``)
