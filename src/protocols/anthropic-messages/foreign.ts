// Thoughts of other vendors' models in a conversation that now goes on with Anthropic's: they are left out, for Anthropic
// refuses every thought that it did not sign itself. Seals are told apart by how they begin; nothing is unsealed.
import type { Json, JsonObject } from '../../contract.ts'
import { isRecord } from '../lenient.ts'

/** OpenAI's are Fernet tokens, which all begin so; Google's bear the mark that src/protocols/gemini/parts.ts gives them. */
const FOREIGN = /^(?:gAAAAA|google:)/

/** The signature of a thought, or a sealed one. Without any, no model of Anthropic's has thought it. */
export const isForeignSeal = (seal: unknown): boolean => typeof seal !== 'string' || seal === '' || FOREIGN.test(seal)

/** A caller's own messages without the thoughts of others. */
export function withoutForeign(messages: Json | undefined): Json {
  if (!Array.isArray(messages)) return messages ?? null
  return messages.flatMap((message): Json[] => {
    if (!isRecord(message) || !Array.isArray(message.content)) return [message]
    const given = message.content as Json[]
    const content = given.filter((block) => !isForeignThought(block))
    if (content.length === given.length) return [message as JsonObject]
    return content.length === 0 ? [] : [{ ...(message as JsonObject), content }]
  })
}

function isForeignThought(block: Json): boolean {
  if (!isRecord(block)) return false
  if (block.type === 'thinking') return isForeignSeal(block.signature)
  return block.type === 'redacted_thinking' && isForeignSeal(block.data)
}
