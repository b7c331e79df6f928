// Black Forest Labs in its own words (docs.bfl.ai, 2026-11-21).
import { expect, it } from 'vitest'
import blackForestLabs from '../../../providers/black-forest-labs.ts'
import { makeProviderFetch } from '../../../src/protocols/transport.ts'
import { describeMedia, type Reply, type Scene, type Vendor } from '../media_scenarios.ts'
import { json, type Seen, Stub } from '../stub.ts'

const SUBMITTED = (seen: Seen) => ({
  id: 'd5ba37dc',
  polling_url: `http://${seen.headers.host}/v1/get_result?id=d5ba37dc`,
  cost: 3,
  input_mp: 0,
  output_mp: 1,
})

function result({ play, looks, file }: Scene): object {
  const task = { id: 'd5ba37dc', result: null, progress: null, details: null }
  if (looks < 2 || play === 'never ends') return { ...task, status: 'Pending', progress: 0.25 }
  if (play === 'fails') return { ...task, status: 'Error' }
  if (play === 'refuses the content')
    return { ...task, status: 'Content Moderated', details: { 'Moderation Reasons': ['Derivative Works Filter'] } }
  return { ...task, status: 'Ready', result: { sample: file('picture'), seed: 42, prompt: 'a heron' } }
}

const vendor: Vendor = {
  environment: (url) => ({ BFL_API_KEY: 'bfl-key', BFL_BASE_URL: url }),
  submits: ({ method }) => method === 'POST',
  reply(seen, scene): Reply | undefined {
    if (seen.headers['x-key'] !== 'bfl-key') return { status: 403, json: { detail: 'Not authenticated' } }
    if (seen.method === 'GET') return { json: result(scene) }
    if (scene.play === 'refuses the content at once') return { status: 200, json: { ...SUBMITTED(seen), cost: 0 } }
    if (scene.play === 'is out of credit') return { status: 402, json: { detail: 'Insufficient credits' } }
    return { json: SUBMITTED(seen) }
  },
  // It accepts everything, and says what it thinks of it when it is asked.
  never: ['refuses the content at once'],
}

/** One submission, and one look at it, of a provider on loopback that names this address to look at. */
async function lookedAt(polling_url: string): Promise<{ asked: string[]; elsewhere: number }> {
  const [own, other] = [await new Stub().start(), await new Stub().start()]
  const fetch = makeProviderFetch({ provider: 'Black Forest Labs' })
  own.answer = json({ id: 'd5ba37dc', polling_url: polling_url.replace('elsewhere', other.url), status: 'Pending' })
  const { image } = blackForestLabs.connect({ api_key: 'bfl-key', base_url: own.url }, { fetch })
  const { signal } = new AbortController()
  const log = { debug: () => {}, warn: () => {} }
  const call = { job: 'job_1', upstream: 'flux-2-pro', options: {}, signal, log }
  const begun = await image?.start({ model: 'flux-2-pro', prompt: 'a heron', n: 1 }, call)
  if (begun?.status === 'pending') await image?.poll?.(begun.ref, call)
  const found = { asked: own.seen.map(({ path }) => path), elsewhere: other.seen.length }
  await Promise.all([own.stop(), other.stop(), fetch.close()])
  return found
}

it.each(['elsewhere/v1/get_result?id=1', 'https://api.bfl.ai.evil.test/?id=1', 'file:///etc/passwd', 'not an address'])(
  'takes its key to no other host: %s is not looked at',
  async (polling_url) => {
    const asked = ['/v1/flux-2-pro', '/v1/get_result?id=d5ba37dc']
    expect(await lookedAt(polling_url)).toEqual({ asked, elsewhere: 0 })
  },
)

describeMedia('black-forest-labs', vendor, [
  {
    what: 'a picture of FLUX.2',
    path: '/v1/images/generations',
    body: { model: 'black-forest-labs/flux-2-pro', prompt: 'a heron', size: '1920x1088' },
    sent: {
      path: '/v1/flux-2-pro',
      body: { prompt: 'a heron', width: 1920, height: 1088, output_format: 'png' },
    },
    // One picture and two megapixels, the second one begun.
    cost_usd: '0.045000000',
    media_type: 'image/png',
  },
])
