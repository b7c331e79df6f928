// The answer of a provider that speaks at once: a file as it comes, handed on to who listens, and whole in the end.
import { type Call, ProviderError, type WireAnswer } from '../../contract.ts'

/** An hour of MP3 at 128 kbit/s, several times over. */
const SOUND_BYTES_MAX = 256 * 2 ** 20

/** Throws ProviderError 'bad_response' for what is no sound, or none at all. */
export async function readSpoken(answer: WireAnswer, call: Call, provider: string): Promise<Buffer> {
  const type = answer.headers['content-type'] ?? ''
  if (/json|text|html/.test(type)) throw new ProviderError('bad_response', `${provider} answered without a sound.`)
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of answer.body) {
    bytes += piece.byteLength
    if (bytes > SOUND_BYTES_MAX) throw new ProviderError('bad_response', `${provider} answered with too much sound.`)
    pieces.push(piece)
    call.sound?.(piece)
  }
  if (bytes === 0) throw new ProviderError('bad_response', `${provider} answered with an empty sound.`)
  return Buffer.concat(pieces)
}
