// What is asked of pictures in each provider's own terms (ratios, sizes, masks), and what callers get back: the format
// asked for, upright, without a word about its maker.
import type OpenAI from 'openai'
import { toFile } from 'openai'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openStudio, plate, type Studio } from '../painters/site.ts'
import { clientOf, costOf, errorOf, get, post } from '../support/client.ts'

let studio: Studio
let client: OpenAI
let png: string
beforeAll(async () => {
  studio = await openStudio()
  client = clientOf(studio.router)
  png = await plate(64, 64)
})
beforeEach(() => {
  studio.stub.seen.length = 0
  studio.tell((_, { n }) => ({ status: 'done', images: Array.from({ length: n }, () => ({ b64: png })) }))
})
afterAll(() => studio.close())

const make = (body: object) => post(studio.router, '/images/generations', { prompt: 'a heron', ...body })
const url = (b64: string) => `data:image/png;base64,${b64}`
const png64 = (picture: Sharp) =>
  picture
    .png()
    .toBuffer()
    .then((bytes) => bytes.toString('base64'))

describe('ratios and resolutions', () => {
  it('go on as they are to a provider that takes them', async () => {
    const answer = await make({
      model: 'frames/plain',
      aspect_ratio: '16:9',
      resolution: '2k',
      negative_prompt: 'rain',
      seed: 7,
    })
    expect(answer.status).toBe(200)
    expect(studio.asked()[0]).toMatchObject({
      aspect_ratio: '16:9',
      resolution: '2K',
      negative_prompt: 'rain',
      seed: 7,
    })
    expect(studio.asked()[0]).not.toHaveProperty('size')
  })

  it.each([
    [{ aspect_ratio: '16:9' }, '1360x768'],
    [{ aspect_ratio: '16:9', resolution: '2K' }, '2736x1536'],
    [{ resolution: '4K' }, '4096x4096'],
    [{ aspect_ratio: '1:3', size: 'auto' }, '592x1776'],
  ])('%j become a size for a provider that knows sizes alone', async (shape, size) => {
    expect((await make({ model: 'pairs/plain', ...shape })).status).toBe(200)
    expect(studio.asked()[0]).toMatchObject({ size })
    expect(studio.asked()[0]).not.toHaveProperty('aspect_ratio')
  })

  it('become one of the sizes that a model makes, or are refused by name', async () => {
    const sized = { model: 'pairs/sized' }
    expect((await make({ ...sized, aspect_ratio: '3:2' })).status).toBe(200)
    expect((await make({ ...sized, aspect_ratio: '2:3', resolution: '1K' })).status).toBe(200)
    expect(studio.asked().map(({ size }) => size)).toEqual(['1536x1024', '1024x1536'])
    const wide = await errorOf(await make({ ...sized, aspect_ratio: '21:9' }))
    expect(wide).toMatchObject({ status: 400, param: 'aspect_ratio' })
    expect(wide.message).toContain('1536x1024')
    expect(await errorOf(await make({ ...sized, resolution: '4K' }))).toMatchObject({
      status: 400,
      param: 'resolution',
    })
  })

  it('choose the rate for the estimate and the charge alike', async () => {
    const frames = { model: 'frames/plain', prompt: 'x', operation: 'image' }
    const cases: [object, string][] = [
      [{}, '0.010000000'],
      [{ resolution: '2K' }, '0.020000000'],
      [{ size: '2048x2048' }, '0.020000000'],
      [{ resolution: '2K', quality: 'high' }, '0.040000000'],
      [{ model: 'pairs/sized', size: '1024x1024' }, '0.010000000'],
      [{ model: 'pairs/sized', aspect_ratio: '1:1' }, '0.010000000'],
      [{ model: 'pairs/sized', aspect_ratio: '3:2' }, '0.020000000'],
    ]
    for (const [shape, usd] of cases) {
      const estimate = await post(studio.router, '/estimate', { ...frames, ...shape })
      expect(await estimate.json(), JSON.stringify(shape)).toMatchObject({ hold_usd: usd })
      const spent = await costOf(studio.router, async () => {
        expect((await make({ model: 'frames/plain', ...shape })).headers.get('x-cost-usd')).toBe(usd)
      })
      expect(spent).toBe(usd)
    }
    const unpriced = await errorOf(await make({ model: 'frames/plain', resolution: '4K' }))
    expect(unpriced).toMatchObject({ status: 400, code: 'unpriced_option' })
  })

  it('are refused with the field’s name where they contradict a size or are none', async () => {
    const cases: [object, string][] = [
      [{ size: '1024x1024', aspect_ratio: '1:1' }, 'aspect_ratio'],
      [{ size: '1024x1024', resolution: '1K' }, 'resolution'],
      [{ aspect_ratio: '0:1' }, 'aspect_ratio'],
      [{ aspect_ratio: 'wide' }, 'aspect_ratio'],
      [{ aspect_ratio: '30:1' }, 'aspect_ratio'],
      [{ resolution: '8K' }, 'resolution'],
      [{ negative_prompt: 'rain' }, 'negative_prompt'],
      [{ seed: 1 }, 'seed'],
      [{ seed: -1 }, 'seed'],
      [{ background: 'transparent', output_format: 'jpeg' }, 'background'],
      [{ output_format: 'gif' }, 'output_format'],
    ]
    for (const [shape, param] of cases) {
      const error = await errorOf(await make({ model: 'pairs/plain', ...shape }))
      expect(error, JSON.stringify(shape)).toMatchObject({ status: 400, param })
    }
    expect(studio.asked()).toHaveLength(0)
  })

  it('are read from forms too', async () => {
    const image = await toFile(Buffer.from(png, 'base64'), 'a.png', { type: 'image/png' })
    const more = { aspect_ratio: '3:2', resolution: '1K', seed: 3 } as object
    await client.images.edit({ model: 'frames/plain', prompt: 'x', image, ...more })
    expect(studio.asked()[0]).toMatchObject({ aspect_ratio: '3:2', resolution: '1K', seed: 3 })
  })
})

