// Thoughts of other vendors' models in a conversation that now goes on with Anthropic's: they are left out, for Anthropic
// refuses every thought that it did not sign itself. Seals are told apart by how they begin; nothing is unsealed.
import type { Json, JsonObject } from '../../contract.ts'
import { plainId } from '../call_ids.ts'
import { isRecord } from '../lenient.ts'

/** OpenAI's are Fernet tokens, which all begin so; Google's bear the mark that src/protocols/gemini/parts.ts gives them. */
const FOREIGN = /^(?:gAAAAA|google:)/

/** The signature of a thought, or a sealed one. Without any, no model of Anthropic's has thought it. */
export const isForeignSeal = (seal: unknown): boolean => typeof seal !== 'string' || seal === '' || FOREIGN.test(seal)

/** A caller's own messages without the thoughts of others, and without the signatures of others in ids. */
export function withoutForeign(messages: Json | undefined): Json {
  if (!Array.isArray(messages)) return messages ?? null
  return messages.flatMap((message): Json[] => {
    if (!isRecord(message) || !Array.isArray(message.content)) return [message]
    const given = message.content as Json[]
    const content = given.filter((block) => !isForeignThought(block)).map(withPlainId)
    if (content.length === given.length && content.every((block, index) => block === given[index]))
      return [message as JsonObject]
    return content.length === 0 ? [] : [{ ...(message as JsonObject), content }]
  })
}

function withPlainId(block: Json): Json {
  if (!isRecord(block)) return block
  const name = block.type === 'tool_use' ? 'id' : block.type === 'tool_result' ? 'tool_use_id' : undefined
  const id = name && block[name]
  if (name === undefined || typeof id !== 'string' || plainId(id) === id) return block as JsonObject
  return { ...(block as JsonObject), [name]: plainId(id) }
}

function isForeignThought(block: Json): boolean {
  if (!isRecord(block)) return false
  if (block.type === 'thinking') return isForeignSeal(block.signature)
  return block.type === 'redacted_thinking' && isForeignSeal(block.data)
}
