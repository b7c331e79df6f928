// Ids of items that this router made. A provider of this protocol looks up the ids it is given and fails on those it
// does not know, so ours never reach one.
import type { Json, JsonObject } from '../../contract.ts'
import { isRecord } from '../lenient.ts'
import { readSealed } from './sealed.ts'

/** Prefix, a job's ULID in capitals, a number. OpenAI's own are hexadecimal in small letters. */
const OURS = /^[a-z]+_[0-9A-HJKMNP-TV-Z]{26}i?\d+$/

/** The input for a provider of this protocol. A thought that another vendor's model had says nothing to it. */
export function withoutOwnIds(input: Json | undefined): Json | undefined {
  if (!Array.isArray(input)) return input
  return input.flatMap((item): Json[] => {
    if (!isRecord(item)) return [item]
    const { id, ...rest } = item as JsonObject
    const ours = typeof id === 'string' && OURS.test(id)
    if (item.type === 'reasoning') {
      const { encrypted } = readSealed(typeof item.encrypted_content === 'string' ? item.encrypted_content : null)
      const foreign = encrypted === undefined && (ours || typeof item.encrypted_content === 'string')
      if (foreign) return []
    }
    return [ours ? rest : (item as JsonObject)]
  })
}