describe('masks', () => {
  /** 64x64, a hole of 16x16 at 8,8. */
  const holed = async () => {
    const hole = { create: { width: 16, height: 16, channels: 4 as const, background: '#fff' } }
    const whole = sharp({ create: { width: 64, height: 64, channels: 4, background: '#123456' } })
    return png64(whole.composite([{ input: hole, left: 8, top: 8, blend: 'dest-out' }]))
  }
  const edit = (body: object) => post(studio.router, '/images/edits', { prompt: 'x', image: url(png), ...body })
  const sent = async () => {
    const { data, info } = await sharp(Buffer.from(studio.asked()[0]?.mask ?? '', 'base64'))
      .raw()
      .toBuffer({ resolveWithObject: true })
    const at = (x: number, y: number) => [
      ...data.subarray((y * info.width + x) * info.channels).subarray(0, info.channels),
    ]
    return { at, channels: info.channels }
  }

  it('become white where they are transparent, for a provider that wants that', async () => {
    expect((await edit({ model: 'pairs/plain', mask: url(await holed()) })).status).toBe(200)
    const { at } = await sent()
    expect(at(0, 0)[0]).toBe(0)
    expect(at(10, 10)[0]).toBe(255)
    expect(at(24, 24)[0]).toBe(0)
  })

  it('stay as they are for a provider of OpenAI’s convention', async () => {
    const mask = await holed()
    expect((await edit({ model: 'frames/plain', mask: url(mask) })).status).toBe(200)
    expect(studio.asked()[0]?.mask).toBe(mask)
  })

  it('in black and white become transparent where they are white', async () => {
    const dot = { create: { width: 16, height: 16, channels: 3 as const, background: '#fff' } }
    const black = sharp({ create: { width: 64, height: 64, channels: 3, background: '#000' } })
    const mask = await png64(black.composite([{ input: dot, left: 8, top: 8 }]))
    expect((await edit({ model: 'frames/plain', mask: url(mask) })).status).toBe(200)
    const { at, channels } = await sent()
    expect(channels).toBe(4)
    expect([at(0, 0)[3], at(10, 10)[3]]).toEqual([255, 0])
  })

  it('of another size than the picture are refused before anything is held', async () => {
    const mask = url(await plate(32, 64))
    const spent = await costOf(studio.router, async () => {
      const error = await errorOf(await edit({ model: 'pairs/plain', mask }))
      expect(error).toMatchObject({ status: 400, param: 'mask' })
      expect(error.message).toContain('32x64')
    })
    expect(spent).toBe('0.000000000')
    expect(studio.asked()).toHaveLength(0)
  })
})

