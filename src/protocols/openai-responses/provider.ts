// A server that speaks the Responses API: where it is, and as whom we call it.
import type { Call, ChatConnection, JsonObject, ProviderFetch, WireAnswer } from '../../contract.ts'
import { sendOrThrow } from '../send.ts'
import { encodeRequest } from './encode.ts'
import { responseEvents } from './events.ts'

export interface ResponsesServer {
  /** For people: 'Acme'. */
  provider: string
  /** With its version, without a slash at the end: https://api.openai.com/v1. */
  base_url: string
  /** Absent for servers of one's own that ask for none. */
  api_key?: string | undefined
  fetch: ProviderFetch
  headers?: Record<string, string>
}

/** One connection to a server of this format. Its errors name the provider and nothing of the address or the key. */
export function openaiResponses(server: ResponsesServer): ChatConnection {
  const { provider } = server
  const url = `${server.base_url.replace(/\/+$/, '')}/responses`
  const headers = {
    ...(server.api_key ? { authorization: `Bearer ${server.api_key}` } : {}),
    'content-type': 'application/json',
    ...server.headers,
  }

  function send(body: JsonObject, call: Call): Promise<WireAnswer> {
    return sendOrThrow(
      server.fetch,
      {
        method: 'POST',
        url,
        headers: { ...headers, 'idempotency-key': call.job },
        body: JSON.stringify(body),
        signal: call.signal,
      },
      provider,
    )
  }

  return {
    protocol: 'openai-responses',
    forward: send,
    async *stream(request, call) {
      const body = encodeRequest(request, call.upstream)
      const answer = await send({ ...body, stream: true }, call)
      yield* responseEvents(answer.body, provider, JSON.stringify(body.input).length)
    },
  }
}
