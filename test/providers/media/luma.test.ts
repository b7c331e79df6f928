// Luma in its own words (docs.agents.lumalabs.ai, 2026-11-21).
import { describeMedia, type Reply, type Scene, type Vendor } from '../media_scenarios.ts'
import type { Seen } from '../stub.ts'

function generation(seen: Seen, { play, looks, file }: Scene): object {
  const body = seen.body.length > 0 ? JSON.parse(seen.body.toString()) : {}
  const task = { id: 'gen_1', created_at: '2026-11-21T09:00:00Z', model: body.model ?? 'ray-3.2', output: null }
  if (looks === 0) return { ...task, state: 'queued' }
  if (looks < 2 || play === 'never ends') return { ...task, state: 'processing' }
  if (play === 'fails') return { ...task, state: 'failed', failure_code: 'generation_failed', failure_reason: 'x' }
  if (play === 'refuses the content')
    return { ...task, state: 'failed', failure_code: 'content_moderated', failure_reason: 'Content moderated' }
  return { ...task, state: 'completed', output: [{ type: 'video', url: file(kind) }] }
}
let kind: 'picture' | 'film' = 'film'

const vendor: Vendor = {
  environment: (url) => ({ LUMA_AGENTS_API_KEY: 'luma-key', LUMA_BASE_URL: `${url}/v1` }),
  submits: ({ method }) => method === 'POST',
  reply(seen, scene): Reply | undefined {
    if (seen.headers.authorization !== 'Bearer luma-key') return { status: 401, json: { detail: 'Unauthorized' } }
    if (!seen.path.startsWith('/v1/generations')) return undefined
    if (seen.method === 'POST' && scene.play === 'is out of credit')
      return { status: 402, json: { detail: 'Insufficient balance' } }
    if (seen.method === 'POST') kind = seen.body.toString().includes('"video":') ? 'film' : 'picture'
    return { status: seen.method === 'POST' ? 201 : 200, json: generation(seen, scene) }
  },
  // It accepts everything, and says what it thinks of it when it is asked.
  never: ['refuses the content at once'],
}

const data = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const frame = `data:image/png;base64,${data}`

describeMedia('luma', vendor, [
  {
    what: 'a film from its first picture',
    path: '/v1/videos',
    body: { model: 'luma/ray-3.2', prompt: 'a heron', seconds: '10', size: '960x540', input_reference: frame },
    sent: {
      path: '/v1/generations',
      body: {
        model: 'ray-3.2',
        type: 'video',
        prompt: 'a heron',
        aspect_ratio: '16:9',
        video: { resolution: '540p', duration: '10s', start_frame: { data, media_type: 'image/png' } },
      },
    },
    cost_usd: '0.450000000',
    media_type: 'video/mp4',
  },
  {
    what: 'a film that goes on where another ends',
    after: { path: '/v1/videos', body: { model: 'luma/ray-3.2', prompt: 'a heron', seconds: 5, resolution: '540p' } },
    path: '/v1/videos/{id}/extend',
    body: { prompt: 'it flies off' },
    sent: {
      path: '/v1/generations',
      body: {
        model: 'ray-3.2',
        type: 'video',
        prompt: 'it flies off',
        video: { resolution: '540p', duration: '5s', start_frame: { generation_id: 'gen_1' } },
      },
    },
    cost_usd: '0.150000000',
    media_type: 'video/mp4',
  },
  {
    what: 'a film made of another',
    after: { path: '/v1/videos', body: { model: 'luma/ray-3.2', prompt: 'a heron', seconds: 5 } },
    path: '/v1/videos/{id}/remix',
    body: { prompt: 'at night' },
    sent: {
      path: '/v1/generations',
      body: {
        model: 'ray-3.2',
        type: 'video_edit',
        prompt: 'at night',
        source: { generation_id: 'gen_1' },
        video: { resolution: '720p', duration: '5s' },
      },
    },
    cost_usd: '1.080000000',
    media_type: 'video/mp4',
  },
  {
    what: 'a picture made of two others',
    path: '/v1/images/edits',
    body: { model: 'luma/uni-1', prompt: 'at night', images: [frame, frame], aspect_ratio: '3:2' },
    sent: {
      path: '/v1/generations',
      body: {
        model: 'uni-1',
        type: 'image_edit',
        prompt: 'at night',
        aspect_ratio: '3:2',
        output_format: 'png',
        source: { data, media_type: 'image/png' },
        image_ref: [{ data, media_type: 'image/png' }],
      },
    },
    cost_usd: '0.046400000',
    media_type: 'image/png',
  },
])