describe('what comes back', () => {
  const noisy = () =>
    sharp(Buffer.from(Array.from({ length: 96 * 48 * 3 }, (_, at) => (at * 7919) % 256)), {
      raw: { width: 96, height: 48, channels: 3 },
    })
  const told = (bytes: Buffer) => studio.tell(() => ({ status: 'done', images: [{ b64: bytes.toString('base64') }] }))
  const picture = async (body: object) => {
    const answer = (await (await make({ model: 'pairs/plain', ...body })).json()) as {
      output_format: string
      data: { b64_json: string }[]
    }
    return { format: answer.output_format, bytes: Buffer.from(answer.data[0]?.b64_json ?? '', 'base64') }
  }

  it.each([
    ['avif', () => noisy().avif().toBuffer()],
    ['gif', () => noisy().gif().toBuffer()],
    ['tiff', () => noisy().tiff().toBuffer()],
  ])('is PNG where a provider gives %s and no format was asked for, else what was asked for', async (_, bytes) => {
    told(await bytes())
    const plain = await picture({})
    expect(plain.format).toBe('png')
    expect(await sharp(plain.bytes).metadata()).toMatchObject({ format: 'png', width: 96, height: 48 })
    const asked = await picture({ output_format: 'jpg', output_compression: 50 })
    expect(asked.format).toBe('jpeg')
    expect((await sharp(asked.bytes).metadata()).format).toBe('jpeg')
  })

  it.each(['jpeg', 'png', 'webp'] as const)(
    'as %s is rid of its metadata to the last bit of picture',
    async (format) => {
      const exif = { IFD0: { Copyright: 'somebody' }, IFD3: { GPSLatitude: '51/1 30/1 0/1' } }
      const bytes = await noisy()[format]().withExif(exif).toBuffer()
      expect(bytes.includes('somebody')).toBe(true)
      told(bytes)
      const { bytes: got } = await picture({})
      expect(got.includes('somebody')).toBe(false)
      expect((await sharp(got).metadata()).exif).toBeUndefined()
      expect(await sharp(got).raw().toBuffer()).toEqual(await sharp(bytes).raw().toBuffer())
    },
  )

  it('stands upright', async () => {
    told(await noisy().jpeg().withMetadata({ orientation: 6 }).toBuffer())
    const { bytes } = await picture({})
    const { width, height, orientation } = await sharp(bytes).metadata()
    expect({ width, height, orientation }).toEqual({ width: 48, height: 96, orientation: undefined })
  })

  it('is small where that is asked of a kept output', async () => {
    told(await noisy().resize(600, 300).png().toBuffer())
    const answer = (await (await make({ model: 'pairs/plain', response_format: 'url' })).json()) as {
      data: { url: string }[]
    }
    const path = new URL(answer.data[0]?.url ?? '').pathname.replace('/v1', '')
    const small = await get(studio.router, `${path}?thumbnail=256`)
    expect(small.headers.get('content-type')).toBe('image/webp')
    expect(small.headers.get('x-content-type-options')).toBe('nosniff')
    const bytes = Buffer.from(await small.arrayBuffer())
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width: 256, height: 128 })
    const etag = small.headers.get('etag') ?? ''
    expect((await get(studio.router, `${path}?thumbnail=256`, { 'if-none-match': etag })).status).toBe(304)
    const large = Buffer.from(await (await get(studio.router, `${path}?thumbnail=1024`)).arrayBuffer())
    expect(await sharp(large).metadata()).toMatchObject({ width: 600, height: 300 })
    const odd = await errorOf(await get(studio.router, `${path}?thumbnail=99999`))
    expect(odd).toMatchObject({ status: 400, param: 'thumbnail' })
    const signed = await fetch(`${answer.data[0]?.url}&thumbnail=64`)
    expect((await sharp(Buffer.from(await signed.arrayBuffer())).metadata()).width).toBe(64)
  })

  it('has no thumbnail where it is sound', async () => {
    const sound = await post(
      studio.router,
      '/audio/speech',
      { model: 'sandbox/speech', input: 'hi', voice: 'alloy' },
      { prefer: 'respond-async' },
    )
    const { id } = (await sound.json()) as { id: string }
    await expect
      .poll(async () => ((await (await get(studio.router, `/jobs/${id}`)).json()) as { status: string }).status)
      .toBe('completed')
    const error = await errorOf(await get(studio.router, `/jobs/${id}/outputs/0?thumbnail=64`))
    expect(error).toMatchObject({ status: 400, param: 'thumbnail' })
  })
})

