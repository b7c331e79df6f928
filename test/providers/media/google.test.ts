// Google in its own words: pictures and speech by generateContent (recordings of 2026), films by the Interactions API (shapes
// of @google/genai 3.1.0 and of an exchange told in TanStack/ai#871).
import { pcmOf } from '../../../src/protocols/sound/bytes.ts'
import { PNG } from '../../fixtures/openai-compatible.ts'
import { sound } from '../../media/samples.ts'
import { describeMedia, type Reply, type Scene, type Vendor } from '../media_scenarios.ts'
import type { Seen } from '../stub.ts'

const environment = (url: string) => ({ GEMINI_API_KEY: 'gm-key', GEMINI_BASE_URL: url })
const UNAUTHENTICATED = { error: { code: 401, message: 'API keys are not supported', status: 'UNAUTHENTICATED' } }

/** generateContent answers at once, whatever comes of it. */
const content = (candidate: object, usageMetadata: object): Vendor => ({
  environment,
  submits: ({ method }) => method === 'POST',
  reply({ headers }, { play }): Reply {
    if (headers['x-goog-api-key'] !== 'gm-key') return { status: 401, json: UNAUTHENTICATED }
    const rest = { modelVersion: 'gemini-3-pro-image', responseId: '8cxparnuJ' }
    switch (play) {
      case 'fails':
        return { status: 500, json: { error: { code: 500, message: 'Internal error', status: 'INTERNAL' } } }
      case 'refuses the content at once':
        return { json: { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, usageMetadata, ...rest } }
      case 'refuses the content':
        return { json: { candidates: [{ finishReason: 'IMAGE_SAFETY', index: 0 }], usageMetadata, ...rest } }
      default:
        return { json: { candidates: [{ ...candidate, finishReason: 'STOP', index: 0 }], usageMetadata, ...rest } }
    }
  },
  // Its files are in the answer, and a used up account looks like a busy one.
  never: ['loses the file', 'is out of credit'],
})

const draft = { thought: true, inlineData: { mimeType: 'image/png', data: 'AAAA' } }
const picture = { thoughtSignature: 'CiQB', inlineData: { mimeType: 'image/png', data: PNG } }
describeMedia(
  'google’s pictures',
  content(
    { content: { role: 'model', parts: [draft, picture] } },
    {
      promptTokenCount: 22,
      candidatesTokenCount: 1216,
      totalTokenCount: 1417,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 22 }],
      candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1120 }],
      thoughtsTokenCount: 179,
    },
  ),
  [
    {
      what: 'a picture of Gemini',
      path: '/v1/images/generations',
      body: { model: 'google/gemini-3-pro-image', prompt: 'a sea otter', size: '1536x1024' },
      sent: {
        path: '/v1beta/models/gemini-3-pro-image:generateContent',
        body: {
          contents: [{ role: 'user', parts: [{ text: 'a sea otter' }] }],
          generationConfig: {
            responseModalities: ['IMAGE'],
            maxOutputTokens: 9312,
            imageConfig: { aspectRatio: '3:2', imageSize: '1K' },
          },
        },
        headers: { 'x-goog-api-key': 'gm-key' },
      },
      // 22 tokens read, 275 written and thought, 1,120 painted.
      cost_usd: '0.137744000',
      media_type: 'image/png',
      at_once: true,
    },
  ],
)

const spoken = { mimeType: 'audio/L16;codec=pcm;rate=24000', data: pcmOf(sound.samples).toString('base64') }
describeMedia(
  'google’s speech',
  content(
    { content: { role: 'model', parts: [{ inlineData: spoken }] } },
    {
      promptTokenCount: 10,
      candidatesTokenCount: 75,
      totalTokenCount: 85,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 10 }],
      candidatesTokensDetails: [{ modality: 'AUDIO', tokenCount: 75 }],
    },
  ),
  [
    {
      what: 'a sentence',
      path: '/v1/audio/speech',
      body: {
        model: 'google/gemini-2.5-flash-preview-tts',
        input: 'The points are set.',
        voice: 'alloy',
        instructions: 'Say it slowly.',
        response_format: 'wav',
      },
      sent: {
        path: '/v1beta/models/gemini-2.5-flash-preview-tts:generateContent',
        body: {
          contents: [{ role: 'user', parts: [{ text: 'Say it slowly: The points are set.' }] }],
          generationConfig: {
            responseModalities: ['AUDIO'],
            speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: 'Kore' } } },
          },
        },
      },
      cost_usd: '0.000755000',
      media_type: 'audio/wav',
      at_once: true,
    },
  ],
)

const INTERACTION = { object: 'interaction', model: 'gemini-omni-1.1-flash', created: '2026-11-21T09:00:00Z' }
const usage = (video: number) => ({
  total_input_tokens: 12,
  input_tokens_by_modality: [{ modality: 'text', tokens: 12 }],
  total_output_tokens: video,
  output_tokens_by_modality: [{ modality: 'video', tokens: video }],
  total_thought_tokens: 100,
  total_tokens: video + 112,
})
function interaction({ play, looks, file }: Scene): object {
  const task = { ...INTERACTION, id: 'v1_Chd' }
  if (looks < 2 || play === 'never ends') return { ...task, status: 'in_progress' }
  if (play === 'fails') return { ...task, status: 'failed', errors: [{ code: 'INTERNAL', message: 'It broke.' }] }
  if (play === 'refuses the content') {
    const error = { code: 3, message: 'Blocked by safety filters, see https://ai.google.dev/policies' }
    return { ...task, status: 'failed', steps: [{ type: 'model_output', error }] }
  }
  const video = { type: 'video', mime_type: 'video/mp4', uri: file('film') }
  const steps = [
    { type: 'user_input', content: [{ type: 'text', text: 'a train' }] },
    { type: 'thought', signature: 'CiQB' },
    { type: 'model_output', content: [video] },
  ]
  return { ...task, status: 'completed', usage: usage(23_168), steps }
}

const films: Vendor = {
  environment,
  submits: ({ method, path }) => method === 'POST' && path.endsWith('/interactions'),
  reply({ headers, path }: Seen, scene): Reply | undefined {
    if (headers['x-goog-api-key'] !== 'gm-key') return { status: 401, json: UNAUTHENTICATED }
    return path.startsWith('/v1beta/interactions') ? { json: interaction(scene) } : undefined
  },
  cancels: ({ method, path }) => method === 'POST' && path === '/v1beta/interactions/v1_Chd/cancel',
  never: ['refuses the content at once', 'is out of credit'],
}

const filmed = (model: string, body: object, cost_usd: string, sent: object) => ({
  what: `a film of ${model}`,
  path: '/v1/videos',
  body: { model: `google/${model}`, prompt: 'a train', ...body },
  sent: {
    path: '/v1beta/interactions',
    body: {
      model,
      input: [{ type: 'text', text: 'a train' }],
      background: true,
      store: true,
      generation_config: { video_config: { task: 'text_to_video' } },
      response_format: { type: 'video', delivery: 'uri', ...sent },
    },
  },
  cost_usd,
  media_type: 'video/mp4',
})

describeMedia('google’s films', films, [
  // By tokens: 12 read, 100 thought, 5,792 filmed a second.
  filmed('gemini-omni-1.1-flash', { seconds: '4', size: '1920x1080' }, '0.406358000', {
    aspect_ratio: '16:9',
    duration: '4s',
    resolution: '1080p',
  }),
  filmed('gemini-omni-flash-preview', { seconds: '4', size: '720x1280' }, '0.406358000', {
    aspect_ratio: '9:16',
    duration: '4s',
    resolution: '720p',
  }),
])
