// xAI in its own words (docs.x.ai and the shapes that vercel/ai reads, 2026).
import { PNG } from '../../fixtures/openai-compatible.ts'
import { describeMedia, type Reply, type Scene, type Vendor } from '../media_scenarios.ts'
import type { Seen } from '../stub.ts'

const environment = (url: string) => ({ XAI_API_KEY: 'xai-key', XAI_BASE_URL: `${url}/v1` })
const told = (status: number, code: string, error: string): Reply => ({ status, json: { code, error } })

function refusals({ headers }: Seen, { play }: Scene): Reply | undefined {
  if (headers.authorization !== 'Bearer xai-key')
    return told(400, 'Client specified an invalid argument', 'Incorrect API key provided: xa***ey.')
  if (play === 'is out of credit')
    return told(403, 'The caller does not have permission', 'Your team has used all available credits.')
  if (play === 'refuses the content at once')
    return told(400, 'Client specified an invalid argument', 'Input rejected by content moderation.')
  return undefined
}

const pictures: Vendor = {
  environment,
  submits: ({ method }) => method === 'POST',
  reply(seen, scene): Reply {
    const { play, file } = scene
    if (play === 'fails') return told(500, 'Internal error', 'It broke.')
    if (play === 'refuses the content') return { json: { data: [{ url: '', respect_moderation: false }] } }
    const image = play === 'loses the file' ? { url: file('picture') } : { b64_json: PNG, mime_type: 'image/png' }
    const usage = { cost_in_usd_ticks: 200_000_000 }
    return refusals(seen, scene) ?? { json: { data: [{ ...image, revised_prompt: '' }], usage } }
  },
}
describeMedia('xai’s pictures', pictures, [
  {
    what: 'a picture of Grok Imagine',
    path: '/v1/images/generations',
    body: { model: 'xai/grok-imagine-image', prompt: 'a heron', size: '1536x1024' },
    sent: {
      path: '/v1/images/generations',
      body: {
        model: 'grok-imagine-image',
        prompt: 'a heron',
        n: 1,
        aspect_ratio: '3:2',
        resolution: '1k',
        response_format: 'b64_json',
      },
      headers: { authorization: 'Bearer xai-key' },
    },
    cost_usd: '0.020000000',
    media_type: 'image/png',
    at_once: true,
  },
])

function task({ play, looks, file }: Scene): object {
  if (looks < 2 || play === 'never ends') return { status: 'pending', progress: 40 }
  if (play === 'fails') return { status: 'failed', error: { code: 'internal_error', message: 'It broke.' } }
  const model = 'grok-imagine-video'
  if (play === 'refuses the content')
    return { status: 'done', video: { url: '', duration: 6, respect_moderation: false }, model }
  const video = { url: file('film'), duration: 6, respect_moderation: true }
  return { status: 'done', video, model, usage: { cost_in_usd_ticks: 4_220_000_000 } }
}
const films: Vendor = {
  environment,
  submits: ({ method }) => method === 'POST',
  reply(seen, scene): Reply {
    const refused = refusals(seen, scene)
    if (refused) return refused
    return seen.method === 'POST'
      ? { json: { request_id: '4b2cd27e' } }
      : { status: scene.looks < 2 ? 202 : 200, json: task(scene) }
  },
}
describeMedia('xai’s films', films, [
  {
    what: 'a film of Grok Imagine, from a picture',
    path: '/v1/videos',
    body: {
      model: 'xai/grok-imagine-video',
      prompt: 'it wakes',
      seconds: 6,
      size: '1280x720',
      input_reference: { image_url: `data:image/png;base64,${PNG}` },
    },
    sent: {
      path: '/v1/videos/generations',
      body: {
        model: 'grok-imagine-video',
        prompt: 'it wakes',
        duration: 6,
        aspect_ratio: '16:9',
        resolution: '720p',
        image: { url: `data:image/png;base64,${PNG}` },
      },
    },
    // Six seconds at 0.07 and one picture.
    cost_usd: '0.422000000',
    media_type: 'video/mp4',
  },
])
