// Starting work whose output is handed over while it is made. Another provider may be tried until the first of it has gone
// to the caller, and none after that.
import { type Call, type Progress, ProviderError } from '../../contract.ts'
import { attemptOffers, Begun } from '../attempts.ts'
import type { Services } from '../services.ts'
import type { Work } from '../work.ts'
import { type GeneratorOperation, generatorOf, type OutputOf, type RequestOf } from './generators.ts'
import { preparedFor } from './prepare.ts'

export interface Live<Kind extends GeneratorOperation> {
  /** What the provider may hand over; nothing where its output is not yet what the caller asked for. */
  ears(prepared: RequestOf<Kind>): Pick<Call, 'sound' | 'heard'>
  /** Whether anything has gone to the caller. */
  begun(): boolean
  /** A try failed before that: what was held back of it is forgotten. */
  forget(): void
}

export function beginLive<Kind extends GeneratorOperation>(
  services: Services,
  work: Work,
  operation: Kind,
  request: RequestOf<Kind>,
  live: Live<Kind>,
): Promise<Progress<OutputOf<Kind>>> {
  return attemptOffers(services, work, async ({ offer }, call) => {
    const generator = generatorOf(offer.connection, operation)
    const prepared = await preparedFor(offer, operation, request)
    try {
      return await generator.start(prepared, { ...call, ...live.ears(prepared) })
    } catch (error) {
      if (live.begun() && error instanceof ProviderError) throw new Begun(error)
      live.forget()
      throw error
    }
  })
}
