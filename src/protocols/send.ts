// One call to a provider whose refusal is an error: what forwarding connections share.
import { ProviderError, type ProviderFetch, type WireAnswer, type WireRequest } from '../contract.ts'
import { httpError } from './status.ts'
import { readBody } from './transport.ts'

const MAX_ERROR_BYTES = 1024 * 1024

/** Answers with a 2xx status; any other is thrown as the ProviderError it means. `provider` is its name for people. */
export async function sendOrThrow(fetch: ProviderFetch, request: WireRequest, provider: string): Promise<WireAnswer> {
  const answer = await fetch.send(request)
  if (answer.status >= 200 && answer.status < 300) return answer
  throw httpError(answer.status, answer.headers, await errorText(answer), provider)
}

/** The body of a refusal; one that is too long or breaks off says nothing more than its status. */
async function errorText(answer: WireAnswer): Promise<string> {
  try {
    return (await readBody(answer, MAX_ERROR_BYTES)).toString()
  } catch (error) {
    if (error instanceof ProviderError && error.kind === 'canceled') throw error
    return ''
  }
}
