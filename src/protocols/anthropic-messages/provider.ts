// A server that speaks Anthropic's messages: where it is and as whom we call it.
import type { Call, ChatConnection, JsonObject, ProviderFetch, WireAnswer, WireRequest } from '../../contract.ts'
import { ProviderError } from '../../contract.ts'
import { count, record } from '../lenient.ts'
import { sendOrThrow } from '../send.ts'
import { readBody } from '../transport.ts'
import { encodeRequest } from './encode.ts'
import { messageEvents } from './events.ts'

export interface MessagesServer {
  /** For people: 'Acme'. */
  provider: string
  /** Without its version: https://api.anthropic.com. */
  base_url: string
  api_key: string
  fetch: ProviderFetch
  headers?: Record<string, string>
}

/** The version that our own requests are written in: the last one that takes a temperature. */
const VERSION = '2023-06-01'
/** Of a caller's own headers, those that say how its request is to be read. */
export const PASSED_HEADERS = ['anthropic-version', 'anthropic-beta']

const COUNT_BYTES_MAX = 64 * 1024

/** One connection to a server of this format. Its errors name the provider and nothing of the address or the key. */
export function anthropicMessages(server: MessagesServer): ChatConnection {
  const { provider } = server
  const url = `${server.base_url.replace(/\/+$/, '')}/v1/messages`
  const headers = {
    'x-api-key': server.api_key,
    'anthropic-version': VERSION,
    'content-type': 'application/json',
    ...server.headers,
  }

  function send(path: string, body: JsonObject, call: Call, passed?: Record<string, string>): Promise<WireAnswer> {
    const request: WireRequest = {
      method: 'POST',
      url: url + path,
      headers: { ...headers, 'idempotency-key': call.job, ...passed },
      body: JSON.stringify(body),
      signal: call.signal,
    }
    return sendOrThrow(server.fetch, request, provider)
  }

  return {
    protocol: 'anthropic-messages',
    forward: (body, call) => send('', body, call, call.headers),
    async *stream(request, call) {
      const answer = await send('', { ...encodeRequest(request, call.upstream), stream: true }, call)
      yield* messageEvents(answer.body, provider)
    },
    async count_input(body, call) {
      const answer = await readBody(await send('/count_tokens', body, call, call.headers), COUNT_BYTES_MAX)
      const tokens = count(record(parse(answer)).input_tokens)
      if (tokens === undefined) throw new ProviderError('bad_response', `${provider} answered with no count.`)
      return tokens
    },
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}
