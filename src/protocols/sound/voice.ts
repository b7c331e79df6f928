// The voice that a request names, by a text or as `{id}`. Which voices there are is the provider's.
import type { Json } from '../../contract.ts'
import { refuse } from '../faults.ts'
import { record } from '../lenient.ts'

/** Throws ProviderError naming the field. */
export function voiceNamed(voice: Json): string {
  const name = typeof voice === 'string' ? voice : record(voice).id
  if (typeof name === 'string' && name !== '') return name
  throw refuse('voice', "'voice' must be the name or the id of a voice.")
}
