// Input maps at work: requests become a model's inputs, nothing is dropped in silence, and answers become ours.
import { describe, expect, it } from 'vitest'
import type { JsonObject, PricedEntry, ProviderError } from '../../../src/contract.ts'
import { applyMap, fillInput } from '../../../src/protocols/input-map/apply.ts'
import type { MappedOperation } from '../../../src/protocols/input-map/fields.ts'
import { mapOptions } from '../../../src/protocols/input-map/options.ts'
import { readAll, write } from '../../../src/protocols/input-map/path.ts'
import { readOutput } from '../../../src/protocols/input-map/read.ts'
import type { ModelMap } from '../../../src/protocols/input-map/schema.ts'

function mapOf(operation: MappedOperation, options: object, entry: Partial<PricedEntry> = {}): ModelMap {
  const schema = mapOptions({ upstream: 'model-1', operation: [operation], limits: {}, meters: [], ...entry })
  return schema.parse(options) as unknown as ModelMap
}
const image = (input: object, more: object = {}) =>
  mapOf('image', { input: { prompt: 'prompt', ...input }, output: { images: 'output' }, ...more })
const video = (input: object, more: object = {}) =>
  mapOf('video', { input: { prompt: 'prompt', seconds: 'duration', ...input }, output: { video: 'output' }, ...more })

const file = (name: string) => ({ type: 'url' as const, url: `https://files.test/${name}` })
const place = async (asset: object) => String(Reflect.get(asset, 'url'))

async function inputs(map: ModelMap, operation: MappedOperation, request: object): Promise<JsonObject> {
  return fillInput(applyMap(map, operation, request), place)
}
const drawn = (map: ModelMap, request: object) => inputs(map, 'image', { prompt: 'a cat', n: 1, ...request })
const filmed = (map: ModelMap, request: object) => inputs(map, 'video', { prompt: 'a cat', seconds: 5, ...request })

function refusal(map: ModelMap, operation: MappedOperation, request: object): ProviderError {
  try {
    applyMap(map, operation, { prompt: 'a cat', n: 1, seconds: 5, ...request })
  } catch (error) {
    return error as ProviderError
  }
  return expect.unreachable('it was not refused')
}

describe('an input map', () => {
  it('renames fields, adds constants and leaves out what nobody said', async () => {
    const map = image({ n: 'num_outputs', seed: 'seed', quality: 'quality' }, { set: { go_fast: true, 'a.b': 1 } })
    expect(await drawn(map, { n: 2, quality: 'auto' })).toEqual({
      prompt: 'a cat',
      num_outputs: 2,
      go_fast: true,
      a: { b: 1 },
    })
  })

  it('writes values as text, as numbers, by a template and by a table', async () => {
    expect(await filmed(video({ seconds: { to: 'duration', as: 'text' } }), {})).toMatchObject({ duration: '5' })
    expect(await filmed(video({ seconds: { to: 'duration', template: '{}s' } }), {})).toMatchObject({ duration: '5s' })
    const frames = { to: 'num_frames', values: { 5: 81, 10: 161 } }
    expect(await filmed(video({ seconds: frames }), {})).toMatchObject({ num_frames: 81 })
    const mute = { to: 'mute', values: { true: false, false: true } }
    expect(await filmed(video({ audio: mute }), { audio: false })).toMatchObject({ mute: true })
  })

  it('names what a table, its choices and its bounds allow', () => {
    expect(refusal(video({ seconds: { to: 'n', values: { 5: 81 } } }), 'video', { seconds: 7 }).message).toBe(
      "'seconds' may be 5, not 7.",
    )
    expect(refusal(image({ quality: { to: 'q', choices: ['hd'] } }), 'image', { quality: 'sd' }).detail.param).toBe(
      'quality',
    )
    expect(refusal(image({ seed: { to: 'seed', min: 0, max: 9 } }), 'image', { seed: 10 }).message).toBe(
      "'seed' must be at least 0 and at most 9.",
    )
  })

  it.each<[MappedOperation, object, string]>([
    ['image', { images: [file('a')] }, 'image'],
    ['image', { mask: file('a') }, 'mask'],
    ['image', { background: 'transparent' }, 'background'],
    ['image', { quality: 'high' }, 'quality'],
    ['image', { size: '1024x1024' }, 'size'],
    ['image', { output_compression: 50 }, 'output_compression'],
    ['video', { first_frame: file('a') }, 'input_reference'],
    ['video', { audio: true }, 'audio'],
    ['video', { aspect_ratio: '16:9' }, 'aspect_ratio'],
  ])('refuses for %s what the model has no input for: %j', (operation, request, param) => {
    const map = operation === 'image' ? image({}) : video({})
    expect(refusal(map, operation, request)).toMatchObject({ kind: 'invalid_request', detail: { param } })
  })

  it('leaves formats to the router where the model does not make them', async () => {
    const map = image({ output_format: { to: 'output_format', values: { jpeg: 'jpg' } } })
    expect(await drawn(map, { output_format: 'jpeg' })).toMatchObject({ output_format: 'jpg' })
    expect(await drawn(map, { output_format: 'webp' })).toEqual({ prompt: 'a cat' })
  })

  it('gives files singly or as a list, and says how many there may be', async () => {
    const one = image({ images: 'image_url' })
    const many = image({ images: { to: 'image_urls[]', max: 2 } })
    expect(await drawn(one, { images: [file('a')] })).toMatchObject({ image_url: 'https://files.test/a' })
    expect(await drawn(many, { images: [file('a')] })).toMatchObject({ image_urls: ['https://files.test/a'] })
    expect(refusal(one, 'image', { images: [file('a'), file('b')] }).message).toBe(
      "'image' takes at most 1; these are 2.",
    )
    expect(refusal(many, 'image', { images: [file('a'), file('b'), file('c')] }).kind).toBe('invalid_request')
  })

  it('asks for what the model cannot do without', () => {
    const map = image({ images: 'image' }, { required: ['images'] })
    expect(refusal(map, 'image', {})).toMatchObject({
      detail: { param: 'image' },
      message: "This model needs 'image'.",
    })
  })

  it('takes another endpoint, with its own inputs, where a file is given', async () => {
    const map = video(
      { aspect_ratio: { to: 'aspect_ratio', choices: ['16:9', '9:16'] }, resolution: 'resolution' },
      {
        variants: [
          { given: 'first_frame', upstream: 'i2v', input: { first_frame: 'image' }, without: ['aspect_ratio'] },
        ],
      },
    )
    const request = { prompt: 'a cat', seconds: 5, first_frame: file('a'), resolution: '720p' }
    const order = applyMap(map, 'video', request)
    expect(order.upstream).toBe('i2v')
    expect(await fillInput(order, place)).toEqual({
      prompt: 'a cat',
      duration: 5,
      resolution: '720p',
      image: 'https://files.test/a',
    })
    expect(applyMap(map, 'video', { prompt: 'a cat', seconds: 5 }).upstream).toBeUndefined()
    expect(refusal(map, 'video', { first_frame: file('a'), aspect_ratio: '16:9' }).detail.param).toBe('aspect_ratio')
  })
})

