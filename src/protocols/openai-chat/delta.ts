// What a chunk or an answer of the chat protocol carries for the reader: how much output, which ends. It changes nothing.
import { isRecord } from '../lenient.ts'

export interface OutputSeen {
  /** UTF-8 bytes of text, reasoning, refusals and tool calls. */
  bytes: number
  /** Whether there was any output at all; sound and pictures count, but not by their bytes. */
  any: boolean
}

/** The output in one `delta` or `message`, in the dialects we know. */
export function outputOf(delta: unknown): OutputSeen {
  const seen: OutputSeen = { bytes: 0, any: false }
  if (!isRecord(delta)) return seen
  addText(seen, delta.content)
  addText(seen, delta.refusal)
  // One thought under two names (OpenRouter, vLLM) is counted once.
  addText(seen, delta.reasoning_content ?? delta.reasoning)
  if (Array.isArray(delta.tool_calls)) for (const call of delta.tool_calls) addCall(seen, call)
  addCall(seen, { function: delta.function_call })
  if (isRecord(delta.audio)) {
    addText(seen, delta.audio.transcript)
    if (delta.audio.data) seen.any = true
  }
  if (Array.isArray(delta.images) && delta.images.length > 0) seen.any = true
  return seen
}

/** A string, or Mistral's list of parts: {type:'text', text} and {type:'thinking', thinking:[…]}. */
function addText(seen: OutputSeen, content: unknown) {
  if (typeof content === 'string') {
    if (content === '') return
    seen.bytes += Buffer.byteLength(content)
    seen.any = true
  } else if (Array.isArray(content)) {
    for (const part of content) if (isRecord(part)) addText(seen, part.text ?? part.thinking ?? part.refusal)
  }
}

function addCall(seen: OutputSeen, call: unknown) {
  if (!isRecord(call)) return
  for (const described of [call.function, call.custom]) {
    if (!isRecord(described)) continue
    addText(seen, described.name)
    addText(seen, described.arguments)
    addText(seen, described.input)
  }
}

/** Mistral and OpenRouter end a choice with 'error' when the model broke, DeepSeek with the other (its docs, 2026). */
export const isFailure = (finish_reason: unknown): boolean =>
  finish_reason === 'error' || finish_reason === 'insufficient_system_resource'
