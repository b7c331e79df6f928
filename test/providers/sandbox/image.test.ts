// The sandbox's pictures, decoded again: sizes, formats, edits, masks, partial pictures, refusals and the price's facts.
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { type Asset, type Call, ERROR_KINDS, type ErrorKind, type ImageRequest } from '../../../src/contract.ts'
import { callFor, capability } from './sandbox.ts'

const image = capability('image')

async function draw(request: Partial<ImageRequest> = {}, call: Partial<Call> = {}) {
  const whole = { model: 'sandbox/image', prompt: 'A red fox', n: 1, ...request }
  const progress = await image.start(whole, callFor('image', call))
  if (progress.status !== 'done') throw new Error(`not done: ${progress.status}`)
  const files = progress.output.images.map((drawn) => bytesOf(drawn.image))
  return { files, usage: progress.usage, estimate: image.estimate?.(whole, 'image', {}) }
}

function bytesOf(asset: Asset): Uint8Array {
  if (asset.type !== 'bytes') throw new Error('not a file')
  return asset.data
}
const asset = (data: Uint8Array): Asset => ({ type: 'bytes', data, media_type: 'image/png' })
const svg = (inside: string, width = 300, height = 200) =>
  sharp(Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${inside}</svg>`))
    .png()
    .toBuffer()
const only = (files: Uint8Array[]): Uint8Array => files[0] ?? new Uint8Array()

async function pixel(file: Uint8Array, x: number, y: number): Promise<number[]> {
  const { data } = await sharp(file)
    .ensureAlpha()
    .extract({ left: x, top: y, width: 1, height: 1 })
    .raw()
    .toBuffer({ resolveWithObject: true })
  return [...data]
}

describe('a picture', () => {
  test.each([
    ['auto', 1024, 1024],
    [undefined, 1024, 1024],
    ['64x64', 64, 64],
    ['1536x1024', 1536, 1024],
    ['300x900', 300, 900],
    ['4096x1366', 4096, 1366],
  ])('of size %s is %i by %i pixels', async (size, width, height) => {
    const { files, usage } = await draw(size === undefined ? {} : { size })
    expect(await sharp(only(files)).metadata()).toMatchObject({ format: 'png', width, height, hasAlpha: false })
    expect(usage.attributes).toEqual({ size: `${width}x${height}`, quality: 'auto' })
  })

  test.each(['png', 'webp', 'jpeg'])('is a %s file when asked for', async (output_format) => {
    const { files } = await draw({ output_format, size: '256x256' })
    expect((await sharp(only(files)).metadata()).format).toBe(output_format)
  })

  test('is smaller when compression may cost more', async () => {
    const fine = await draw({ output_format: 'jpeg', output_compression: 95 })
    const coarse = await draw({ output_format: 'jpeg', output_compression: 10 })
    expect(only(coarse.files).length).toBeLessThan(only(fine.files).length)
  })

  test('is the same twice, another for other words, and every one of n is different', async () => {
    const request = { n: 3, size: '128x128' }
    const [first, again, other] = [
      await draw(request),
      await draw(request),
      await draw({ ...request, prompt: 'A blue fox' }),
    ]
    expect(first.files).toEqual(again.files)
    expect(new Set([...first.files, ...other.files].map((file) => Buffer.from(file).toString('base64'))).size).toBe(6)
  })

  test('bears the words of the prompt, without its orders', async () => {
    const [plain, ordered] = [
      await draw({ size: '256x256' }),
      await draw({ size: '256x256', prompt: '[[delay:1ms]] A red fox' }),
    ]
    expect(plain.files).toEqual(ordered.files)
  })

  test('has a transparent sky when asked for', async () => {
    const { files } = await draw({ background: 'transparent', output_format: 'webp', size: '256x256' })
    expect((await pixel(only(files), 250, 60))[3]).toBe(0)
    expect((await pixel(only(files), 128, 240))[3]).toBeGreaterThan(0)
  })

  test('copes with any words, among them markup, line breaks, foreign scripts and none', async () => {
    for (const prompt of ['<script>&amp;"\'', 'a\n\nb', '日本語 👩‍👩‍👧', 'x'.repeat(5000), '', '\u0000\ud800']) {
      expect(await sharp(only((await draw({ prompt, size: '64x64' })).files)).stats()).toBeDefined()
    }
  })
})

describe('an edit', () => {
  test("repaints only the mask's transparent area", async () => {
    const source = await svg('<rect width="300" height="200" fill="#ff8800"/>')
    const mask = await svg('<rect width="150" height="200" fill="black"/>')
    const { files } = await draw({ images: [asset(source)], mask: asset(mask), size: '300x200' })
    expect(await pixel(only(files), 40, 100)).toEqual([255, 136, 0, 255])
    expect(await pixel(only(files), 260, 60)).not.toEqual([255, 136, 0, 255])
  })

  test('without a mask tints the picture it was given and takes others beside it', async () => {
    const red = asset(await svg('<rect width="300" height="200" fill="#ff0000"/>'))
    const green = asset(await svg('<rect width="300" height="200" fill="#00ff00"/>'))
    const { files } = await draw({ images: [red, green], size: '300x200' })
    const [middle, corner] = [await pixel(only(files), 100, 80), await pixel(only(files), 290, 10)]
    expect(middle[0]).toBeGreaterThan(middle[1] ?? 255)
    expect(corner[1]).toBeGreaterThan(corner[0] ?? 255)
  })

  test('fits a picture of another shape, turned as its camera was held', async () => {
    const wide = await sharp({ create: { width: 400, height: 100, channels: 3, background: 'navy' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer()
    const { files } = await draw({ images: [asset(wide)], size: '200x300' })
    expect(await sharp(only(files)).metadata()).toMatchObject({ width: 200, height: 300 })
  })

  test('refuses what is no picture, a cut file, an address and a mask without transparency', async () => {
    const source = await svg('<rect width="300" height="200" fill="red"/>')
    const opaque = await sharp(source).removeAlpha().png().toBuffer()
    const far: Asset = { type: 'url', url: 'https://pictures.example/a.png' }
    const cases: [Partial<ImageRequest>, string][] = [
      [{ images: [asset(Buffer.from('not a picture'))] }, 'image'],
      [{ images: [asset(source.subarray(0, source.length / 2))] }, 'image'],
      [{ images: [far] }, 'image'],
      [{ images: [asset(source)], mask: asset(opaque) }, 'mask'],
      [{ images: [asset(source)], mask: asset(Buffer.from('no')) }, 'mask'],
      [{ mask: asset(source) }, 'mask'],
    ]
    for (const [request, param] of cases) {
      await expect(draw(request)).rejects.toMatchObject({ kind: 'invalid_request', detail: { param } })
    }
  })
})

describe('a request', () => {
  test('is estimated at exactly what it then consumes', async () => {
    const { usage, estimate } = await draw({ n: 10, size: '64x128', quality: 'high' })
    expect(usage).toEqual({
      meters: { images: 10 },
      attributes: { size: '64x128', quality: 'high' },
      source: 'reported',
    })
    expect(estimate).toEqual({ ...usage, source: 'estimated' })
  })

  test('may watch unfinished pictures, each coming closer to the finished one', async () => {
    const seen: { index: number; file: Uint8Array }[] = []
    const partial = (drawn: Asset, index: number) => seen.push({ index, file: bytesOf(drawn) })
    const { files } = await draw({ partial_images: 3, size: '256x256' }, { partial })
    const whole = await sharp(only(files)).raw().toBuffer()
    const distances = await Promise.all(
      seen.map(async ({ file }) =>
        (await sharp(file).raw().toBuffer()).reduce((sum, value, at) => sum + Math.abs(value - (whole[at] ?? 0)), 0),
      ),
    )
    expect(seen.map(({ index }) => index)).toEqual([0, 1, 2])
    expect(distances).toEqual([...distances].sort((a, b) => b - a))
    expect(distances.at(-1)).toBeGreaterThan(0)
  })

  test.each<[Partial<ImageRequest>, string]>([
    [{ size: '63x64' }, 'size'],
    [{ size: '4097x4096' }, 'size'],
    [{ size: '100x301' }, 'size'],
    [{ size: 'big' }, 'size'],
    [{ size: '1024×1024' }, 'size'],
    [{ n: 0 }, 'n'],
    [{ n: 11 }, 'n'],
    [{ n: 1.5 }, 'n'],
    [{ quality: 'superb' }, 'quality'],
    [{ output_format: 'gif' }, 'output_format'],
    [{ output_compression: 50 }, 'output_compression'],
    [{ output_format: 'webp', output_compression: 101 }, 'output_compression'],
    [{ background: 'transparent', output_format: 'jpeg' }, 'background'],
    [{ background: 'plaid' }, 'background'],
    [{ partial_images: 4 }, 'partial_images'],
    [{ prompt: '[[tokens:5]]' }, 'prompt'],
    [{ prompt: '[[dance]]' }, 'prompt'],
  ])('of %j is refused before any hold, naming %s', async (request, param) => {
    const refused = { kind: 'invalid_request', detail: { param } }
    await expect(draw(request)).rejects.toMatchObject(refused)
    expect(() => image.estimate?.({ model: 'x', prompt: 'x', n: 1, ...request }, 'image', {})).toThrow(param)
  })

  test.each(Object.keys(ERROR_KINDS) as ErrorKind[])('fails with %s when told to', async (kind) => {
    await expect(draw({ prompt: `fox [[fail:${kind}]]` })).rejects.toMatchObject({ kind })
  })

  test('fails once and succeeds on the retry of the same job', async () => {
    const request = { prompt: '[[fail:overloaded once]] fox', size: '64x64' }
    await expect(draw(request, { job: 'job_once' })).rejects.toMatchObject({ kind: 'overloaded' })
    expect((await draw(request, { job: 'job_once' })).files).toHaveLength(1)
  })

  test('ends at once when it is canceled during a delay', async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 10)
    await expect(draw({ prompt: '[[delay:60s]]' }, { signal: controller.signal })).rejects.toMatchObject({
      kind: 'canceled',
    })
  })
})
