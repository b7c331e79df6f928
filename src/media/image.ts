// Pictures: their size, and their change into another format. Pixels are counted before any is decoded.

import { MediaError } from './media_error.ts'
import { sharp } from './sharp.ts'
import { sniff } from './sniff.ts'

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
  const { kind, media_type } = await sniff(bytes)
  // sharp would also read SVG, which can ask for files and addresses.
  if (kind !== 'image') throw new ImageRefused('wrong_file_type', `The file is no picture (${media_type}).`)
  const { autoOrient, width, height } = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((error) => {
      throw unreadable(error)
    })
  if (width * height > PIXELS_MAX) {
    throw new ImageRefused(
      'image_too_large',
      `The picture has ${width}x${height} pixels, more than ${PIXELS_MAX} in all.`,
    )
  }
  return { width: autoOrient.width, height: autoOrient.height, media_type }
}

export interface ConvertOptions {
  format: 'png' | 'jpeg' | 'webp'
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
  const upright = sharp(bytes, { limitInputPixels: PIXELS_MAX, failOn: 'error' }).autoOrient()
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

const unreadable = (cause: unknown) =>
  new ImageRefused('unreadable_file', 'The picture is broken and cannot be read.', { cause })
