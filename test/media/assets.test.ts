// Files by bytes, address and data: URL come out as the same thing, typed by their content.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type LoadOptions, loadAsset } from '../../src/media/assets.ts'
import { Stub } from '../providers/stub.ts'
import { html, mp3, picture, svg } from './samples.ts'

let stub: Stub
beforeEach(async () => {
  stub = await new Stub().start()
})
afterEach(() => stub.stop())

const png = await picture().png().toBuffer()
const options = (more: Partial<LoadOptions> = {}): LoadOptions => ({
  max_bytes: 100_000,
  kinds: ['image'],
  signal: new AbortController().signal,
  ...more,
})

describe('loadAsset', () => {
  it('gives the same file whatever way it came, typed by its bytes', async () => {
    stub.answer = (response) => response.writeHead(200, { 'content-type': 'text/html' }).end(png)
    const allowed_hosts = [new URL(stub.url).host]
    const expected = { type: 'bytes', data: png, media_type: 'image/png' }
    expect(await loadAsset({ type: 'bytes', data: png, media_type: 'audio/mpeg' }, options())).toEqual(expected)
    expect(await loadAsset({ type: 'url', url: `${stub.url}/a/cat.png?sig=1` }, options({ allowed_hosts }))).toEqual({
      ...expected,
      filename: 'cat.png',
    })
    const data_url = `data:image/jpeg;base64,${png.toString('base64')}`
    expect(await loadAsset({ type: 'url', url: data_url }, options())).toEqual(expected)
    expect(stub.seen[0]?.headers.accept).toBe('image/*, */*;q=0.5')
  })

  it('says what it expected and what it found', async () => {
    const load = (data: Uint8Array) => loadAsset({ type: 'bytes', data, media_type: 'image/png' }, options())
    await expect(load(mp3)).rejects.toThrow('The file is audio/mpeg by its content; expected a picture (PNG, JPEG')
    await expect(load(svg)).rejects.toMatchObject({ code: 'wrong_file_type' })
    await expect(load(html)).rejects.toMatchObject({ code: 'wrong_file_type' })
    await expect(load(Buffer.alloc(0))).rejects.toThrow('The file is empty')
    await expect(load(Buffer.alloc(9, 1))).rejects.toThrow('of no known type')
  })

  it('limits every way', async () => {
    stub.answer = (response) => response.end(png)
    const small = options({ max_bytes: 50, allowed_hosts: [new URL(stub.url).host] })
    const data_url = `data:;base64,${png.toString('base64')}`
    for (const asset of [
      { type: 'bytes', data: png, media_type: 'image/png' },
      { type: 'url', url: stub.url },
      { type: 'url', url: data_url },
    ] as const) {
      await expect(loadAsset(asset, small)).rejects.toMatchObject({ code: 'file_too_large' })
    }
  })

  it('asks no address inside, also when a provider names it', async () => {
    await expect(loadAsset({ type: 'url', url: `${stub.url}/result.png` }, options())).rejects.toMatchObject({
      code: 'unsafe_url',
    })
    expect(stub.seen).toEqual([])
  })

  it('believes a provider that says raw samples', async () => {
    const asset = { type: 'bytes', data: Buffer.alloc(100), media_type: 'audio/pcm' } as const
    expect((await loadAsset(asset, options({ kinds: ['audio'] }))).media_type).toBe('audio/pcm')
  })
})
