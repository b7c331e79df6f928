// Items of type `compaction`: a summary that this router had written, in a form that callers hand back unread. It reads no
// other vendor's.
import { WireError } from '../wire_error.ts'

const SEAL = 'switchyard-summary-1:'

export const sealSummary = (summary: string): string => SEAL + Buffer.from(summary).toString('base64')

/** Undefined for a summary that another vendor sealed. */
export function openSummary({ encrypted_content: sealed }: { encrypted_content?: unknown }): string | undefined {
  return typeof sealed === 'string' && sealed.startsWith(SEAL)
    ? Buffer.from(sealed.slice(SEAL.length), 'base64').toString()
    : undefined
}

/** Throws WireError for another vendor's; `param` is where the item stands. */
export function readSummary(item: { encrypted_content?: unknown }, param: string): string {
  const summary = openSummary(item)
  if (summary !== undefined) return summary
  throw new WireError(
    'This compaction can be read by the provider that made it alone. Go on with a model of that provider.',
    `${param}.encrypted_content`,
    'unsupported_value',
  )
}

/** What a model is told of it. */
export const summaryText = (summary: string): string => `Summary of the conversation so far:\n\n${summary}`
