// What a stream said, kept while it runs in case its reader leaves: bounded, and forgotten when the reader stays.
import type { Usage } from '../../contract.ts'
import type { ChatFront } from '../../protocols/front.ts'
import type { JobOutput } from '../../store/jobs.ts'
import { type KeepAnswer, storeJson } from '../media/outputs.ts'
import type { Services } from '../services.ts'
import type { Work } from '../work.ts'
import type { ChatStream } from './chat_stream.ts'

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

/**
 * Stores the answer of a chat whose reader left, as the JSON answer that a caller without streaming would have got. Its
 * end is read with it, for some formats say only there how they ended.
 */
export async function storeTranscript(
  services: Services,
  work: Work,
  { front, stream, transcript, usage }: { front: ChatFront; stream: ChatStream; transcript: Transcript; usage: Usage },
  keep?: KeepAnswer,
): Promise<JobOutput[]> {
  const told = () => front.readStream(Buffer.concat([transcript.whole, stream.tail('0', usage)]))
  // What it cost is written on the job once that is decided.
  const json = front.encodeAnswer(stream.answer?.() ?? told(), usage)
  return keep ? keep(work.job, json) : [await storeJson(services, work.job, json)]
}
