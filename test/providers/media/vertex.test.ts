// Vertex AI in its own words (vendor's reference of 2026 and the shapes of @google/genai 3.1.0), with a service account whose
// signature the stub checks.
import { createVerify, generateKeyPairSync } from 'node:crypto'
import { PNG } from '../../fixtures/openai-compatible.ts'
import { film } from '../../media/samples.ts'
import { describeMedia, type Reply, type Scene, type Vendor } from '../media_scenarios.ts'
import type { Seen } from '../stub.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const account = {
  type: 'service_account',
  project_id: 'acme',
  private_key_id: 'key-1',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  client_email: 'router@acme.iam.gserviceaccount.com',
  token_uri: 'https://oauth2.googleapis.com/token',
}
const environment = (url: string) => ({
  VERTEX_PROJECT: 'acme',
  VERTEX_LOCATION: 'europe-west4',
  VERTEX_SERVICE_ACCOUNT: JSON.stringify(account),
  VERTEX_BASE_URL: url,
  VERTEX_TOKEN_URL: `${url}/token`,
})
const MODELS = '/v1/projects/acme/locations/europe-west4/publishers/google/models'

/** What Google does with an assertion: the signature first, then for whom and until when. */
function grant({ body }: Seen): Reply {
  const form = new URLSearchParams(body.toString())
  const [head = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.')
  const genuine = createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(publicKey, signature, 'base64url')
  const { iss, aud, scope, iat, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString())
  const now = Date.now() / 1000
  const valid = iss === account.client_email && aud === account.token_uri && scope.includes('cloud-platform')
  if (!genuine || !valid || iat > now || exp < now || exp - iat > 3600)
    return { status: 400, json: { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' } }
  return { json: { access_token: 'ya29.token', expires_in: 3599, token_type: 'Bearer' } }
}

const error = (code: number, status: string, message: string, reason?: string) => ({
  status: code,
  json: { error: { code, status, message, details: reason ? [{ '@type': 'x.ErrorInfo', reason }] : [] } },
})

const vendor = (answer: (scene: Scene) => object, never: Vendor['never'] = []): Vendor => ({
  environment,
  submits: ({ path }) => /:predict(?:LongRunning)?$/.test(path),
  reply(seen, scene): Reply {
    if (seen.path === '/token') return grant(seen)
    if (seen.headers.authorization !== 'Bearer ya29.token') return error(401, 'UNAUTHENTICATED', 'Invalid credential.')
    if (scene.play === 'is out of credit')
      return error(403, 'PERMISSION_DENIED', 'This API method requires billing.', 'BILLING_DISABLED')
    if (scene.play === 'refuses the content at once')
      return error(400, 'INVALID_ARGUMENT', 'The prompt contains sensitive words that violate usage guidelines.')
    return { json: answer(scene) }
  },
  never: ['loses the file', ...never],
})

const picture = { bytesBase64Encoded: PNG, mimeType: 'image/png' }
describeMedia(
  'vertex’s pictures',
  vendor(
    ({ play }) => {
      const raiFilteredReason = 'Unable to show generated images. They violate our Responsible AI practices. 58061214'
      if (play === 'refuses the content') return { predictions: [{ raiFilteredReason }] }
      // One of the two was held back; the other is good.
      return { predictions: [picture, { raiFilteredReason }] }
    },
    ['fails'],
  ),
  [
    {
      what: 'two pictures of Imagen, of which one is held back',
      path: '/v1/images/generations',
      body: { model: 'google/imagen-4', prompt: 'a heron', n: 2, size: '1024x1024', seed: 7 },
      sent: {
        path: `${MODELS}/imagen-4.0-generate-001:predict`,
        body: {
          instances: [{ prompt: 'a heron' }],
          parameters: {
            sampleCount: 2,
            aspectRatio: '1:1',
            sampleImageSize: '1K',
            seed: 7,
            addWatermark: false,
            includeRaiReason: true,
            outputOptions: { mimeType: 'image/png' },
          },
        },
        headers: { authorization: 'Bearer ya29.token' },
      },
      cost_usd: '0.040000000',
      media_type: 'image/png',
      at_once: true,
    },
  ],
)

const bytes = Buffer.from(await film()).toString('base64')
const name = 'projects/acme/locations/europe-west4/publishers/google/models/veo-3.1-generate-001/operations/a1b2'
describeMedia(
  'vertex’s films',
  vendor(({ play, looks }) => {
    if (looks === 0) return { name }
    if (looks < 2 || play === 'never ends') return { name }
    if (play === 'fails') return { name, done: true, error: { code: 13, message: 'Internal error.' } }
    const reasons = ['The filter found a person/face. Support codes: 17301594']
    if (play === 'refuses the content')
      return { name, done: true, response: { raiMediaFilteredCount: 1, raiMediaFilteredReasons: reasons } }
    return {
      name,
      done: true,
      response: {
        '@type': 'type.googleapis.com/cloud.ai.large_models.vision.GenerateVideoResponse',
        raiMediaFilteredCount: 0,
        videos: [{ bytesBase64Encoded: bytes, mimeType: 'video/mp4' }],
      },
    }
  }),
  [
    {
      what: 'a film of Veo without sound',
      path: '/v1/videos',
      body: {
        model: 'google/veo-3.1',
        prompt: 'a train',
        seconds: '4',
        size: '1280x720',
        audio: false,
        negative_prompt: 'fog',
      },
      sent: {
        path: `${MODELS}/veo-3.1-generate-001:predictLongRunning`,
        body: {
          instances: [{ prompt: 'a train' }],
          parameters: {
            sampleCount: 1,
            durationSeconds: 4,
            aspectRatio: '16:9',
            resolution: '720p',
            generateAudio: false,
            negativePrompt: 'fog',
          },
        },
      },
      cost_usd: '0.800000000',
      media_type: 'video/mp4',
    },
  ],
)
