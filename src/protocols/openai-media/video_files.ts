// A finished film's files over OpenAI's /videos: the film, and the stills that some servers keep beside it. They need our key,
// so that their bytes are fetched here and not by address.
import type { Asset, Call, VideoOutput } from '../../contract.ts'
import { unreadable } from '../faults.ts'
import { callOptions, type MediaClient, viaSdk } from './client.ts'

/** A film does not wait long for its stills. */
const STILL_TIMEOUT_MS = 20_000

interface Server {
  provider: string
  sdk: MediaClient
}

/** Throws ProviderError where the film cannot be had; stills are left out then. */
export async function filesOf(server: Server, id: string, call: Call): Promise<VideoOutput> {
  const video = await film(server, id, call)
  const stills = [still(server, id, 'thumbnail', call), still(server, id, 'spritesheet', call)]
  const [thumbnail, spritesheet] = await Promise.all(stills)
  return { video, ...(thumbnail && { thumbnail }), ...(spritesheet && { spritesheet }) }
}

const typeOf = (response: Response): string => response.headers.get('content-type')?.split(';')[0] ?? ''

async function film({ provider, sdk }: Server, id: string, call: Call): Promise<Asset> {
  const { data, type } = await viaSdk(provider, call, async () => {
    const response = await sdk.videos.downloadContent(id, {}, callOptions(call))
    return { data: new Uint8Array(await response.arrayBuffer()), type: typeOf(response) }
  })
  if (data.byteLength === 0) throw unreadable(provider)
  return { type: 'bytes', data, media_type: type.startsWith('video/') ? type : 'video/mp4' }
}

/** Not every server has them: one that answers with an error, or with the film again, has none. */
async function still(
  { provider, sdk }: Server,
  id: string,
  variant: 'thumbnail' | 'spritesheet',
  call: Call,
): Promise<Asset | undefined> {
  try {
    const options = { ...callOptions(call), timeout: STILL_TIMEOUT_MS }
    const response = await viaSdk(provider, call, () => sdk.videos.downloadContent(id, { variant }, options))
    const media_type = typeOf(response)
    if (media_type.startsWith('image/'))
      return { type: 'bytes', data: new Uint8Array(await response.arrayBuffer()), media_type }
    await response.body?.cancel()
  } catch (error) {
    call.signal.throwIfAborted()
    const reason = error instanceof Error ? error.message : String(error)
    call.log.debug({ job: call.job, variant, reason }, 'The server has no such still of the film.')
  }
  return undefined
}
