// ElevenLabs and Deepgram in their own words (their API references and recordings of 2026): speech and effects, made at once.
import { describeMedia, type Reply, type Scene, type Vendor } from '../media_scenarios.ts'

const detail = (status: number, code: string, message: string): Reply => ({
  status,
  json: { detail: { status: code, message } },
})
const elevenlabs: Vendor = {
  environment: (url) => ({ ELEVENLABS_API_KEY: 'el-key', ELEVENLABS_BASE_URL: url }),
  submits: () => true,
  reply({ headers }, { play, sound }: Scene): Reply {
    if (headers['xi-api-key'] !== 'el-key') return detail(401, 'invalid_api_key', 'Invalid API key')
    if (play === 'fails') return { status: 500, json: { detail: 'Internal Server Error' } }
    if (play === 'is out of credit')
      return detail(401, 'quota_exceeded', 'This request exceeds your quota. You have 0 credits remaining.')
    if (play === 'refuses the content at once')
      return detail(403, 'content_against_policy', 'The text you are trying to use may violate our Terms of Service.')
    return { headers: { 'content-type': 'audio/mpeg', 'character-cost': '10' }, body: sound }
  },
  never: ['refuses the content', 'loses the file'],
}
describeMedia('elevenlabs', elevenlabs, [
  {
    what: 'a sentence',
    path: '/v1/audio/speech',
    body: { model: 'elevenlabs/eleven_flash_v2_5', input: 'The points are set.', voice: 'nova', speed: 1.1 },
    sent: {
      path: '/v1/text-to-speech/EXAVITQu4vr4xnSDxMaL?output_format=mp3_44100_128',
      body: { text: 'The points are set.', model_id: 'eleven_flash_v2_5', voice_settings: { speed: 1.1 } },
      headers: { 'xi-api-key': 'el-key' },
    },
    // By its 19 characters, whatever it cost in credits.
    cost_usd: '0.000950000',
    media_type: 'audio/mpeg',
    at_once: true,
  },
  {
    what: 'a sound effect',
    path: '/v1/audio/speech',
    body: { model: 'elevenlabs/sound-effects', input: 'a train in the distance', voice: 'none' },
    sent: {
      path: '/v1/sound-generation?output_format=mp3_44100_128',
      body: { text: 'a train in the distance', model_id: 'eleven_text_to_sound_v2' },
    },
    cost_usd: '0.120000000',
    media_type: 'audio/mpeg',
    at_once: true,
  },
])

const told = (status: number, err_code: string, err_msg: string): Reply => ({
  status,
  json: { err_code, err_msg, request_id: 'e9ad6d71' },
})
const deepgram: Vendor = {
  environment: (url) => ({ DEEPGRAM_API_KEY: 'dg-key', DEEPGRAM_BASE_URL: url }),
  submits: () => true,
  reply({ headers }, { play, sound }: Scene): Reply {
    if (headers.authorization !== 'Token dg-key') return told(401, 'INVALID_AUTH', 'Invalid credentials.')
    if (play === 'fails') return told(500, 'INTERNAL_SERVER_ERROR', 'It broke.')
    if (play === 'is out of credit')
      return told(402, 'ASR_PAYMENT_REQUIRED', 'Project does not have enough credits for an ASR request.')
    return { headers: { 'content-type': 'audio/mpeg', 'dg-char-count': '19' }, body: sound }
  },
  // It judges nothing that it reads out.
  never: ['refuses the content', 'refuses the content at once', 'loses the file'],
}
describeMedia('deepgram', deepgram, [
  {
    what: 'a sentence',
    path: '/v1/audio/speech',
    body: { model: 'deepgram/aura-2', input: 'The points are set.', voice: 'alloy' },
    sent: {
      path: '/v1/speak?model=aura-2-thalia-en&encoding=mp3',
      body: { text: 'The points are set.' },
      headers: { authorization: 'Token dg-key' },
    },
    cost_usd: '0.000570000',
    media_type: 'audio/mpeg',
    at_once: true,
  },
])
