// Replicate in its own words (its Python client's recordings and its HTTP reference, 2026-11-21): predictions that start,
// run, end.
import { expect } from 'vitest'
import { LOGS, prediction } from '../../fixtures/replicate.ts'
import { wav } from '../../media/samples.ts'
import { describeMedia, type Reply, type Scene, type Vendor, type Work } from '../media_scenarios.ts'
import type { Seen } from '../stub.ts'
import { pricingDir, recording } from './mapped_entries.ts'

const TOKEN = 'r8_0123456789abcdef0123456789abcdef'
const VERSION = '8d6b1ea3d0c9a7fc2f1d4b7b4d6a2f0e9c8b7a6f5e4d3c2b1a0f9e8d7c6b5a4f'

const PRICING_DIR = pricingDir(
  'replicate',
  `
[models."acme/film-1"]
upstream = "acme/film-1"
operation = "video"
limits = { seconds = [5] }
[models."acme/film-1".options]
input = { prompt = "prompt", first_frame = "image", seed = "seed" }
output = { video = "output.video" }
usage = { compute_seconds = { from = "metrics.predict_time", most = 300 } }
[[models."acme/film-1".prices]]
from = 2026-09-01
rates = [ { meter = "compute_seconds", usd = "0.001525" } ]

[models."acme/voice-1"]
upstream = "acme/voice-1:${VERSION}"
operation = "speech"
[models."acme/voice-1".options]
input = { input = "text", voice = "speaker", format = "audio_format" }
output = { audio = "output", formats = ["wav"] }
[[models."acme/voice-1".prices]]
from = 2026-09-01
rates = [ { meter = "characters", usd = "0.03", per = 1_000 } ]

[models."openai/whisper-3"]
upstream = "openai/whisper:${VERSION}"
operation = "transcription"
[models."openai/whisper-3".options]
input = { audio = "audio", task = { to = "translate", values = { translate = true } } }
[models."openai/whisper-3".options.output]
text = "output.transcription"
language = "output.detected_language"
segments = { each = "output.segments[]", start = "start", end = "end", text = "text" }
[[models."openai/whisper-3".prices]]
from = 2026-09-01
rates = [ { meter = "audio_seconds", usd = "0.006", per = 60 } ]
`,
)

function outputOf(path: string, { file }: Scene): unknown {
  if (path.includes('flux')) return [file('picture')]
  if (path.includes('film')) return { video: file('film'), thumbnail: null }
  return undefined
}

function looked({ play, looks, ...scene }: Scene, output: unknown): object {
  const running = { status: 'processing', started_at: '2026-11-16T11:46:16.539Z', logs: LOGS }
  if (looks === 1) return prediction()
  if (looks < 3 || play === 'never ends') return prediction(running)
  const metrics = { predict_time: 3.21, total_time: 3.4 }
  const ended = { ...running, completed_at: '2026-11-16T11:46:20.000Z', metrics }
  if (play === 'fails')
    return prediction({ ...ended, status: 'failed', error: 'CUDA out of memory, see https://replicate.com/p/x' })
  if (play === 'refuses the content') {
    const error = 'The input or output was flagged as sensitive. Please try again with different inputs. (E005)'
    return prediction({ ...ended, status: 'failed', error })
  }
  return prediction({ ...ended, status: 'succeeded', output: output ?? scene.file('sound') })
}

function vendorOf(never: Vendor['never'], words?: unknown): Vendor {
  let asked = ''
  return {
    environment: (url) => ({ REPLICATE_API_TOKEN: TOKEN, REPLICATE_BASE_URL: `${url}/v1`, PRICING_DIR }),
    submits: ({ method, path }) => method === 'POST' && path.endsWith('/predictions'),
    cancels: ({ method, path }) => method === 'POST' && path.endsWith('/cancel'),
    reply(seen: Seen, scene: Scene): Reply | undefined {
      if (seen.headers.authorization !== `Bearer ${TOKEN}`) {
        const detail = 'You did not pass a valid authentication token'
        return { status: 401, json: { title: 'Unauthenticated', detail, status: 401 } }
      }
      const { method, path } = seen
      if (path.endsWith('/cancel')) return { json: prediction({ status: 'canceled' }) }
      if (method === 'GET') return { json: looked(scene, words ?? outputOf(asked, scene)) }
      asked = path
      if (scene.play === 'is out of credit') {
        const title = 'Insufficient credit'
        return { status: 402, json: { title, detail: 'You have insufficient credit to run this model.', status: 402 } }
      }
      if (scene.play === 'refuses the content at once') {
        const detail = '- input.prompt: Input flagged by the content moderation'
        return { status: 422, json: { title: 'Input validation failed', detail, status: 422 } }
      }
      return { status: 201, json: prediction() }
    },
    ...(never && { never }),
  }
}

describeMedia('replicate', vendorOf(undefined), [
  {
    what: 'a picture of an official model',
    path: '/v1/images/generations',
    body: { model: 'black-forest-labs/flux-dev', prompt: 'a heron', size: '1536x1024', output_format: 'jpeg' },
    sent: {
      path: '/v1/models/black-forest-labs/flux-dev/predictions',
      body: { input: { prompt: 'a heron', num_outputs: 1, aspect_ratio: '3:2', output_format: 'jpg' } },
      headers: { authorization: `Bearer ${TOKEN}` },
    },
    cost_usd: '0.025000000',
    media_type: 'image/jpeg',
  },
  {
    what: 'a film that is billed by its computing time',
    path: '/v1/videos',
    body: { model: 'acme/film-1', prompt: 'a night train', seconds: '5' },
    sent: { path: '/v1/models/acme/film-1/predictions', body: { input: { prompt: 'a night train' } } },
    cost_usd: '0.004895250',
    media_type: 'video/mp4',
  },
  {
    what: 'speech of a version',
    path: '/v1/audio/speech',
    body: { model: 'acme/voice-1', voice: 'ada', input: 'All aboard', response_format: 'wav' },
    sent: {
      path: '/v1/predictions',
      body: { input: { text: 'All aboard', speaker: 'ada', audio_format: 'wav' }, version: VERSION },
    },
    cost_usd: '0.000300000',
    media_type: 'audio/wav',
  },
])

const TRANSCRIPT = {
  transcription: ' All aboard.',
  detected_language: 'english',
  segments: [{ id: 0, start: 0, end: 0.5, text: ' All aboard.' }],
}

describeMedia('replicate, a transcript', vendorOf(['loses the file'], TRANSCRIPT), [
  {
    what: 'billed by the length of the recording',
    path: '/v1/audio/transcriptions',
    body: recording('openai/whisper-3', wav),
    sent: {
      path: '/v1/predictions',
      body: { input: { audio: expect.stringMatching(/^data:audio\/[\w-]+;base64,UklGR/) }, version: VERSION },
    },
    cost_usd: '0.000258000',
    media_type: 'application/json; charset=utf-8',
  },
] satisfies Work[])
