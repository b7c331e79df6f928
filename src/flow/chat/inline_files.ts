// Files that a caller of a chat gave by address, for providers that fetch none: brought here through the guard and handed
// over as bytes. What the provider can fetch itself is left alone.
import type { ChatConnection, ChatMessage, ChatRequest, ContentPart } from '../../contract.ts'
import type { FileKind } from '../../media/sniff.ts'
import type { Bytes } from '../media/outputs.ts'
import { takeUpload } from '../media/uploads.ts'

/** What Google takes in a request (ai.google.dev/gemini-api/docs/files). */
const FILE_BYTES_MAX = 20 * 2 ** 20

/** Brings one file here. Throws Failure for what cannot be had, or is something else. */
export type Load = (url: string, kinds: FileKind[], param: string) => Promise<Bytes>

export const loadThroughGuard =
  (signal: AbortSignal): Load =>
  (url, kinds, param) =>
    takeUpload({ type: 'url', url }, { param, kinds, max_bytes: FILE_BYTES_MAX, signal })

type Fetches = NonNullable<ChatConnection['fetches']>

/** The same request, its files as bytes where this provider needs them; each address is fetched once. */
export async function inlineFiles(request: ChatRequest, fetches: Fetches, load: Load): Promise<ChatRequest> {
  const files = new Map<string, Promise<Bytes>>()
  const once: Load = (url, kinds, param) => {
    const file = files.get(url) ?? load(url, kinds, param)
    files.set(url, file)
    return file
  }
  const messages = await Promise.all(
    request.messages.map(
      async (message): Promise<ChatMessage> => ({
        ...message,
        content: await inlineParts(message.content, fetches, once),
      }),
    ),
  )
  return { ...request, messages }
}

const inlineParts = (parts: ContentPart[], fetches: Fetches, load: Load): Promise<ContentPart[]> =>
  Promise.all(parts.map((part) => inlinePart(part, fetches, load)))

async function inlinePart(part: ContentPart, fetches: Fetches, load: Load): Promise<ContentPart> {
  const param = 'messages'
  const bring = async (asset: { type: string }, kinds: FileKind[]): Promise<Bytes | undefined> => {
    const { type, url } = asset as { type: string; url?: string }
    return type === 'url' && url !== undefined && !fetches(url) ? load(url, kinds, param) : undefined
  }
  switch (part.type) {
    case 'image':
      return { ...part, image: (await bring(part.image, ['image'])) ?? part.image }
    case 'audio':
      return { ...part, audio: (await bring(part.audio, ['audio', 'video'])) ?? part.audio }
    case 'video':
      return { ...part, video: (await bring(part.video, ['video'])) ?? part.video }
    case 'document':
      return { ...part, document: (await bring(part.document, ['document', 'image', 'other'])) ?? part.document }
    case 'tool_result':
      return { ...part, content: await inlineParts(part.content, fetches, load) }
    default:
      return part
  }
}
