// Pictures: their size, and their change into another format, a smaller one, or another kind of mask. Pixels are counted
// before any is decoded.
import { MediaError } from './media_error.ts'
import { sharp } from './sharp.ts'
import { sniff } from './sniff.ts'
import { withoutMetadata } from './strip.ts'

/** The formats that we can make of any other. */
export const PICTURE_FORMATS = ['png', 'jpeg', 'webp'] as const
export type PictureFormat = (typeof PICTURE_FORMATS)[number]

/** Twice what phones take at most as one picture of 8 bits a colour: 512 MB while it is decoded. */
export const PIXELS_MAX = 128 * 2 ** 20

/** The picture is too large, broken, or no picture. */
export class ImageRefused extends MediaError {
  override name = 'ImageRefused'
}

export interface ImageSize {
  /** As shown, after the turn that its metadata asks for. */
  width: number
  height: number
  media_type: string
}

/** Reads the header alone. */
export async function measureImage(bytes: Uint8Array): Promise<ImageSize> {
  const { width, height, media_type } = await readHeader(bytes)
  return { width, height, media_type }
}

async function readHeader(bytes: Uint8Array) {
  const { kind, media_type } = await sniff(bytes)
  // sharp would also read SVG, which can ask for files and addresses.
  if (kind !== 'image') throw new ImageRefused('wrong_file_type', `The file is no picture (${media_type}).`)
  const header = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((error) => {
      throw unreadable(error)
    })
  const { autoOrient, width, height, orientation = 1, space, hasAlpha } = header
  if (width * height > PIXELS_MAX) {
    throw new ImageRefused(
      'image_too_large',
      `The picture has ${width}x${height} pixels, more than ${PIXELS_MAX} in all.`,
    )
  }
  return { ...autoOrient, media_type, isTurned: orientation > 1, space, hasAlpha }
}

export interface ConvertOptions {
  format: PictureFormat
  /** 0 to 100, as OpenAI's output_compression: the quality of JPEG and WebP. */
  compression?: number
  /** Always: a picture's metadata may say where it was taken. */
  strip_metadata: true
}

/** The first frame of any picture, turned upright, without metadata; on white where the format has no transparency. */
export async function convertImage(
  bytes: Uint8Array,
  { format, compression }: ConvertOptions,
): Promise<ImageSize & { data: Buffer }> {
  await measureImage(bytes)
  const upright = open(bytes)
  const quality = compression === undefined ? {} : { quality: Math.max(1, compression) }
  const encoded = {
    png: () => upright.png(),
    jpeg: () => upright.flatten({ background: 'white' }).jpeg(quality),
    webp: () => upright.webp(quality),
  }[format]()
  const { data, info } = await encoded.toBuffer({ resolveWithObject: true }).catch((error) => {
    throw unreadable(error)
  })
  return { data, width: info.width, height: info.height, media_type: `image/${format}` }
}

/** Without an embedded profile what comes out is sRGB, which is what everybody takes it for. */
const open = (bytes: Uint8Array) => sharp(bytes, { limitInputPixels: PIXELS_MAX, failOn: 'error' }).autoOrient()

/** Of a picture that had to be turned or mixed anew: nobody sees a difference to it. */
const FAITHFUL = 95

/**
 * The picture as anybody may see it: upright, without metadata, in one of `PICTURE_FORMATS`. Its pixels are touched only
 * where that cannot be had otherwise. Throws ImageRefused.
 */
export async function plainImage(bytes: Uint8Array): Promise<ImageSize & { data: Uint8Array }> {
  const { isTurned, space, ...size } = await readHeader(bytes)
  const format = PICTURE_FORMATS.find((each) => size.media_type === `image/${each}`)
  if (format !== undefined && !isTurned && space !== 'cmyk') {
    const { width, height, media_type } = size
    return { data: withoutMetadata(bytes), width, height, media_type }
  }
  return convertImage(bytes, { format: format ?? 'png', compression: FAITHFUL, strip_metadata: true })
}

/** A WebP of at most `edge` pixels a side; smaller pictures keep their size, what is transparent stays so. */
export async function thumbnailOf(bytes: Uint8Array, edge: number): Promise<Buffer> {
  await measureImage(bytes)
  return open(bytes)
    .resize(edge, edge, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 82 })
    .toBuffer()
    .catch((error) => {
      throw unreadable(error)
    })
}

/** Whether a mask says by transparency what is to be painted anew, as OpenAI's do. */
export async function hasTransparency(mask: Uint8Array): Promise<boolean> {
  if (!(await readHeader(mask)).hasAlpha) return false
  const { isOpaque } = await open(mask)
    .stats()
    .catch((error) => {
      throw unreadable(error)
    })
  return !isOpaque
}

/** OpenAI's mask, where transparent is to be edited, as the other convention: white is to be edited, black stays. A PNG. */
export async function whiteMask(mask: Uint8Array): Promise<Buffer> {
  await measureImage(mask)
  return encodedMask(open(mask).ensureAlpha().extractChannel(3).negate().toColourspace('b-w'))
}

/** The other way: white becomes transparent on black. A PNG with alpha. */
export async function alphaMask(mask: Uint8Array): Promise<Buffer> {
  const { width, height } = await measureImage(mask)
  const kept = open(mask).flatten({ background: 'black' }).greyscale().toColourspace('b-w').negate()
  const { data, info } = await kept
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((error) => {
      throw unreadable(error)
    })
  const black = sharp(Buffer.alloc(width * height * 3), { raw: { width, height, channels: 3 } })
  return encodedMask(black.joinChannel(data, { raw: { width, height, channels: info.channels } }))
}

const encodedMask = (mask: ReturnType<typeof open>): Promise<Buffer> =>
  mask
    .png()
    .toBuffer()
    .catch((error) => {
      throw unreadable(error)
    })

const unreadable = (cause: unknown) =>
  new ImageRefused('unreadable_file', 'The picture is broken and cannot be read.', { cause })
