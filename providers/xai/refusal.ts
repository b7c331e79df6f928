// What xAI's refusals mean where their status does not say it: `{code, error}`, both in words (docs.x.ai, REST API reference).
import type { Refusal } from '../../src/protocols/media-tasks/client.ts'

/** Of pictures and films that were refused, in the words of a refusal or of a failed task. */
export const MODERATED = /moderation|content polic|usage polic|safety|prohibited/i
const OUT_OF_CREDIT = /available credits|spending limit|insufficient credit/i
/** A wrong key is an invalid argument to it, with status 400. */
const WRONG_KEY = /incorrect api key|invalid api key/i

export function refusal({ error, code }: Record<string, unknown>): Refusal | undefined {
  const message = typeof error === 'string' ? error : undefined
  if (message === undefined) return undefined
  const said = `${typeof code === 'string' ? code : ''} ${message}`
  if (WRONG_KEY.test(said)) return { kind: 'authentication' }
  if (OUT_OF_CREDIT.test(said)) return { kind: 'quota' }
  return MODERATED.test(said) ? { kind: 'content_policy', message } : undefined
}
