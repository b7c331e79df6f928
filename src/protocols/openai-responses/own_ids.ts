// Ids of items that this router made. A provider of this protocol looks up the ids it is given and fails on those it
// does not know, so ours never reach one.
import type { Json, JsonObject } from '../../contract.ts'
import { plainId } from '../call_ids.ts'
import { isRecord } from '../lenient.ts'
import { OPENAI_SEAL, readSealed } from './sealed.ts'
import { openSummary, summaryText } from './summary.ts'

/** Prefix, a job's ULID in capitals, a number. OpenAI's own are hexadecimal in small letters. */
const OURS = /^[a-z]+_[0-9A-HJKMNP-TV-Z]{26}i?\d+$/

/** Another server of this protocol may have other seals, under ids of its own. */
const isForeignSeal = (seal: string, ours: boolean): boolean =>
  readSealed(seal).encrypted === undefined || (ours && !OPENAI_SEAL.test(seal))

const withPlainCallId = (item: JsonObject): JsonObject =>
  typeof item.call_id === 'string' && plainId(item.call_id) !== item.call_id
    ? { ...item, call_id: plainId(item.call_id) }
    : item

/** The input for a provider of this protocol. A thought that another vendor's model had says nothing to it. */
export function withoutOwnIds(input: Json | undefined): Json | undefined {
  if (!Array.isArray(input)) return input
  return input.flatMap((item): Json[] => {
    if (!isRecord(item)) return [item]
    const plain = withPlainCallId(item as JsonObject)
    const { id, ...rest } = plain
    const summary = item.type === 'compaction' ? openSummary(item) : undefined
    if (summary !== undefined) return [{ type: 'message', role: 'user', content: summaryText(summary) }]
    const ours = typeof id === 'string' && OURS.test(id)
    if (item.type === 'reasoning') {
      const seal = typeof item.encrypted_content === 'string' ? item.encrypted_content : undefined
      if (seal === undefined ? ours : isForeignSeal(seal, ours)) return []
    }
    return [ours ? rest : plain]
  })
}
