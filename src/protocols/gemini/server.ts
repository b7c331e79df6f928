// A server that speaks Google's API: where it is, as whom we call it, and one call of a model's method.
import type { Call, JsonObject, ProviderFetch, WireAnswer } from '../../contract.ts'
import { sendOrThrow } from '../send.ts'

export interface GeminiServer {
  /** For people: 'Google'. */
  provider: string
  /** Without a version, without a slash at the end: https://generativelanguage.googleapis.com. */
  base_url: string
  api_key: string
  fetch: ProviderFetch
}

/** Answers with a 2xx status; errors name the provider and nothing of the address or the key. */
export function methodCaller({ provider, base_url, api_key, fetch }: GeminiServer) {
  const models = `${base_url.replace(/\/+$/, '')}/v1beta/models`
  const headers = { 'x-goog-api-key': api_key, 'content-type': 'application/json' }
  return (body: JsonObject, call: Call, method: string): Promise<WireAnswer> => {
    const url = `${models}/${encodeURIComponent(call.upstream)}:${method}`
    const request = { method: 'POST' as const, url, headers, body: JSON.stringify(body), signal: call.signal }
    return sendOrThrow(fetch, request, provider)
  }
}
