// Pieces of an answer that are written the same way in chunks and in a whole answer of OpenAI's chat format.
import type { ChatEvent, FinishReason, JsonObject } from '../../contract.ts'
import { record } from '../lenient.ts'

/** What is the same in every chunk. `id` begins with chatcmpl-; `created` is in seconds. */
export interface AnswerHead {
  id: string
  created: number
  model: string
}

export const FINISH_REASONS: Record<FinishReason, string> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  content_filter: 'content_filter',
  // This format has no word for them; a refusal by the provider's classifier ends as a filter does.
  refusal: 'content_filter',
  pause: 'stop',
}

/** A piece of sound, or the whole of it. */
export function audioOf({ id, data, transcript, expires_at }: Extract<ChatEvent, { type: 'audio' }>): JsonObject {
  return {
    ...(id === undefined ? {} : { id }),
    ...(data === undefined ? {} : { data }),
    ...(transcript === undefined ? {} : { transcript }),
    ...(expires_at === undefined ? {} : { expires_at }),
  }
}

/** OpenAI's own chat answers have no pictures; this is OpenRouter's way, which clients know. */
export function imageOf({ image }: Extract<ChatEvent, { type: 'image' }>): JsonObject {
  const url =
    image.type === 'url' ? image.url : `data:${image.media_type};base64,${Buffer.from(image.data).toString('base64')}`
  return { type: 'image_url', image_url: { url } }
}

/** A citation as OpenAI's annotation. */
export function citationOf({ citation }: Extract<ChatEvent, { type: 'citation' }>): JsonObject {
  const { url = '', title = '', start = 0, end = 0 } = citation
  return { type: 'url_citation', url_citation: { url, title, start_index: start, end_index: end } }
}

/**
 * What a model wants back with its call of a tool, where Google's own server of this format puts it (its guide on thought
 * signatures, 2026-11): clients that know the field hand it back.
 */
export const signed = (signature: string | undefined): JsonObject =>
  signature === undefined ? {} : { extra_content: { google: { thought_signature: signature } } }

export function signatureOf(call: Record<string, unknown>): { signature?: string } {
  const { thought_signature } = record(record(call.extra_content).google)
  return typeof thought_signature === 'string' ? { signature: thought_signature } : {}
}
