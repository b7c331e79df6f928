// What a candidate of an answer carries for the reader: how much output, and whether any at all. It changes nothing.
import { isRecord, record } from '../lenient.ts'

export interface OutputSeen {
  /** UTF-8 bytes of text, thoughts and calls. */
  bytes: number
  /** Pictures and sound count too, but not by their bytes. */
  any: boolean
}

export const candidatesOf = ({ candidates }: Record<string, unknown>): Record<string, unknown>[] =>
  Array.isArray(candidates) ? candidates.filter(isRecord) : []

export function outputOf(candidate: Record<string, unknown>): OutputSeen {
  const seen: OutputSeen = { bytes: 0, any: false }
  const { parts } = record(candidate.content)
  for (const part of Array.isArray(parts) ? parts.filter(isRecord) : []) {
    const text = textOf(part)
    seen.bytes += Buffer.byteLength(text)
    seen.any ||= text !== '' || isRecord(part.inlineData) || isRecord(part.fileData)
  }
  return seen
}

function textOf(part: Record<string, unknown>): string {
  if (typeof part.text === 'string') return part.text
  const made = part.functionCall ?? part.executableCode ?? part.codeExecutionResult ?? part.toolCall
  return made === undefined ? '' : JSON.stringify(made)
}
