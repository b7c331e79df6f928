// Words and pieces of Google's format that are read and written in several places.
import type { ChatEvent, FinishReason, JsonObject } from '../../contract.ts'
import { base64Of } from '../address.ts'

const FINISH_REASONS: Record<string, FinishReason> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  CONTINUATION: 'pause',
  SAFETY: 'content_filter',
  RECITATION: 'content_filter',
  LANGUAGE: 'content_filter',
  OTHER: 'content_filter',
  BLOCKLIST: 'content_filter',
  PROHIBITED_CONTENT: 'content_filter',
  SPII: 'content_filter',
  IMAGE_SAFETY: 'content_filter',
  IMAGE_PROHIBITED_CONTENT: 'content_filter',
  IMAGE_RECITATION: 'content_filter',
  IMAGE_OTHER: 'content_filter',
  NO_IMAGE: 'content_filter',
}
/** What we do not know is an ordinary end. */
export const finishReason = (reason: string): FinishReason => FINISH_REASONS[reason] ?? 'stop'

/** The model wrote something that Google could not read: MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL and their like. */
export const isFailure = (reason: string): boolean => /^(?:MALFORMED_|UNEXPECTED_TOOL|TOO_MANY_TOOL)/.test(reason)

/** A call of a tool is an ordinary end here: the part says that it was called. */
export const GOOGLE_REASONS: Record<FinishReason, string> = {
  stop: 'STOP',
  tool_calls: 'STOP',
  length: 'MAX_TOKENS',
  content_filter: 'SAFETY',
  refusal: 'SAFETY',
  pause: 'CONTINUATION',
}

/**
 * Signatures of Google's are told from those of other vendors by this mark, for Google refuses a request with a foreign
 * one ("Corrupted thought signature", 2026-10), and a conversation may change its model.
 */
const MARK = 'google:'
export const markSignature = (signature: string): string => MARK + signature
/** In Google's own format it is the other way round: signatures of others are marked, in letters that base64 has too. */
const FOREIGN = 'Foreign0'
export const isForeign = (signature: unknown): boolean => typeof signature === 'string' && signature.startsWith(FOREIGN)

/** A signature as callers of this format get it. */
export const writeSignature = (signature: string): string => googleSignature(signature) ?? FOREIGN + signature

/** One that a caller of this format gave back. */
export const readSignature = (signature: string): string =>
  isForeign(signature) ? signature.slice(FOREIGN.length) : markSignature(signature)

/** Undefined for a signature of somebody else's. */
export const googleSignature = (signature: string | undefined): string | undefined =>
  signature?.startsWith(MARK) ? signature.slice(MARK.length) : undefined

/** A piece of an answer as a part; undefined for what is none. Calls of tools are not here: they come in pieces. */
export function partOf(event: ChatEvent): JsonObject | undefined {
  switch (event.type) {
    case 'text':
    case 'refusal':
      return { text: event.text }
    case 'reasoning':
      if (event.text === undefined && event.signature === undefined) return undefined
      return {
        text: event.text ?? '',
        thought: true,
        ...(event.signature === undefined ? {} : { thoughtSignature: writeSignature(event.signature) }),
      }
    case 'image':
      return event.image.type === 'url'
        ? {
            fileData: { fileUri: event.image.url, ...(event.image.media_type && { mimeType: event.image.media_type }) },
          }
        : { inlineData: { mimeType: event.image.media_type, data: base64Of(event.image.data) } }
    case 'audio':
      // Other formats do not name the kind of sound; 24 kHz PCM is what Google's own speech is.
      return event.data === undefined
        ? undefined
        : { inlineData: { mimeType: 'audio/pcm;rate=24000', data: event.data } }
    default:
      return undefined
  }
}

/** A citation as Google tells where a text was found. */
export function citationOf({ citation }: Extract<ChatEvent, { type: 'citation' }>): JsonObject {
  const { url, title, start, end } = citation
  return {
    ...(start === undefined ? {} : { startIndex: start }),
    ...(end === undefined ? {} : { endIndex: end }),
    ...(url === undefined ? {} : { uri: url }),
    ...(title === undefined ? {} : { title }),
  }
}
