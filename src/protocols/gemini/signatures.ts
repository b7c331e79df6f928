// Calls of functions that no model of Google's signed, because another vendor's model made them earlier in the
// conversation: how Google is told so. It knows nothing of the signatures that are there.
import type { Json, JsonObject } from '../../contract.ts'
import { isRecord } from '../lenient.ts'
import { isForeign } from './parts.ts'

/** Google's word for a call whose signature is lost or was never Google's; Gemini 3 refuses calls without any (2026-10). */
export const NO_SIGNATURE = 'skip_thought_signature_validator'

/** A caller's own contents, as this model takes them: those before Gemini 3 ask for no signatures and get none. */
export function signedFor(upstream: string, contents: Json | undefined): Json {
  if (!Array.isArray(contents)) return contents ?? null
  const asks = !/gemini-[12]\b/.test(upstream)
  return contents.flatMap((whole): Json[] => {
    const content = withoutForeign(whole)
    return content === undefined ? [] : [asks ? signed(content) : content]
  })
}

/** Thoughts of other vendors' models are left out, their calls lose their signatures; undefined where nothing is left. */
function withoutForeign(content: Json): Json | undefined {
  if (!isRecord(content) || !Array.isArray(content.parts)) return content
  const given = content.parts as JsonObject[]
  if (!given.some((part) => isForeign(part?.thoughtSignature))) return content as JsonObject
  const parts = given.flatMap(({ thoughtSignature, ...part }) => {
    if (!isForeign(thoughtSignature))
      return [{ ...part, ...(thoughtSignature === undefined ? {} : { thoughtSignature }) }]
    return part.thought === true ? [] : [part]
  })
  return parts.length > 0 ? { ...(content as JsonObject), parts } : undefined
}

function signed(content: Json): Json {
  if (!isRecord(content) || !Array.isArray(content.parts)) return content
  const parts = content.parts as JsonObject[]
  const first = parts.find((part) => part.functionCall)
  if (!first || first.thoughtSignature) return content as JsonObject
  return {
    ...(content as JsonObject),
    parts: parts.map((part) => (part === first ? { ...part, thoughtSignature: NO_SIGNATURE } : part)),
  }
}
