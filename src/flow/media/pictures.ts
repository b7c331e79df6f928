// Pictures that callers send to be edited, and their masks: brought here, checked by their header before a pixel of them
// is decoded, turned upright and rid of what they tell of their makers. They are not kept.
import type { Asset } from '../../contract.ts'
import { alphaMask, hasTransparency, type ImageSize, plainImage } from '../../media/image.ts'
import { Failure } from '../failure.ts'
import type { Bytes } from './outputs.ts'
import { naming, takeUpload } from './uploads.ts'

const IMAGE_BYTES_MAX = 50 * 2 ** 20

export interface SentPictures {
  images: Asset[]
  mask?: Asset | undefined
}

/** Throws Failure: 415 for what is no picture, 413, 400 for one that is broken, too large, or a mask of another size. */
export async function takePictures(
  { images, mask }: SentPictures,
  signal: AbortSignal,
): Promise<{ images: Bytes[]; mask?: Bytes }> {
  const taken = await Promise.all(images.map((image) => take(image, 'image', signal)))
  const masking = mask && (await take(mask, 'mask', signal))
  const [first] = taken
  if (masking && !first) throw new Failure(400, 'invalid_value', "'mask' needs an 'image'.", { param: 'mask' })
  if (masking && first) checkSize(masking.size, first.size)
  return {
    images: taken.map(({ file }) => file),
    ...(masking && { mask: await transparent(masking.file) }),
  }
}

interface Taken {
  file: Bytes
  size: ImageSize
}

async function take(asset: Asset, param: string, signal: AbortSignal): Promise<Taken> {
  const upload = await takeUpload(asset, { param, kinds: ['image'], max_bytes: IMAGE_BYTES_MAX, signal })
  const { data, ...size } = await naming(param, () => plainImage(upload.data))
  const { media_type } = size
  // A name would say another format than the file has now.
  const filename = media_type === upload.media_type ? upload.filename : undefined
  return { file: { type: 'bytes', data, media_type, ...(filename !== undefined && { filename }) }, size }
}

function checkSize(mask: ImageSize, image: ImageSize): void {
  if (mask.width === image.width && mask.height === image.height) return
  const message = `The mask has ${mask.width}x${mask.height} pixels and the picture ${image.width}x${image.height}: they must be equal.`
  throw new Failure(400, 'invalid_value', message, { param: 'mask' })
}

/** The other convention, black and white, is understood too: a mask without transparency would say nothing else. */
async function transparent(mask: Bytes): Promise<Bytes> {
  if (await hasTransparency(mask.data)) return mask
  const data = await naming('mask', () => alphaMask(mask.data))
  return { type: 'bytes', data, media_type: 'image/png' }
}
