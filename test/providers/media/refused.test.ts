// What a maker of pictures, films or speech cannot do is refused by the field's name, before anything is held or sent.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorOf, get, post } from '../../support/client.ts'
import { type TestRouter, testRouter } from '../../support/router.ts'

const nowhere = 'http://127.0.0.1:9'
let router: TestRouter
beforeAll(async () => {
  router = await testRouter({
    BFL_API_KEY: 'key',
    BFL_BASE_URL: nowhere,
    LUMA_API_KEY: 'key',
    LUMA_BASE_URL: nowhere,
    RUNWAYML_API_SECRET: 'key',
    RUNWAYML_BASE_URL: nowhere,
    KLING_ACCESS_KEY: 'key',
    KLING_SECRET_KEY: 'key',
    KLING_BASE_URL: nowhere,
    MINIMAX_API_KEY: 'key',
    MINIMAX_BASE_URL: nowhere,
  })
})
afterAll(() => router.close())

const frame =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const input_reference = frame

const refused = async (path: string, body: object, param: string) => {
  const { status, message, ...error } = await errorOf(await post(router, path, { prompt: 'a heron', ...body }))
  expect({ status, param: error.param }, message).toEqual({ status: 400, param })
  expect(message).not.toMatch(/127\.0\.0\.1|undefined|\[object/)
}

describe('a picture', () => {
  it.each<[string, object, string]>([
    ['black-forest-labs/flux-2-pro', { size: '1000x1000' }, 'size'],
    ['black-forest-labs/flux-2-pro', { size: '4096x4096' }, 'size'],
    ['black-forest-labs/flux-2-pro', { resolution: '4K' }, 'resolution'],
    ['black-forest-labs/flux-2-max', { resolution: '2K' }, 'resolution'],
    ['black-forest-labs/flux-2-pro', { quality: 'high' }, 'quality'],
    ['black-forest-labs/flux-2-pro', { background: 'transparent' }, 'background'],
    ['black-forest-labs/flux-2-pro', { negative_prompt: 'fog' }, 'negative_prompt'],
    ['black-forest-labs/flux-2-pro', { moderation: 'low' }, 'moderation'],
    ['black-forest-labs/flux-1.1-pro-ultra', { aspect_ratio: '5:1' }, 'aspect_ratio'],
    ['luma/uni-1', { resolution: '4K' }, 'resolution'],
    ['luma/uni-1', { size: '1280x1024' }, 'size'],
    ['luma/uni-1', { seed: 7 }, 'seed'],
    ['runway/gen-4-image', { size: '1000x1000' }, 'size'],
    ['runway/gen-4-image', { resolution: '4K' }, 'resolution'],
    ['runway/gen-4-image-turbo', {}, 'image'],
    ['kling/kling-image-2.1', { aspect_ratio: '5:4' }, 'aspect_ratio'],
    ['kling/kling-image-2.1', { resolution: '4K' }, 'resolution'],
    ['kling/kling-image-2.1', { n: 10 }, 'n'],
  ])('of %s with %o is refused', (model, body, param) => refused('/images/generations', { model, ...body }, param))

  it.each<[string, object, string]>([
    ['black-forest-labs/flux-2-max', { image: frame }, 'image'],
    ['black-forest-labs/flux-2-pro', { image: frame, mask: frame }, 'mask'],
    ['black-forest-labs/flux-2-pro', { images: Array(9).fill(frame) }, 'image'],
    ['luma/uni-1', { images: Array(10).fill(frame) }, 'image'],
    ['luma/uni-1', { image: frame, mask: frame }, 'mask'],
    ['kling/kling-image-2.1', { images: [frame, frame] }, 'image'],
    ['kling/kling-image-2.1', { image: frame, negative_prompt: 'fog' }, 'negative_prompt'],
  ])('made by %s of others with %o is refused', (model, body, param) =>
    refused('/images/edits', { model, ...body }, param),
  )
})

describe('a film', () => {
  it.each<[string, object, string]>([
    ['luma/ray-3.2', { seconds: 7 }, 'seconds'],
    ['luma/ray-3.2', { size: '1000x1000' }, 'size'],
    ['luma/ray-3.2', { resolution: '4k' }, 'resolution'],
    ['luma/ray-3.2', { audio: true }, 'audio'],
    ['runway/gen-4.5', { size: '960x960' }, 'size'],
    ['runway/gen-4.5', { aspect_ratio: '21:9' }, 'aspect_ratio'],
    ['runway/gen-4.5', { resolution: '1080p' }, 'resolution'],
    ['runway/gen-4.5', { audio: true }, 'audio'],
    ['runway/gen-4.5', { seconds: 11 }, 'seconds'],
    ['runway/gen-4-turbo', {}, 'input_reference'],
    ['kling/kling-2.6', { audio: true, resolution: '720p' }, 'audio'],
    ['kling/kling-2.5-turbo', { audio: true }, 'audio'],
    ['kling/kling-3.0', { aspect_ratio: '21:9' }, 'aspect_ratio'],
    ['kling/kling-3.0', { aspect_ratio: '16:9', input_reference }, 'aspect_ratio'],
    ['kling/kling-3.0', { seed: 7 }, 'seed'],
    ['minimax/hailuo-2.3', { seconds: 10 }, 'seconds'],
    ['minimax/hailuo-2.3', { aspect_ratio: '9:16' }, 'aspect_ratio'],
    ['minimax/hailuo-2.3-fast', {}, 'input_reference'],
    ['minimax/h3', { resolution: '1080p' }, 'resolution'],
    ['minimax/h3', { audio: true }, 'audio'],
  ])('of %s with %o is refused', (model, body, param) => refused('/videos', { model, ...body }, param))
})

describe('speech', () => {
  const model = 'minimax/speech-2.8-hd'
  it.each<[object, string]>([
    [{ voice: 'English_Graceful_Lady', speed: 3 }, 'speed'],
    [{ voice: 'English_Graceful_Lady', instructions: 'Whisper.' }, 'instructions'],
    [{ voice: 'English_Graceful_Lady', input: 'x'.repeat(10_001) }, 'input'],
    [{ voice: 'English_Graceful_Lady', response_format: 'ogg3' }, 'response_format'],
  ])('with %o is refused', (body, param) =>
    refused('/audio/speech', { prompt: undefined, model, input: 'Hello', ...body }, param),
  )
})

it('leaves the account as it was', async () => {
  expect(await (await get(router, '/credits')).json()).toMatchObject({
    held_usd: '0.000000000',
    settled_usd: '0.000000000',
  })
})
