// What a stream said, kept while it runs in case its reader leaves: bounded, and forgotten when the reader stays.
import type { ChatFront } from '../protocols/front.ts'
import type { JobOutput } from '../store/jobs.ts'
import { storeJson } from './outputs.ts'
import type { Services } from './services.ts'
import type { Work } from './work.ts'

/** A longer stream is kept from its beginning to here. */
const BYTES_MAX = 512 * 1024

export class Transcript {
  readonly #chunks: Uint8Array[] = []
  #bytes = 0

  push(chunk: Uint8Array): void {
    if (this.#bytes >= BYTES_MAX) return
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
  }

  get whole(): Uint8Array {
    return Buffer.concat(this.#chunks)
  }
}

/** Stores the answer of a chat whose reader left, as the JSON answer that a caller without streaming would have got. */
export async function storeTranscript(
  services: Services,
  work: Work,
  front: ChatFront,
  transcript: Transcript,
): Promise<JobOutput[]> {
  return [await storeJson(services, work.job, JSON.stringify(front.readStream(transcript.whole)))]
}
