// The official replicate SDK, pointed at one server: its own retries off, every failure a ProviderError.
import { createRequire } from 'node:module'
import type Replicate from 'replicate'
import { type Call, ProviderError, type ProviderFetch } from '../../contract.ts'
import { unreadable } from '../faults.ts'
import { abortError, networkError } from '../network_error.ts'
import { REPLICATE, replicateRefusal } from './errors.ts'

export interface ReplicateServer {
  /** With its version: https://api.replicate.com/v1. */
  base_url: string
  api_token: string
  fetch: ProviderFetch
}

const require = createRequire(import.meta.url)

type Library = typeof Replicate & Pick<typeof import('replicate'), 'parseProgressFromLogs'>

/** Loaded with the first call that needs it. */
export const library = () => require('replicate') as Library

export interface ReplicateClient {
  /** Runs one call of the SDK; whatever goes wrong is thrown as a ProviderError. */
  run<Result>(call: Pick<Call, 'signal'>, work: (sdk: Replicate) => Promise<Result>): Promise<Result>
}

export function replicateClient({ base_url, api_token, fetch }: ReplicateServer): ReplicateClient {
  const refusals = new WeakMap<object, ProviderError>()
  let made: Replicate | undefined

  /**
   * The SDK (1.4.0) tries again by itself up to five times, for 429, 5xx and whatever its fetch throws, and has no switch
   * for it. It lets a plain 400 pass at once: so every refusal is handed to it as one, and found again by its answer.
   */
  async function once(input: Request | string, init?: RequestInit): Promise<Response> {
    try {
      const response = await fetch(input, init)
      if (response.ok) return response
      throw replicateRefusal(response.status, Object.fromEntries(response.headers.entries()), await response.text())
    } catch (error) {
      const refusal = new Response(null, { status: 400 })
      const { signal } = init ?? {}
      refusals.set(refusal, signal?.aborted ? abortError(signal, REPLICATE) : networkError(error, REPLICATE))
      return refusal
    }
  }

  function sdk(): Replicate {
    made ??= new (library())({ auth: api_token, baseUrl: base_url, fetch: once })
    return made
  }

  return {
    async run(call, work) {
      try {
        return await work(sdk())
      } catch (error) {
        throw failure(error, call.signal)
      }
    },
  }

  function failure(error: unknown, signal: AbortSignal): ProviderError {
    if (error instanceof ProviderError) return error
    const response: unknown = error instanceof Error ? Reflect.get(error, 'response') : undefined
    const refusal = typeof response === 'object' && response !== null ? refusals.get(response) : undefined
    if (refusal) return refusal
    if (signal.aborted) return abortError(signal, REPLICATE)
    return error instanceof SyntaxError ? unreadable(REPLICATE, error) : networkError(error, REPLICATE)
  }
}
