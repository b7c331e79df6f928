// Kling in its own words (kling.ai/document-api, 2026-11-21).
import { createHmac } from 'node:crypto'
import { expect } from 'vitest'
import { describeMedia, type Reply, type Scene, type Vendor } from '../media_scenarios.ts'
import type { Seen } from '../stub.ts'

const said = (data: object) => ({ code: 0, message: 'SUCCEED', request_id: 'req_1', data })

function task({ play, looks, file }: Scene, path: string): object {
  const common = { task_id: '8241', task_info: {}, created_at: 1795000000000, updated_at: 1795000001000 }
  if (looks === 0) return { ...common, task_status: 'submitted' }
  if (looks < 2 || play === 'never ends') return { ...common, task_status: 'processing' }
  if (play === 'fails') return { ...common, task_status: 'failed', task_status_msg: 'Service busy' }
  if (play === 'refuses the content')
    return { ...common, task_status: 'failed', task_status_msg: 'Failure to pass the risk control system' }
  const done = { ...common, task_status: 'succeed', task_status_msg: '' }
  if (path.startsWith('/v1/images')) return { ...done, task_result: { images: [{ index: 0, url: file('picture') }] } }
  return { ...done, task_result: { videos: [{ id: 'v1', url: file('film'), duration: '5.0' }] } }
}

/** The token is that of the two keys, and holds now. */
function holds({ headers }: Seen): boolean {
  const [, head = '', claims = '', signature = ''] = /^Bearer (.+)\.(.+)\.(.+)$/.exec(headers.authorization ?? '') ?? []
  const { iss, exp, nbf } = JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}')
  const now_s = Date.now() / 1000
  const signed = createHmac('sha256', 'secret').update(`${head}.${claims}`).digest('base64url')
  return signed === signature && iss === 'access' && exp > now_s && nbf < now_s
}

const vendor: Vendor = {
  environment: (url) => ({ KLING_ACCESS_KEY: 'access', KLING_SECRET_KEY: 'secret', KLING_BASE_URL: url }),
  submits: ({ method }) => method === 'POST',
  reply(seen, scene): Reply | undefined {
    if (!holds(seen)) return { status: 401, json: { code: 1000, message: 'signature is invalid', request_id: 'r' } }
    if (seen.method === 'POST' && scene.play === 'refuses the content at once')
      return { status: 400, json: { code: 1301, message: 'Trigger content policy', request_id: 'r' } }
    if (seen.method === 'POST' && scene.play === 'is out of credit')
      return { status: 429, json: { code: 1102, message: 'Account balance not enough', request_id: 'r' } }
    return { json: said(task(scene, seen.path)) }
  },
}

const data = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const frame = `data:image/png;base64,${data}`
const external_task_id: unknown = expect.stringMatching(/^job_/)

describeMedia('kling', vendor, [
  {
    what: 'a film with sound from words',
    path: '/v1/videos',
    body: { model: 'kling/kling-3.0', prompt: 'a heron', seconds: 5, size: '1080x1920', audio: true },
    sent: {
      path: '/v1/videos/text2video',
      body: {
        model_name: 'kling-v3',
        prompt: 'a heron',
        mode: 'pro',
        duration: '5',
        sound: 'on',
        aspect_ratio: '9:16',
        external_task_id,
      },
    },
    cost_usd: '0.840000000',
    media_type: 'video/mp4',
  },
  {
    what: 'a film from its first picture',
    path: '/v1/videos',
    body: { model: 'kling/kling-2.5-turbo', prompt: 'a heron', seconds: 5, input_reference: frame },
    sent: {
      path: '/v1/videos/image2video',
      body: {
        model_name: 'kling-v2-5-turbo',
        prompt: 'a heron',
        mode: 'std',
        duration: '5',
        image: data,
        external_task_id,
      },
    },
    cost_usd: '0.210000000',
    media_type: 'video/mp4',
  },
  {
    what: 'a picture made of another',
    path: '/v1/images/edits',
    body: { model: 'kling/kling-image-2.1', prompt: 'at night', image: frame, aspect_ratio: '3:2', resolution: '2K' },
    sent: {
      path: '/v1/images/generations',
      body: {
        model_name: 'kling-v2-1',
        prompt: 'at night',
        n: 1,
        resolution: '2k',
        aspect_ratio: '3:2',
        image: data,
        external_task_id,
      },
    },
    cost_usd: '0.028000000',
    media_type: 'image/png',
  },
])
