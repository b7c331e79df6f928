// The pictures that a film begins and ends with, fitted to its size for providers that insist on the very pixels.
import { type Asset, ProviderError, type VideoRequest } from '../../contract.ts'
import { fitPicture } from '../../media/fit.ts'
import { MediaError } from '../../media/media_error.ts'
import { type Pixels, pixelsOf } from '../../protocols/shape.ts'
import type { GeneratorOf, GeneratorOperation, RequestOf } from './generators.ts'

/** Throws ProviderError invalid_request, in the caller's words, for a picture that cannot be read. */
export async function fitted<Kind extends GeneratorOperation>(
  generator: GeneratorOf<Kind>,
  operation: Kind,
  request: RequestOf<Kind>,
): Promise<RequestOf<Kind>> {
  if (operation !== 'video') return request
  const film = request as VideoRequest
  const size = pixelsOf(generator.frame_size?.(request))
  if (!size) return request
  const { first_frame, last_frame } = film
  return {
    ...film,
    ...(first_frame && { first_frame: await atSize(first_frame, size, 'input_reference') }),
    ...(last_frame && { last_frame: await atSize(last_frame, size, 'last_frame') }),
  } as RequestOf<Kind>
}

async function atSize(frame: Asset, size: Pixels, param: string): Promise<Asset> {
  if (frame.type !== 'bytes') return frame
  try {
    return { type: 'bytes', ...(await fitPicture(frame.data, size)) }
  } catch (cause) {
    if (!(cause instanceof MediaError)) throw cause
    throw new ProviderError('invalid_request', `'${param}': ${cause.message}`, { param, cause })
  }
}
