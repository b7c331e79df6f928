// What MiniMax's operations share: its codes, which come with status 200 too, and whose credential it is.
import type { ErrorKind } from '../../src/contract.ts'
import { record } from '../../src/protocols/lenient.ts'
import type { Refusal } from '../../src/protocols/media-tasks/client.ts'

/** https://platform.minimax.io/docs/api-reference/errorcode (2026-11-21); what is not listed is the provider's fault. */
const CODES: Record<number, ErrorKind> = {
  1001: 'timeout',
  1002: 'rate_limit',
  1004: 'authentication',
  1008: 'quota',
  1026: 'content_policy',
  1027: 'content_policy',
  1039: 'rate_limit',
  1041: 'rate_limit',
  1042: 'invalid_request',
  2013: 'invalid_request',
  2045: 'rate_limit',
  2049: 'authentication',
  2056: 'quota',
}

export const kindOf = (code: number): ErrorKind => CODES[code] ?? 'unavailable'

/** `base_resp` of the first version, `error` of the second. */
export function refusal({ base_resp }: Record<string, unknown>): Refusal | undefined {
  const { status_code, status_msg } = record(base_resp)
  if (typeof status_code !== 'number' || status_code === 0) return undefined
  return { kind: kindOf(status_code), message: typeof status_msg === 'string' ? status_msg : undefined }
}
