// Makes the sandbox's pictures with sharp: drawn anew, painted over a caller's picture, unfinished, encoded. Knows the
// size and the words; whether a request is allowed is image.ts's business.

import type { Asset } from '../../src/contract.ts'
import { refusal } from './refusal.ts'
import { colour, sceneSvg } from './scene.ts'
import { seededNumbers } from './seeded.ts'
import { type Sharp, sharp } from './sharp.ts'

export type PictureFormat = 'png' | 'webp' | 'jpeg'

export interface PicturePlan {
  width: number
  height: number
  words: string
  transparent: boolean
  format: PictureFormat
  /** 0 to 100, for WebP and JPEG. */
  compression: number
  images: Uint8Array[]
  mask?: Uint8Array
}

/** Pixels that a caller may make us unpack: a 48-megapixel photograph passes, a decompression bomb does not. */
const MOST_INPUT_PIXELS = 50_000_000

/** Pixels as sharp takes them back. */
export interface Raster {
  data: Buffer
  raw: { width: number; height: number; channels: 1 | 2 | 3 | 4 }
}

/** The pixels of picture `index`. Throws invalid_request, naming `image` or `mask`, for files it cannot read. */
export async function paint(plan: PicturePlan, index: number): Promise<Raster> {
  const painted = plan.images.length === 0 ? scene(plan, index, 'painted') : await edited(plan, index)
  return rasterOf(plan.transparent ? painted.ensureAlpha() : painted.flatten({ background: '#ffffff' }).removeAlpha())
}

function scene(plan: PicturePlan, index: number, backdrop: 'painted' | 'open'): Sharp {
  const svg = sceneSvg({
    width: plan.width,
    height: plan.height,
    seed: `${plan.words} ${index}`,
    caption: plan.words,
    label: `${plan.width}x${plan.height} sandbox`,
    backdrop: plan.transparent && backdrop === 'painted' ? 'sky_open' : backdrop,
  })
  return sharp(Buffer.from(svg))
}

/** With a mask only its transparent area is painted anew; without one the whole picture is tinted and captioned. */
async function edited(plan: PicturePlan, index: number): Promise<Sharp> {
  const [first, ...others] = await Promise.all(plan.images.map((image) => fitted(plan, image)))
  if (first === undefined) throw new Error('an edit without a picture')
  const layers = others.map((other, place) => inset(plan, other, place))
  const top = plan.mask === undefined ? await tinted(plan, index) : [await repainted(plan, plan.mask, index)]
  return sharp(first.data, { raw: first.raw }).composite([...(await Promise.all(layers)), ...top])
}

const fitted = (plan: PicturePlan, image: Uint8Array): Promise<Raster> =>
  readable('image', () =>
    rasterOf(open(image).autoOrient().resize(plan.width, plan.height, { fit: 'cover' }).ensureAlpha()),
  )

async function inset(plan: PicturePlan, picture: Raster, place: number) {
  const side = Math.max(8, Math.round(Math.min(plan.width, plan.height) / 6))
  const { data, raw } = await rasterOf(sharp(picture.data, { raw: picture.raw }).resize(side, side))
  const across = Math.max(1, Math.floor(plan.width / (side + 4)))
  const left = Math.max(0, plan.width - (side + 4) * ((place % across) + 1))
  return { input: data, raw, left, top: Math.min(plan.height - side, 4 + Math.floor(place / across) * (side + 4)) }
}

async function tinted(plan: PicturePlan, index: number) {
  const hue = seededNumbers(`${plan.words} ${index}`)() * 360
  const rectangle = `<rect width="100%" height="100%" fill="${colour(hue, 80, 50)}" opacity="0.35"/>`
  const tint = `<svg xmlns="http://www.w3.org/2000/svg" width="${plan.width}" height="${plan.height}">${rectangle}</svg>`
  // "atop" keeps what is transparent in the caller's picture transparent.
  return [
    { input: Buffer.from(tint), blend: 'atop' as const },
    { input: await scene(plan, index, 'open').png().toBuffer() },
  ]
}

async function repainted(plan: PicturePlan, mask: Uint8Array, index: number) {
  const { hasAlpha } = await readable('mask', () => open(mask).metadata())
  if (!hasAlpha) {
    throw refusal('mask', 'it has no transparent area, send a PNG with an alpha channel')
  }
  const holes = await readable('mask', () =>
    rasterOf(
      open(mask)
        .autoOrient()
        .resize(plan.width, plan.height, { fit: 'cover' })
        .ensureAlpha()
        .extractChannel(3)
        .negate(),
    ),
  )
  const paint = await rasterOf(scene({ ...plan, transparent: false }, index, 'painted').removeAlpha())
  const { data, raw } = await rasterOf(
    sharp(paint.data, { raw: paint.raw }).joinChannel(holes.data, { raw: holes.raw }),
  )
  return { input: data, raw }
}

const open = (image: Uint8Array): Sharp => sharp(image, { limitInputPixels: MOST_INPUT_PIXELS, failOn: 'error' })

async function readable<Result>(field: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (cause) {
    throw refusal(field, 'it cannot be read, send a whole PNG, JPEG or WebP file', cause)
  }
}

async function rasterOf(picture: Sharp): Promise<Raster> {
  const { data, info } = await picture.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })
  return { data, raw: { width: info.width, height: info.height, channels: info.channels } }
}

/** A coarse first state of a picture, finer with each `step` from 0. */
export async function unfinished(raster: Raster, step: number): Promise<Raster> {
  const { width, height } = raster.raw
  const coarse = Math.max(2, Math.round(width / (32 >> step)))
  const small = await rasterOf(sharp(raster.data, { raw: raster.raw }).resize({ width: coarse }))
  return rasterOf(sharp(small.data, { raw: small.raw }).resize(width, height, { fit: 'fill', kernel: 'cubic' }))
}

export async function encoded({ data, raw }: Raster, plan: PicturePlan): Promise<Asset> {
  const picture = sharp(data, { raw })
  if (plan.format === 'png') picture.png({ compressionLevel: 3 })
  else if (plan.format === 'webp') picture.webp({ quality: Math.max(1, plan.compression), effort: 2 })
  else picture.jpeg({ quality: Math.max(1, plan.compression) })
  return { type: 'bytes', data: await picture.toBuffer(), media_type: `image/${plan.format}` }
}
