// OpenAI's own picture models through the router: sizes and shapes by each model's rules, refused before a cent is held.
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { outputImageTokens } from '../../src/protocols/openai-media/image_tokens.ts'
import { json, Stub } from '../providers/stub.ts'
import { errorOf, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

const stub = new Stub()
let router: TestRouter
let png: Buffer
beforeAll(async () => {
  await stub.start()
  router = await testRouter({ OPENAI_API_KEY: 'sk-stub', OPENAI_BASE_URL: `${stub.url}/v1` })
  png = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#08f' } })
    .png()
    .toBuffer()
  stub.answer = json({ created: 1795000000, data: [{ b64_json: png.toString('base64') }] })
})
beforeEach(() => {
  stub.seen.length = 0
})
afterAll(async () => {
  await router.close()
  await stub.stop()
})

const ask = (model: string, more: object) => post(router, '/images/generations', { model, prompt: 'a heron', ...more })
const sent = () => JSON.parse(stub.seen[0]?.body.toString() ?? '{}')

describe('a shape', () => {
  it.each<[string, object, string]>([
    ['openai/gpt-image-2', { aspect_ratio: '16:9' }, '1360x768'],
    ['openai/gpt-image-2', { aspect_ratio: '9:16', resolution: '2K' }, '1536x2736'],
    ['openai/gpt-image-2', { aspect_ratio: '16:9', resolution: '4K' }, '3840x2160'],
    ['openai/gpt-image-2', { resolution: '4K' }, '2880x2880'],
    ['openai/gpt-image-2', { aspect_ratio: '3:1' }, '1776x592'],
    ['openai/gpt-image-2.5-sunburst', { size: '3840x1280' }, '3840x1280'],
    ['openai/gpt-image-1-mini', { aspect_ratio: '3:2' }, '1536x1024'],
    ['openai/gpt-image-1.5', { resolution: '1K' }, '1024x1024'],
  ])('of %s %o becomes %s', async (model, shape, size) => {
    const response = await ask(model, shape)
    expect(response.status).toBe(200)
    expect(sent()).toMatchObject({ size })
    expect(sent()).not.toHaveProperty('aspect_ratio')
    expect(sent()).not.toHaveProperty('resolution')
  })

  it.each<[string, object, string]>([
    ['openai/gpt-image-2', { size: '1000x1000' }, 'size'],
    ['openai/gpt-image-2', { size: '3840x1024' }, 'size'],
    ['openai/gpt-image-2', { size: '3856x2160' }, 'size'],
    ['openai/gpt-image-2', { size: '3840x3840' }, 'size'],
    ['openai/gpt-image-2', { size: 'large' }, 'size'],
    ['openai/gpt-image-2', { aspect_ratio: '4:1' }, 'size'],
    ['openai/gpt-image-1-mini', { size: '1536x864' }, 'size'],
    ['openai/gpt-image-1-mini', { aspect_ratio: '16:9' }, 'aspect_ratio'],
    ['openai/gpt-image-1.5', { resolution: '4K' }, 'resolution'],
    ['openai/gpt-image-2', { quality: 'max' }, 'quality'],
    ['openai/gpt-image-1.5', { quality: 'hd' }, 'quality'],
    ['openai/gpt-image-2', { complexity: 'thinking' }, 'complexity'],
    ['openai/gpt-image-1.5', { background: 'transparent', output_format: 'jpeg' }, 'background'],
    ['openai/gpt-image-2', { output_compression: 50 }, 'output_compression'],
    ['openai/gpt-image-2', { n: 11 }, 'n'],
  ])('that %s does not make (%o) is refused by the name of %s', async (model, shape, param) => {
    expect(await errorOf(await ask(model, shape))).toMatchObject({ status: 400, param })
    expect(stub.seen).toEqual([])
  })
})

describe('what else a model has', () => {
  it('reaches it: the highest quality, planning, transparency, compression, ten at once', async () => {
    const fields = {
      quality: 'max',
      complexity: 'high',
      background: 'transparent',
      output_format: 'webp',
      output_compression: 80,
      moderation: 'low',
    }
    expect((await ask('openai/gpt-image-2.5-flare', fields)).status).toBe(200)
    expect(sent()).toMatchObject({ model: 'gpt-image-2.5-flare', n: 1, ...fields })
  })

  const edit = (model: string, fidelity: string, references = 1) => {
    const form = new FormData()
    for (let index = 0; index < references; index++) form.append('image[]', new Blob([new Uint8Array(png)]), 'a.png')
    for (const [name, value] of Object.entries({ model, prompt: 'at night', input_fidelity: fidelity }))
      form.set(name, value)
    const headers = { authorization: `Bearer ${router.api_key}` }
    return fetch(`${router.base_url}/images/edits`, { method: 'POST', headers, body: form })
  }
  const body = () => stub.seen[0]?.body.toString('latin1') ?? ''

  it('takes sixteen pictures to look at, and how closely where the model can be told', async () => {
    expect((await edit('openai/gpt-image-1.5', 'high', 16)).status).toBe(200)
    expect(body().match(/name="image\[\]"/g)).toHaveLength(16)
    expect(body()).toContain('name="input_fidelity"')
  })

  it('leaves out what gpt-image-2 does anyway, and refuses what a model cannot', async () => {
    expect((await edit('openai/gpt-image-2', 'high')).status).toBe(200)
    expect(body()).not.toContain('input_fidelity')
    for (const [model, fidelity] of [
      ['openai/gpt-image-2', 'low'],
      ['openai/gpt-image-1-mini', 'high'],
    ] as const)
      expect(await errorOf(await edit(model, fidelity))).toMatchObject({ status: 400, param: 'input_fidelity' })
  })
})

describe('the upper bound in tokens', () => {
  // USD of one picture: the vendor's own figures of 2026-08, to the third decimal, at 30, 32 and 8 a million.
  it.each<[string, string, string, number, number]>([
    ['gpt-image-2', '1024x1024', 'low', 30, 0.006],
    ['gpt-image-2', '1024x1024', 'medium', 30, 0.053],
    ['gpt-image-2', '1024x1024', 'high', 30, 0.211],
    ['gpt-image-2', '1536x1024', 'low', 30, 0.005],
    ['gpt-image-1.5', '1024x1024', 'low', 32, 0.009],
    ['gpt-image-1.5', '1024x1024', 'medium', 32, 0.034],
    ['gpt-image-1.5', '1024x1024', 'high', 32, 0.133],
    ['gpt-image-1.5', '1024x1536', 'low', 32, 0.013],
    ['gpt-image-1.5', '1024x1536', 'high', 32, 0.2],
  ])('of %s at %s and %s quality is what the vendor publishes', (model, size, quality, usd, published) => {
    expect(Number(((outputImageTokens(model, size, quality) * usd) / 1e6).toFixed(3))).toBe(published)
  })

  it('of auto is no less than that of any size, for every model and quality', () => {
    const sizes = ['1024x1024', '1536x1024', '1024x1536']
    const free = [...sizes, '2560x1440', '3840x2160', '2160x3840', '2880x2880', '3840x1280', '1776x592', '816x816']
    for (const [model, all] of [
      ['gpt-image-1-mini', sizes],
      ['gpt-image-1.5', sizes],
      ['gpt-image-2', free],
      ['gpt-image-2.6-sunburst', free],
    ] as const)
      for (const quality of ['low', 'medium', 'high', 'xhigh', 'max', 'auto'])
        for (const size of all)
          expect(outputImageTokens(model, 'auto', quality)).toBeGreaterThanOrEqual(
            outputImageTokens(model, size, quality),
          )
  })
})
