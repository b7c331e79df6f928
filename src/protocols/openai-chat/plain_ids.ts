// The messages of a chat that passes through, their ids without the signatures that this router put into them. It changes
// nothing else, and copies only what it changes.
import type { Json, JsonObject } from '../../contract.ts'
import { plainId } from '../call_ids.ts'
import { isRecord } from '../lenient.ts'

export function withPlainIds(messages: Json | undefined): Json | undefined {
  return Array.isArray(messages) ? mapChanged(messages, inMessage) : messages
}

function inMessage(message: Json): Json {
  if (!isRecord(message)) return message
  if (typeof message.tool_call_id === 'string') return withPlain(message as JsonObject, 'tool_call_id')
  if (!Array.isArray(message.tool_calls)) return message as JsonObject
  const tool_calls = mapChanged(message.tool_calls as Json[], inCall)
  return tool_calls === message.tool_calls ? (message as JsonObject) : { ...(message as JsonObject), tool_calls }
}

const inCall = (call: Json): Json => (isRecord(call) ? withPlain(call as JsonObject, 'id') : call)

function withPlain(object: JsonObject, name: string): JsonObject {
  const id = object[name]
  if (typeof id !== 'string') return object
  const plain = plainId(id)
  return plain === id ? object : { ...object, [name]: plain }
}

/** The list itself where nothing changes. */
function mapChanged(list: Json[], change: (each: Json) => Json): Json[] {
  const changed = list.map(change)
  return changed.every((each, index) => each === list[index]) ? list : changed
}