describe('pictures that callers send', () => {
  const edit = (image: string) => post(studio.router, '/images/edits', { model: 'pairs/plain', prompt: 'x', image })
  const sent = () => Buffer.from(studio.asked()[0]?.images[0] ?? '', 'base64')

  it('reach the provider upright and without a word about who took them where', async () => {
    const exif = { IFD0: { Copyright: 'somebody' } }
    const photo = sharp({ create: { width: 64, height: 32, channels: 3, background: 'teal' } }).jpeg()
    const turned = await photo.withMetadata({ orientation: 8, exif }).toBuffer()
    expect((await edit(`data:image/jpeg;base64,${turned.toString('base64')}`)).status).toBe(200)
    expect(sent().includes('somebody')).toBe(false)
    expect(await sharp(sent()).metadata()).toMatchObject({ width: 32, height: 64 })
  })

  it('are made PNG where providers would not know their format', async () => {
    const avif = await sharp({ create: { width: 64, height: 32, channels: 3, background: 'teal' } })
      .avif()
      .toBuffer()
    expect((await edit(`data:image/avif;base64,${avif.toString('base64')}`)).status).toBe(200)
    expect((await sharp(sent()).metadata()).format).toBe('png')
  })

  it('of 60000x60000 pixels are refused by their header, whatever they unpack to', async () => {
    const ihdr = Buffer.from(
      await sharp({ create: { width: 8, height: 8, channels: 3, background: '#fff' } })
        .png()
        .toBuffer(),
    )
    ihdr.writeUInt32BE(60_000, 16)
    ihdr.writeUInt32BE(60_000, 20)
    const { crc32 } = await import('node:zlib')
    ihdr.writeUInt32BE(crc32(ihdr.subarray(12, 29)), 29)
    const before = process.memoryUsage().rss
    const error = await errorOf(await edit(url(ihdr.toString('base64'))))
    expect(error).toMatchObject({ status: 400, code: 'image_too_large', param: 'image' })
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20)
  })

  it('are 415 where they are programs, and are told apart by their bytes', async () => {
    const elf = Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01', 'latin1'), Buffer.alloc(400)])
    expect(await errorOf(await edit(url(elf.toString('base64'))))).toMatchObject({ status: 415, param: 'image' })
  })

  it('are never stored under the name they came with', async () => {
    const form = new FormData()
    form.append('model', 'pairs/plain')
    form.append('prompt', 'x')
    form.append('response_format', 'url')
    form.append('image', new Blob([Buffer.from(png, 'base64')]), '../../etc/cron.d/x.png')
    const headers = { authorization: `Bearer ${studio.router.api_key}` }
    const answer = await fetch(`${studio.router.base_url}/images/edits`, { method: 'POST', headers, body: form })
    const { data } = (await answer.json()) as { data: { url: string }[] }
    expect(answer.status).toBe(200)
    expect(new URL(data[0]?.url ?? '').pathname).toMatch(/^\/v1\/jobs\/job_\w+\/outputs\/0$/)
  })
})

describe('POST /v1/estimate', () => {
  it('takes an edit as a form or with addresses, downloads nothing and calls nobody', async () => {
    const form = new FormData()
    for (const [name, value] of Object.entries({ operation: 'image', model: 'pairs/plain', prompt: 'x', n: '3' }))
      form.append(name, value)
    form.append('image', new Blob([Buffer.from(png, 'base64')]), 'a.png')
    const headers = { authorization: `Bearer ${studio.router.api_key}` }
    const byForm = await fetch(`${studio.router.base_url}/estimate`, { method: 'POST', headers, body: form })
    expect(await byForm.json()).toMatchObject({ object: 'estimate', hold_usd: '0.032000000' })
    const named = { operation: 'image', model: 'pairs/plain', prompt: 'x', image: `${studio.stub.url}/picture.png` }
    expect(await (await post(studio.router, '/estimate', named)).json()).toMatchObject({ hold_usd: '0.011000000' })
    expect(studio.stub.seen).toHaveLength(0)
  })
})