describe('the shape', () => {
  const ratio = { to: 'aspect_ratio', choices: ['1:1', '16:9', '3:2'] }
  const pixels = {
    width: { to: 'width', with: { aspect_ratio: 'custom' } },
    height: 'height',
  }

  it('becomes a ratio where the model takes ratios, and only one that it is', async () => {
    expect(await drawn(image({ aspect_ratio: ratio }), { size: '1536x1024' })).toMatchObject({ aspect_ratio: '3:2' })
    expect(await drawn(image({ aspect_ratio: ratio }), { size: '1344x768' })).toMatchObject({ aspect_ratio: '16:9' })
    expect(await drawn(image({ aspect_ratio: ratio }), { size: 'auto' })).toEqual({ prompt: 'a cat' })
    expect(refusal(image({ aspect_ratio: ratio }), 'image', { size: '1024x1536' })).toMatchObject({
      detail: { param: 'size' },
      message: "'size' may be 1:1, 16:9, 3:2; 1024x1536 is none of these.",
    })
    expect(refusal(image({ aspect_ratio: ratio }), 'image', { aspect_ratio: '9:16' }).detail.param).toBe('aspect_ratio')
  })

  it('becomes pixels where the model takes pixels, as one text, an object, or two numbers', async () => {
    expect(await drawn(image({ size: 'size' }), { size: '800x600' })).toMatchObject({ size: '800x600' })
    const object = { to: 'image_size', as: 'pixels', default: '1024x1024' }
    expect(await drawn(image({ size: object }), { size: '800x600' })).toMatchObject({
      image_size: { width: 800, height: 600 },
    })
    expect(await drawn(image({ size: object }), {})).toMatchObject({ image_size: { width: 1024, height: 1024 } })
    expect(await drawn(image(pixels), { size: '800x600' })).toMatchObject({
      width: 800,
      height: 600,
      aspect_ratio: 'custom',
    })
    const presets = { to: 'image_size', values: { '1024x1024': 'square_hd', '1024x768': 'landscape_4_3' } }
    expect(await drawn(image({ size: presets }), { size: '1024x768' })).toMatchObject({ image_size: 'landscape_4_3' })
  })

  it('takes pixels for sizes and ratios for ratios where the model knows both', async () => {
    const both = image({ ...pixels, aspect_ratio: { ...ratio, default: '1:1' } })
    expect(await drawn(both, { size: '800x600' })).toEqual({
      prompt: 'a cat',
      width: 800,
      height: 600,
      aspect_ratio: 'custom',
    })
    expect(await drawn(both, { aspect_ratio: '16:9' })).toEqual({ prompt: 'a cat', aspect_ratio: '16:9' })
    expect(await drawn(both, {})).toEqual({ prompt: 'a cat', aspect_ratio: '1:1' })
  })

  it('makes pixels of a ratio for models that know pixels alone', async () => {
    expect(await drawn(image({ size: 'size' }), { aspect_ratio: '1:1', resolution: '2K' })).toMatchObject({
      size: '2048x2048',
    })
  })

  it('tells the resolution that chooses the price, named, found in the size, or usual', () => {
    const map = video({
      resolution: { to: 'resolution', choices: ['480p', '720p', '1080p'], default: '720p' },
      aspect_ratio: { to: 'aspect_ratio', choices: ['16:9', '9:16'] },
    })
    const resolution = (request: object) =>
      applyMap(map, 'video', { prompt: 'a cat', seconds: 5, ...request }).attributes.resolution
    expect(resolution({})).toBe('720p')
    expect(resolution({ resolution: '1080P' })).toBe('1080p')
    expect(resolution({ size: '1080x1920' })).toBe('1080p')
    expect(refusal(map, 'video', { resolution: '4k' }).detail.param).toBe('resolution')
  })
})

