// How many tokens a request would be: asked of the provider where it counts for nothing, else counted here. No job, no
// hold, no charge.
import type { Call, JsonObject } from '../../contract.ts'
import { findOffers } from '../admit.ts'
import type { Caller, Services } from '../services.ts'
import type { Chat } from './chat_stream.ts'

export interface CountRequest extends Chat {
  model: string
  /** Of the request, for the provider. */
  id: string
  /** Aborts when the caller hangs up. */
  gone: AbortSignal
  /** Stands in where the provider of this model cannot count. */
  countHere(body: JsonObject): number
}

/** `source` is 'counted' where the number is ours. Throws Failure and ProviderError. */
export async function countInputTokens(
  services: Services,
  caller: Caller,
  { front, body, headers, model, id, gone, countHere }: CountRequest,
): Promise<{ tokens: number; source: 'reported' | 'counted' }> {
  const [offer] = findOffers(services, caller, { operation: 'chat', model })
  const connections = offer?.connection.chat ?? []
  const connection = connections.find(({ protocol, count_input }) => protocol === front.protocol && count_input)
  if (!offer || !connection?.count_input) return { tokens: countHere(body), source: 'counted' }
  const { upstream, options } = offer
  const asked = front.withoutForeign?.(body, upstream) ?? body
  const call: Call = { job: id, upstream, options, signal: gone, log: services.log, ...(headers && { headers }) }
  return { tokens: await connection.count_input({ ...asked, model: upstream }, call), source: 'reported' }
}
