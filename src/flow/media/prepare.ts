// A request as one offer's generator is to have it: with the provider's own name of the model, shaped to what it knows,
// its pictures and masks in the provider's conventions. Changes nothing about what is charged.
import type { ImageGenerator, ImageRequest } from '../../contract.ts'
import { whiteMask } from '../../media/image.ts'
import type { ServingOffer } from '../admit.ts'
import { fitted } from './frames.ts'
import { type GeneratorOperation, generatorOf, type RequestOf, shapedFor } from './generators.ts'

export async function preparedFor<Kind extends GeneratorOperation>(
  offer: ServingOffer,
  operation: Kind,
  request: RequestOf<Kind>,
): Promise<RequestOf<Kind>> {
  const generator = generatorOf(offer.connection, operation)
  const shaped = { ...shapedFor(offer, operation, request), model: offer.upstream }
  if (operation !== 'image') return fitted(generator, operation, shaped)
  return masked(generator as ImageGenerator, shaped as ImageRequest) as Promise<RequestOf<Kind>>
}

async function masked(generator: ImageGenerator, request: ImageRequest): Promise<ImageRequest> {
  const { mask } = request
  if (generator.mask !== 'white' || mask?.type !== 'bytes') return request
  return { ...request, mask: { type: 'bytes', data: await whiteMask(mask.data), media_type: 'image/png' } }
}
