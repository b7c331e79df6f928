// A server that speaks the Responses API: where it is, and as whom we call it.
import {
  type Call,
  type ChatConnection,
  type JsonObject,
  ProviderError,
  type ProviderFetch,
  type WireAnswer,
} from '../../contract.ts'
import { count } from '../lenient.ts'
import { sendOrThrow } from '../send.ts'
import { readBody } from '../transport.ts'
import { encodeRequest } from './encode.ts'
import { parseEvent, responseEvents } from './events.ts'

export interface ResponsesServer {
  /** For people: 'Acme'. */
  provider: string
  /** With its version, without a slash at the end: https://api.openai.com/v1. */
  base_url: string
  /** Absent for servers of one's own that ask for none. */
  api_key?: string | undefined
  fetch: ProviderFetch
  headers?: Record<string, string>
  /** The server counts the tokens of an input for nothing. */
  counts_input?: true
}

/** What of a request its tokens are counted from; the address knows no other field (openai 7.55.0). */
const COUNTED = [
  'model',
  'input',
  'instructions',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'reasoning',
  'text',
  'truncation',
]
const COUNT_BYTES_MAX = 64 * 1024

/** One connection to a server of this format. Its errors name the provider and nothing of the address or the key. */
export function openaiResponses(server: ResponsesServer): ChatConnection {
  const { provider } = server
  const url = `${server.base_url.replace(/\/+$/, '')}/responses`
  const headers = {
    ...(server.api_key ? { authorization: `Bearer ${server.api_key}` } : {}),
    'content-type': 'application/json',
    ...server.headers,
  }

  function send(body: JsonObject, call: Call, path = ''): Promise<WireAnswer> {
    return sendOrThrow(
      server.fetch,
      {
        method: 'POST',
        url: url + path,
        headers: { ...headers, 'idempotency-key': call.job },
        body: JSON.stringify(body),
        signal: call.signal,
      },
      provider,
    )
  }

  return {
    protocol: 'openai-responses',
    forward: (body, call) => send(body, call),
    async *stream(request, call) {
      const body = encodeRequest(request, call.upstream)
      const answer = await send({ ...body, stream: true }, call)
      yield* responseEvents(answer.body, provider, JSON.stringify(body.input).length)
    },
    ...(server.counts_input && {
      async count_input(body: JsonObject, call: Call) {
        const counted = Object.fromEntries(COUNTED.flatMap((name) => (name in body ? [[name, body[name]]] : [])))
        const answer = await readBody(await send(counted as JsonObject, call, '/input_tokens'), COUNT_BYTES_MAX)
        const tokens = count(parseEvent(answer.toString(), provider).input_tokens)
        if (tokens === undefined) throw new ProviderError('bad_response', `${provider} answered with no count.`)
        return tokens
      },
    }),
  }
}
