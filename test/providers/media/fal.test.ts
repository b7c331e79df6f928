// fal in its own words (docs.fal.ai, 2026-11-21): everything is accepted, COMPLETED says only that it ended, and the result
// tells how.
import { expect } from 'vitest'
import { submitted } from '../../fixtures/fal.ts'
import { wav } from '../../media/samples.ts'
import { describeMedia, type Reply, type Scene, type Vendor, type Work } from '../media_scenarios.ts'
import type { Seen } from '../stub.ts'
import { pricingDir, recording } from './mapped_entries.ts'

const KEY = '11112222-3333-4444-5555-666677778888:0123456789abcdef'

const PRICING_DIR = pricingDir(
  'fal',
  `
[models."openai/whisper-3"]
upstream = "fal-ai/whisper"
operation = "transcription"
[models."openai/whisper-3".options]
set = { chunk_level = "segment" }
[models."openai/whisper-3".options.input]
audio = "audio_url"
language = "language"
task = "task"
[models."openai/whisper-3".options.output]
text = "output.text"
language = "output.inferred_languages[0]"
segments = { each = "output.chunks[]", start = "timestamp[0]", end = "timestamp[1]", text = "text" }
[models."openai/whisper-3".options.usage]
compute_seconds = { from = "metrics.inference_time", most = 120 }
[[models."openai/whisper-3".prices]]
from = 2026-09-01
rates = [ { meter = "compute_seconds", usd = "0.001" } ]
`,
)

function result(app: string, { play, file }: Scene): Reply {
  const item = { loc: ['body', 'prompt'], input: { prompt: '…' } }
  if (play === 'refuses the content')
    return {
      status: 422,
      json: { detail: [{ ...item, type: 'content_policy_violation', msg: 'The content could not be processed.' }] },
    }
  if (play === 'fails')
    return { status: 500, json: { detail: [{ ...item, type: 'internal_server_error', msg: 'Internal server error' }] } }
  const media = (kind: 'picture' | 'film' | 'sound') => ({ url: file(kind), file_name: kind, file_size: 4_404_019 })
  if (app.includes('kokoro')) return { json: { audio: { ...media('sound'), content_type: 'audio/wav' } } }
  if (app.includes('whisper'))
    return {
      json: {
        text: ' All aboard.',
        chunks: [{ timestamp: [0, 1.5], text: ' All aboard.' }],
        inferred_languages: ['en'],
      },
    }
  if (app.includes('wan-25'))
    return { json: { video: { ...media('film'), content_type: 'video/mp4' }, seed: 175932751 } }
  const image = { ...media('picture'), content_type: 'image/png', width: 64, height: 48 }
  return { json: { images: [image], timings: { inference: 0.3 }, seed: 1, has_nsfw_concepts: [false], prompt: '…' } }
}

const vendor: Vendor = {
  environment: (url) => ({ FAL_KEY: KEY, FAL_BASE_URL: url, PRICING_DIR }),
  submits: ({ method }) => method === 'POST',
  cancels: ({ method, path }) => method === 'PUT' && path.endsWith('/cancel'),
  reply(seen: Seen, scene: Scene): Reply | undefined {
    if (seen.headers.authorization !== `Key ${KEY}`)
      return { status: 401, json: { detail: 'Cannot access application. Authentication is required.' } }
    const { method, path } = seen
    if (method === 'PUT') return { status: 202, json: { status: 'CANCELLATION_REQUESTED' } }
    if (method === 'POST' && scene.play === 'is out of credit') {
      const detail = 'User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing.'
      return { status: 403, json: { detail } }
    }
    if (method === 'POST') return { json: submitted(path.slice(1).split('/').slice(0, 2).join('/')) }
    const [, app = '', rest] = /^\/([\w.-]+\/[\w.-]+)\/requests\/[\w-]+(\/status\?logs=0)?$/.exec(path) ?? []
    if (app === '') return undefined
    if (rest === undefined) return result(app, scene)
    if (scene.looks < 2 || scene.play === 'never ends')
      return { status: 202, json: { status: 'IN_PROGRESS', request_id: 'x', logs: null } }
    return { json: { status: 'COMPLETED', request_id: 'x', logs: null, metrics: { inference_time: 2.5 } } }
  },
  // It accepts everything, and says what it thinks of it when it is asked.
  never: ['refuses the content at once'],
}

const film = { model: 'alibaba/wan-2.5', prompt: 'a night train', seconds: '5' }

describeMedia('fal', vendor, [
  {
    what: 'a picture that is billed by the megapixel',
    path: '/v1/images/generations',
    body: { model: 'qwen/qwen-image', prompt: 'a heron', size: '1024x768', output_format: 'png' },
    sent: {
      path: '/fal-ai/qwen-image',
      body: { prompt: 'a heron', num_images: 1, image_size: { width: 1024, height: 768 }, output_format: 'png' },
      headers: { authorization: `Key ${KEY}` },
    },
    cost_usd: '0.015728640',
    media_type: 'image/png',
  },
  {
    what: 'a film, whose size is its ratio and resolution',
    path: '/v1/videos',
    body: { ...film, size: '854x480' },
    sent: {
      path: '/fal-ai/wan-25-preview/text-to-video',
      body: { prompt: 'a night train', duration: '5', resolution: '480p', aspect_ratio: '16:9' },
    },
    cost_usd: '0.250000000',
    media_type: 'video/mp4',
  },
  {
    what: 'speech, made into the format that was asked for',
    path: '/v1/audio/speech',
    body: { model: 'hexgrad/kokoro-82m', voice: 'af_nova', input: 'All aboard', response_format: 'mp3', speed: 1.5 },
    sent: {
      path: '/fal-ai/kokoro/american-english',
      body: { prompt: 'All aboard', voice: 'af_nova', speed: 1.5 },
    },
    cost_usd: '0.000200000',
    media_type: 'audio/mpeg',
  },
])

describeMedia('fal, a transcript', { ...vendor, never: ['refuses the content at once', 'loses the file'] }, [
  {
    what: 'billed by the computing time that fal tells',
    path: '/v1/audio/transcriptions',
    body: recording('openai/whisper-3', wav),
    sent: {
      path: '/fal-ai/whisper',
      body: { audio_url: expect.stringMatching(/^data:audio\/[\w-]+;base64,UklGR/), chunk_level: 'segment' },
    },
    cost_usd: '0.002500000',
    media_type: 'application/json; charset=utf-8',
  },
] satisfies Work[])
