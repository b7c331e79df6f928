// Runway in its own words (@runwayml/sdk 4.20.1, docs.dev.runwayml.com, 2026-11-21).
import { describeMedia, type Reply, type Scene, type Vendor } from '../media_scenarios.ts'

let kind: 'picture' | 'film' = 'film'

function task({ play, looks, file }: Scene): object {
  const common = { id: '17f20503-6c24-4c16-946b-35dbbce2af2f', createdAt: '2026-11-21T09:00:00.000Z' }
  const waiting = { ...common, estimatedCost: { credits: 60 } }
  if (looks === 1) return { ...waiting, status: 'THROTTLED' }
  if (looks === 2 || play === 'never ends') return { ...waiting, status: 'RUNNING', progress: 0.5 }
  const cost = { credits: 0 }
  if (play === 'fails')
    return { ...common, cost, status: 'FAILED', failure: 'An error', failureCode: 'INTERNAL.BAD_OUTPUT.CODE01' }
  if (play === 'refuses the content')
    return { ...common, cost, status: 'FAILED', failure: 'Moderated', failureCode: 'SAFETY.INPUT.TEXT' }
  return { ...common, cost: { credits: 60 }, status: 'SUCCEEDED', output: [file(kind)] }
}

const vendor: Vendor = {
  environment: (url) => ({ RUNWAYML_API_SECRET: 'key_runway', RUNWAYML_BASE_URL: url }),
  submits: ({ method }) => method === 'POST',
  cancels: ({ method, path }) => method === 'DELETE' && path === '/v1/tasks/17f20503-6c24-4c16-946b-35dbbce2af2f',
  reply(seen, scene): Reply | undefined {
    if (seen.headers.authorization !== 'Bearer key_runway') return { status: 401, json: { error: 'Unauthorized' } }
    if (seen.headers['x-runway-version'] !== '2024-11-06') return { status: 400, json: { error: 'No version.' } }
    if (seen.method === 'DELETE') return { status: 204 }
    if (seen.method === 'GET') return { json: task(scene) }
    kind = seen.path === '/v1/text_to_image' ? 'picture' : 'film'
    if (scene.play === 'is out of credit')
      return { status: 400, json: { error: 'You do not have enough credits to run this task.' } }
    return { json: { id: '17f20503-6c24-4c16-946b-35dbbce2af2f', estimatedCost: { credits: 60 } } }
  },
  // It accepts every prompt, and says what it thinks of it when it is asked.
  never: ['refuses the content at once'],
}

const frame =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

describeMedia('runway', vendor, [
  {
    what: 'a film from words',
    path: '/v1/videos',
    body: { model: 'runway/gen-4.5', prompt: 'a heron', seconds: 5, aspect_ratio: '9:16', seed: 7 },
    sent: {
      path: '/v1/text_to_video',
      body: { model: 'gen4.5', promptText: 'a heron', ratio: '720:1280', duration: 5, seed: 7 },
    },
    cost_usd: '0.600000000',
    media_type: 'video/mp4',
  },
  {
    what: 'a silent film from its first picture',
    path: '/v1/videos',
    body: {
      model: 'runway:google/veo-3.1-fast',
      prompt: 'a heron',
      seconds: 4,
      resolution: '1080p',
      audio: false,
      input_reference: frame,
    },
    sent: {
      path: '/v1/image_to_video',
      body: {
        model: 'veo3.1_fast',
        promptText: 'a heron',
        ratio: '1920:1080',
        duration: 4,
        promptImage: frame,
        audio: false,
      },
    },
    cost_usd: '0.400000000',
    media_type: 'video/mp4',
  },
  {
    what: 'a picture that looks at another',
    path: '/v1/images/edits',
    body: { model: 'runway/gen-4-image', prompt: 'at night', image: frame, size: '1280x720' },
    sent: {
      path: '/v1/text_to_image',
      body: { model: 'gen4_image', promptText: 'at night', ratio: '1280:720', referenceImages: [{ uri: frame }] },
    },
    cost_usd: '0.050000000',
    media_type: 'image/png',
  },
])
