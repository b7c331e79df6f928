// A refusal or failure as a caller will see it, in no format yet: the routes put it into the caller's envelope.
import { ERROR_KINDS, ProviderError } from '../contract.ts'
import { isOutcomeUnknown, StoreUnavailable } from '../ledger/writes.ts'
import { WireError } from '../protocols/wire_error.ts'

export interface FailureDetail {
  param?: string
  retry_after_ms?: number
  /** Facts that a program can use: needed_usd, available_usd, models, … */
  facts?: Record<string, unknown>
  cause?: unknown
}

/** `status` and `code` as in design section 8; the message says what happened, which field, and what to do. */
export class Failure extends Error {
  override name = 'Failure'
  readonly status: number
  readonly code: string
  readonly param: string | undefined
  readonly retry_after_ms: number | undefined
  readonly facts: Record<string, unknown>
  constructor(
    status: number,
    code: string,
    message: string,
    { param, retry_after_ms, facts = {}, cause }: FailureDetail = {},
  ) {
    super(message, { cause })
    this.status = status
    this.code = code
    this.param = param
    this.retry_after_ms = retry_after_ms
    this.facts = facts
  }
}

/** What the caller is told of a provider's failure: its own words only where the fault is the caller's. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error
  if (error instanceof WireError)
    return new Failure(400, error.code, error.message, {
      ...(error.param !== null && { param: error.param }),
      cause: error,
    })
  // What is not money is not repeated here: its caller may do so.
  if (error instanceof StoreUnavailable || isOutcomeUnknown(error))
    return new Failure(
      503,
      'store_unavailable',
      'The store does not answer. Nothing was charged; try again in a moment.',
      { retry_after_ms: 2000, cause: error },
    )
  if (!(error instanceof ProviderError))
    return new Failure(
      500,
      'internal_error',
      'Something went wrong inside the router. Nothing was charged; the request id finds it in the log.',
      { cause: error },
    )
  const { status, code, fault } = ERROR_KINDS[error.kind]
  const { param, retry_after_ms } = error.detail
  return new Failure(
    status,
    code,
    fault === 'caller' ? error.message : (MESSAGES[error.kind] ?? MESSAGES.unavailable),
    {
      ...(param !== undefined && fault === 'caller' && { param }),
      ...(retry_after_ms !== undefined && { retry_after_ms }),
      facts: { kind: error.kind },
      cause: error,
    },
  )
}

const NOTHING = 'Nothing was charged.'
const MESSAGES = {
  authentication: `The provider refused the router's own credential. ${NOTHING} The operator has to mend it.`,
  permission: `The provider does not let the router use this model. ${NOTHING} The operator has to mend it.`,
  not_found: `The provider no longer knows this model. ${NOTHING} Choose another model, or tell the operator.`,
  quota: `The router's account at the provider is used up. ${NOTHING} The operator has to refill it.`,
  rate_limit: `The provider is limiting requests at the moment. ${NOTHING} Try again a little later.`,
  overloaded: `The provider is overloaded at the moment. ${NOTHING} Try again a little later.`,
  unavailable: `The provider failed or could not be reached. ${NOTHING} Try again, or choose another model.`,
  timeout: `The provider did not answer in time. ${NOTHING} Try again, or choose another model.`,
  bad_response: `The provider's answer was broken or broke off. ${NOTHING} Try again, or choose another model.`,
  internal: `Something went wrong inside the router. ${NOTHING}`,
} as Record<string, string> & { unavailable: string }
