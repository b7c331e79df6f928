// What a request would hold, and why: admission without a job, a hold or a call.
import type { JsonObject } from '../contract.ts'
import { formatUsd } from '../ledger/money.ts'
import { cost } from '../pricing/cost.ts'
import type { Admitted } from './admit.ts'

/** The lines add up to the hold. They are those of the dearest offer that could serve it; `provider` is tried first. */
export function estimateView({ model, offers, hold }: Admitted, operation: string): JsonObject {
  const dearest = offers.find((each) => each.cost === hold) ?? offers[0]
  const lines = cost(dearest.estimate, dearest.quote).lines.map((line) => ({ ...line }))
  return { object: 'estimate', model, operation, provider: offers[0].offer.provider, hold_usd: formatUsd(hold), lines }
}
