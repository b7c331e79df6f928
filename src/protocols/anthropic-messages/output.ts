// How much of an answer a block or a delta of Anthropic's format brings. It changes nothing.
import { isRecord } from '../lenient.ts'

export interface OutputSeen {
  /** UTF-8 bytes of text, thinking and tool calls. */
  bytes: number
  /** Whether there was any output at all; what a provider's own tools gave counts, but not by its bytes. */
  any: boolean
}

const NONE: OutputSeen = { bytes: 0, any: false }

/** A whole block, or one that begins. */
export function outputOfBlock(block: unknown): OutputSeen {
  if (!isRecord(block)) return NONE
  if (block.type === 'text') return seen(block.text)
  if (block.type === 'thinking') return seen(block.thinking)
  if (block.type !== 'tool_use') return { bytes: 0, any: true }
  const input = isRecord(block.input) && Object.keys(block.input).length > 0 ? JSON.stringify(block.input) : ''
  return { bytes: Buffer.byteLength(`${block.name}${input}`), any: true }
}

export function outputOfDelta(delta: unknown): OutputSeen {
  return isRecord(delta) ? seen(delta.text ?? delta.thinking ?? delta.partial_json ?? delta.content) : NONE
}

const seen = (text: unknown): OutputSeen =>
  typeof text === 'string' && text !== '' ? { bytes: Buffer.byteLength(text), any: true } : NONE
