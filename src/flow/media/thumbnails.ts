// Small pictures of a job's pictures, for lists and galleries: made when asked for, remembered in memory for a while. They
// are never stored, so they are gone when the picture is.
import { LRUCache } from 'lru-cache'
import { ImageRefused, thumbnailOf } from '../../media/image.ts'
import type { Storage } from '../../media/store.ts'
import type { JobOutput } from '../../store/jobs.ts'
import { Failure } from '../failure.ts'

/** The longer side, in pixels; a picture that is smaller stays as it is. */
export const THUMBNAIL_EDGES = ['64', '128', '256', '512', '1024'] as const

/** Thousands of a few kilobytes. */
const REMEMBERED_BYTES = 16 * 2 ** 20

interface Wanted {
  storage: Pick<Storage, 'open'>
  key: string
  edge: number
}

/** By content, so that one and the same picture is made small once. */
const remembered = new LRUCache<string, Buffer, Wanted>({
  maxSize: REMEMBERED_BYTES,
  sizeCalculation: (made) => Math.max(1, made.length),
  fetchMethod: (_name, _stale, { context }) => make(context),
})

/** WebP. Throws Failure 400 for what is no picture, 404 where it is gone. */
export async function thumbnail(
  storage: Pick<Storage, 'open'>,
  { type, key, sha256 }: JobOutput,
  edge: number,
): Promise<Buffer> {
  if (type !== 'image')
    throw new Failure(400, 'unsupported_parameter', `This output is ${type} and has no thumbnail.`, {
      param: 'thumbnail',
    })
  const made =
    key === null ? undefined : await remembered.fetch(`${sha256} ${edge}`, { context: { storage, key, edge } })
  if (made) return made
  throw new Failure(404, 'output_expired', 'This output was removed when its time was over.', { param: 'n' })
}

async function make({ storage, key, edge }: Wanted): Promise<Buffer | undefined> {
  const file = await storage.open(key)
  if (!file) return undefined
  const chunks: Buffer[] = []
  for await (const chunk of file.body) chunks.push(chunk as Buffer)
  try {
    return await thumbnailOf(Buffer.concat(chunks), edge)
  } catch (error) {
    if (!(error instanceof ImageRefused)) throw error
    throw new Failure(400, error.code, `There is no thumbnail of this output: ${error.message}`, { param: 'thumbnail' })
  }
}
