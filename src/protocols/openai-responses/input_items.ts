// The input of a response request as a list of items, in the form in which OpenAI lists them. It checks nothing.
import type { Json, JsonObject } from '../../contract.ts'

/** The input as items, each with what the API's own lists have. */
export function inputItems({ input }: JsonObject): JsonObject[] {
  if (typeof input === 'string')
    return [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: input }] }]
  return (Array.isArray(input) ? input : []).map(asItem)
}

function asItem(item: Json): JsonObject {
  const { type = 'message', content, ...rest } = item as JsonObject
  if (type !== 'message' || typeof content !== 'string')
    return { type, ...(content !== undefined && { content }), ...rest }
  const part = rest.role === 'assistant' ? 'output_text' : 'input_text'
  return { type, ...rest, content: [{ type: part, text: content }] }
}
