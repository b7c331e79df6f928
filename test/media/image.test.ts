// Pictures: measured without decoding, converted without their metadata, refused where they would hurt.
import { deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { convertImage, measureImage } from '../../src/media/image.ts'
import { picture, svg, words } from './samples.ts'

/** A PNG that says this size and has hardly any data. */
function hollowPng(width: number, height: number): Buffer {
  const chunk = (name: string, body: Buffer) => {
    const named = Buffer.concat([Buffer.from(name), body])
    return Buffer.concat([words(body.length), named, words(crc32(named))])
  }
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', Buffer.concat([words(width, height), Buffer.from([8, 2, 0, 0, 0])])),
    chunk('IDAT', deflateSync(Buffer.alloc(700))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function crc32(bytes: Buffer): number {
  let sum = 0xffffffff
  for (const byte of bytes) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0)
  }
  return ~sum >>> 0
}

describe('measureImage', () => {
  it('gives the size as shown and the type', async () => {
    expect(await measureImage(await picture(64, 48).png().toBuffer())).toEqual({
      width: 64,
      height: 48,
      media_type: 'image/png',
    })
    const turned = await picture(64, 48).jpeg().withMetadata({ orientation: 6 }).toBuffer()
    expect(await measureImage(turned)).toMatchObject({ width: 48, height: 64 })
  })

  it('refuses a picture of 60000 by 60000 in a few bytes by its header', async () => {
    const bomb = hollowPng(60_000, 60_000)
    expect(bomb.length).toBeLessThan(1024)
    const before = process.memoryUsage().rss
    await expect(measureImage(bomb)).rejects.toMatchObject({ code: 'image_too_large' })
    await expect(convertImage(bomb, { format: 'webp', strip_metadata: true })).rejects.toMatchObject({
      code: 'image_too_large',
      message: expect.stringContaining('60000x60000'),
    })
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20)
  })

  it('refuses what is no picture, SVG included', async () => {
    await expect(measureImage(svg)).rejects.toMatchObject({ code: 'wrong_file_type' })
    await expect(measureImage(Buffer.from('hello'))).rejects.toMatchObject({ code: 'wrong_file_type' })
  })

  it('refuses a picture without its header', async () => {
    const png = await picture().png().toBuffer()
    await expect(measureImage(png.subarray(0, 20))).rejects.toMatchObject({ code: 'unreadable_file' })
  })
})

describe('convertImage', () => {
  it('gives the asked format, of the quality asked for', async () => {
    const noise = await sharp(Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, at) => (at * at * 7) % 251)), {
      raw: { width: 64, height: 64, channels: 3 },
    })
      .png()
      .toBuffer()
    const convert = (format: 'png' | 'jpeg' | 'webp', compression?: number) =>
      convertImage(noise, { format, strip_metadata: true, ...(compression !== undefined && { compression }) })
    const fine = await convert('jpeg', 95)
    expect(fine).toMatchObject({ width: 64, height: 64, media_type: 'image/jpeg' })
    expect((await convert('jpeg', 0)).data.length).toBeLessThan(fine.data.length / 2)
    expect((await measureImage((await convert('webp')).data)).media_type).toBe('image/webp')
    expect((await measureImage((await convert('png', 50)).data)).media_type).toBe('image/png')
  })

  it('turns it upright and takes its metadata off', async () => {
    const exif = { IFD0: { Copyright: 'somebody' } }
    const given = await picture(64, 48).jpeg().withMetadata({ orientation: 6, exif }).toBuffer()
    expect(given.includes('somebody')).toBe(true)
    const { data, ...size } = await convertImage(given, { format: 'jpeg', strip_metadata: true })
    expect(size).toMatchObject({ width: 48, height: 64 })
    expect(data.includes('somebody')).toBe(false)
    expect((await sharp(data).metadata()).exif).toBeUndefined()
  })

  it('puts what was transparent on white where the format has no transparency', async () => {
    const clear = await sharp({ create: { width: 8, height: 8, channels: 4, background: '#00000000' } })
      .png()
      .toBuffer()
    const { data } = await convertImage(clear, { format: 'jpeg', strip_metadata: true })
    expect([...(await sharp(data).raw().toBuffer()).subarray(0, 3)]).toEqual([255, 255, 255])
  })

  it('refuses a picture that breaks off', async () => {
    const whole = await picture(400, 400).jpeg().toBuffer()
    const broken = convertImage(whole.subarray(0, whole.length - 400), { format: 'png', strip_metadata: true })
    await expect(broken).rejects.toMatchObject({ code: 'unreadable_file' })
  })
})