describe('paths', () => {
  it('go into objects, lists and single items, and find nothing where there is nothing', () => {
    const answer = { a: [{ b: [1, 2] }, { b: [3] }, {}], c: null, d: 'x' }
    expect(readAll(answer, 'a[].b')).toEqual([1, 2, 3])
    expect(readAll(answer, 'a[].b[0]')).toEqual([1, 3])
    expect(readAll(answer, 'a[0].b[1]')).toEqual([2])
    expect(readAll(answer, 'd[]')).toEqual(['x'])
    for (const path of ['c', 'c.e', 'd.length', 'a.b', 'x.y[]', 'constructor', 'a.length'])
      expect(readAll(answer, path)).toEqual([])
  })

  it('write into objects of their own and never into what all objects share', () => {
    const into: JsonObject = {}
    write(into, 'a.b', 1)
    write(into, 'a.c', 2)
    write(into, 'constructor.prototype.polluted', true)
    expect(into).toMatchObject({ a: { b: 1, c: 2 }, constructor: { prototype: { polluted: true } } })
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })
})

describe('an answer', () => {
  const asking = { provider: 'Acme', most: 2 }
  const found = (operation: MappedOperation, output: object, answer: object) =>
    readOutput(operation, output, answer, asking)

  it('is read whether it holds one address, several, objects or data', () => {
    const images = (output: unknown, path = 'output') =>
      (found('image', { images: path }, { output }).output as { images: object[] }).images
    expect(images('https://a.test/1')).toEqual([{ image: { type: 'url', url: 'https://a.test/1' } }])
    expect(images(['https://a.test/1', 'data:image/png;base64,AA=='])).toHaveLength(2)
    expect(images({ images: [{ url: 'https://a.test/1', width: 1 }] }, 'output.images[]')).toHaveLength(1)
  })

  it('is never more than was asked for', () => {
    const three = { output: ['https://a.test/1', 'https://a.test/2', 'https://a.test/3'] }
    expect(found('image', { images: 'output' }, three)).toMatchObject({ files: 2 })
  })

  it('leaves out pictures that the filter marked, and is a refusal where it marked all', () => {
    const map = { images: 'output.images[].url', flagged: 'output.nsfw[]' }
    const answer = (...nsfw: boolean[]) => ({
      output: { images: nsfw.map((_, index) => ({ url: `https://a.test/${index}` })), nsfw },
    })
    expect(found('image', map, answer(true, false))).toMatchObject({
      files: 1,
      output: { images: [{ image: { url: 'https://a.test/1' } }] },
    })
    expect(() => found('image', map, answer(true))).toThrow(expect.objectContaining({ kind: 'content_policy' }))
  })

  it.each([null, [], {}, 'done', 'file:///etc/passwd', [null], 7])(
    'without an address is a bad response: %j',
    (output) => {
      for (const [operation, map] of [
        ['image', { images: 'output' }],
        ['video', { video: 'output' }],
        ['speech', { audio: 'output' }],
      ] as const)
        expect(() => found(operation, map, { output })).toThrow(expect.objectContaining({ kind: 'bad_response' }))
    },
  )

  it('tells a transcript with its pieces, its words and who speaks', () => {
    const part = { start: 'timestamp[0]', end: 'timestamp[1]', text: 'text', speaker: 'speaker' }
    const map = { text: 'output.text', language: 'output.languages[0]', segments: { each: 'output.chunks[]', ...part } }
    const output = {
      text: ' All aboard.',
      languages: ['en'],
      chunks: [
        { timestamp: [0, 1.5], text: 'All', speaker: 'A' },
        { timestamp: [1.5, null], text: 'aboard.' },
      ],
    }
    expect(found('transcription', map, { output }).output).toEqual({
      text: 'All aboard.',
      language: 'en',
      segments: [
        { start: 0, end: 1.5, text: 'All', speaker: 'A' },
        { start: 1.5, end: 1.5, text: 'aboard.' },
      ],
    })
  })
})
