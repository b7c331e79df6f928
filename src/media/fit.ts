// A picture brought to an exact size: as large as will fill it, what stands over on two sides cut off.
import { ImageRefused, measureImage, PIXELS_MAX } from './image.ts'
import { sharp } from './sharp.ts'

/** The same bytes where the picture has that size already. Throws ImageRefused. */
export async function fitPicture(
  bytes: Uint8Array,
  { width, height }: { width: number; height: number },
): Promise<{ data: Uint8Array; media_type: string }> {
  const found = await measureImage(bytes)
  const { media_type } = found
  if (found.width === width && found.height === height) return { data: bytes, media_type }
  const fitted = sharp(bytes, { limitInputPixels: PIXELS_MAX, failOn: 'error' })
    .autoOrient()
    .resize(width, height, { fit: 'cover' })
  const encoded = media_type === 'image/jpeg' ? fitted.jpeg({ quality: 95 }) : fitted.png()
  const data = await encoded.toBuffer().catch((cause: unknown) => {
    throw new ImageRefused('unreadable_file', 'The picture is broken and cannot be read.', { cause })
  })
  return { data, media_type: media_type === 'image/jpeg' ? media_type : 'image/png' }
}
