// MiniMax in its own words (platform.minimax.io/docs/api-reference, 2026-11-21).
import { describeMedia, type Reply, type Scene, type Vendor, type Work } from '../media_scenarios.ts'
import type { Seen } from '../stub.ts'

const said = (more: object) => ({ ...more, base_resp: { status_code: 0, status_msg: 'success' } })
const refused = (status_code: number, status_msg: string) => ({ json: { base_resp: { status_code, status_msg } } })

/** The first version: a task, then a file. */
function first(seen: Seen, { play, looks, file }: Scene): Reply {
  if (seen.path.startsWith('/v1/files/retrieve'))
    return { json: said({ file: { file_id: 176844028768320, bytes: 0, download_url: file('film') } }) }
  const task = { task_id: '106916112212032', file_id: '', video_width: 0, video_height: 0 }
  if (looks === 1) return { json: said({ ...task, status: 'Queueing' }) }
  if (looks === 2 || play === 'never ends') return { json: said({ ...task, status: 'Processing' }) }
  if (play === 'fails') return { json: said({ ...task, status: 'Fail', error_message: 'internal error' }) }
  if (play === 'refuses the content') return refused(1027, 'output new_sensitive')
  return { json: said({ ...task, status: 'Success', file_id: '176844028768320', video_width: 1366 }) }
}

/** The second version: a task that has its film. */
function second({ play, looks, file }: Scene): Reply {
  const task = { id: 'h3-1', model: 'MiniMax-H3', task_type: 'generation', modality: 'video' }
  if (looks === 1) return { json: { task: { ...task, status: 'queued' } } }
  if (looks === 2 || play === 'never ends') return { json: { task: { ...task, status: 'running' } } }
  if (play === 'fails') return { json: { task: { ...task, status: 'failed', error: { code: '1000', message: 'x' } } } }
  if (play === 'refuses the content')
    return { json: { task: { ...task, status: 'failed', error: { code: '1026', message: 'sensitive' } } } }
  return { json: { task: { ...task, status: 'succeeded', content: { url: file('film') }, duration: 5 } } }
}

const vendor: Vendor = {
  environment: (url) => ({ MINIMAX_API_KEY: 'minimax-key', MINIMAX_BASE_URL: url }),
  submits: ({ method }) => method === 'POST',
  reply(seen, scene): Reply | undefined {
    // It says so with status 200, and nothing else.
    if (seen.headers.authorization !== 'Bearer minimax-key') return refused(1004, 'login fail')
    if (seen.method === 'POST' && scene.play === 'refuses the content at once')
      return refused(1026, 'input new_sensitive')
    if (seen.method === 'POST' && scene.play === 'is out of credit') return refused(1008, 'insufficient balance')
    if (seen.path === '/v1/t2a_v2') {
      if (scene.play === 'fails') return refused(1000, 'unknown error')
      const audio = Buffer.from(scene.sound).toString('hex')
      return { json: said({ data: { audio, status: 2 }, extra_info: { usage_characters: 14 }, trace_id: 't' }) }
    }
    if (seen.method === 'POST')
      return { json: said({ task_id: seen.path.startsWith('/v2') ? 'h3-1' : 106916112212032 }) }
    return seen.path.startsWith('/v2') ? second(scene) : first(seen, scene)
  },
}

const frame =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

const films: Work[] = [
  {
    what: 'a film of H3',
    path: '/v1/videos',
    body: { model: 'minimax/h3', prompt: 'a heron', seconds: 5, aspect_ratio: '9:16', resolution: '2K' },
    sent: {
      path: '/v2/video_generation',
      body: {
        model: 'MiniMax-H3',
        content: [{ type: 'text', text: 'a heron' }],
        resolution: '2K',
        duration: 5,
        ratio: '9:16',
      },
    },
    cost_usd: '0.650000000',
    media_type: 'video/mp4',
  },
  {
    what: 'a film of Hailuo from its first picture',
    path: '/v1/videos',
    body: { model: 'minimax/hailuo-2.3-fast', prompt: 'a heron', resolution: '1080p', input_reference: frame },
    sent: {
      path: '/v1/video_generation',
      body: {
        model: 'MiniMax-Hailuo-2.3-Fast',
        prompt: 'a heron',
        duration: 6,
        resolution: '1080P',
        first_frame_image: frame,
      },
    },
    cost_usd: '0.330000000',
    media_type: 'video/mp4',
  },
]

describeMedia('minimax', vendor, films)
describeMedia('minimax’s speech', { ...vendor, never: ['refuses the content', 'loses the file'] }, [
  {
    what: 'speech',
    path: '/v1/audio/speech',
    body: { model: 'minimax/speech-2.8-turbo', input: 'Hello, heron', voice: 'English_Graceful_Lady', speed: 1.5 },
    sent: {
      path: '/v1/t2a_v2',
      body: {
        model: 'speech-2.8-turbo',
        text: 'Hello, heron',
        stream: false,
        output_format: 'hex',
        voice_setting: { voice_id: 'English_Graceful_Lady', speed: 1.5 },
        audio_setting: { format: 'mp3' },
      },
    },
    // Twelve characters were asked for and held: what the vendor says beyond is its own affair.
    cost_usd: '0.000720000',
    media_type: 'audio/mpeg',
    at_once: true,
  },
])
