// A server that speaks OpenAI's chat format: where it is, as whom we call it, and what it does differently (quirks, as data).
import type { Call, ChatConnection, JsonObject, ProviderFetch, WireAnswer, WireRequest } from '../../contract.ts'
import { sendOrThrow } from '../send.ts'
import { encodeRequest } from './encode.ts'
import { chatEvents } from './events.ts'

export interface ChatQuirks {
  /** Which field limits the output; by default it goes by the model's name, see outputLimitField. */
  output_limit_field?: 'max_tokens' | 'max_completion_tokens'
  /** False: the server refuses `stream_options`, and sends its usage anyway. */
  stream_options?: false
  /** True: the server knows the role 'developer'; elsewhere it becomes 'system'. */
  developer_role?: true
  /** True: the server wants its earlier thoughts back as `reasoning_content`. */
  reasoning_content?: true
  /** True: the server knows `top_k`. */
  top_k?: true
  /** True: the server takes files as data alone, or must not be let into a network by a caller's addresses. */
  data_only?: true
  /** True: the server serves legacy completions as well. */
  completions?: true
  /** Upstream names of models that the server serves over another protocol only: wholly, or when there are tools. */
  elsewhere?: { always?: RegExp; with_tools?: RegExp }
}

export interface ChatServer {
  /** For people: 'Acme'. */
  provider: string
  /** With its version, without a slash at the end: https://api.openai.com/v1. */
  base_url: string
  /** Absent for servers of one's own that ask for none. */
  api_key?: string | undefined
  fetch: ProviderFetch
  headers?: Record<string, string>
  quirks?: ChatQuirks
}

type LimitField = 'max_tokens' | 'max_completion_tokens'

/** OpenAI's reasoning models refuse `max_tokens` (2026-08); most compatible servers know only that. */
export function outputLimitField(upstream: string): LimitField {
  return /^(?:openai\/)?(?:o\d|gpt-(?:[5-9]|\d\d))/.test(upstream) ? 'max_completion_tokens' : 'max_tokens'
}

/** One connection to a server of this format. Its errors name the provider and nothing of the address or the key. */
export function openaiChat(server: ChatServer): ChatConnection {
  const { quirks = {}, provider } = server
  const url = `${server.base_url.replace(/\/+$/, '')}/chat/completions`
  const headers = {
    ...(server.api_key ? { authorization: `Bearer ${server.api_key}` } : {}),
    'content-type': 'application/json',
    ...server.headers,
  }
  const limitField = (upstream: string) => quirks.output_limit_field ?? outputLimitField(upstream)

  function send(body: JsonObject, call: Call): Promise<WireAnswer> {
    const request: WireRequest = {
      method: 'POST',
      url,
      headers: { ...headers, 'idempotency-key': call.job },
      body: JSON.stringify(body),
      signal: call.signal,
    }
    return sendOrThrow(server.fetch, request, provider)
  }

  return {
    protocol: 'openai-chat',
    output_limit_field: limitField,
    ...(quirks.data_only && { fetches: () => false }),
    serves: (upstream, { tools }) =>
      !(quirks.elsewhere?.always?.test(upstream) || (tools && quirks.elsewhere?.with_tools?.test(upstream))),
    forward: (body, call) => send(adapt(body, limitField(call.upstream), quirks), call),
    async *stream(request, call) {
      const body = encodeRequest(request, call.upstream, limitField(call.upstream), quirks)
      const options: JsonObject = quirks.stream_options === false ? {} : { stream_options: { include_usage: true } }
      const answer = await send({ ...body, stream: true, ...options }, call)
      yield* chatEvents(answer.body, provider, JSON.stringify(body.messages).length)
    },
  }
}

/**
 * The same body, with the output limit under the name that this model takes: a server that ignored the other name would
 * write, and cost, more than the caller allowed. And without `stream_options` where they are refused.
 */
function adapt(body: JsonObject, field: LimitField, quirks: ChatQuirks): JsonObject {
  const other: LimitField = field === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens'
  const rename = body[other] !== undefined
  const strip = quirks.stream_options === false && body.stream_options !== undefined
  if (!rename && !strip) return body
  const { [other]: limit, stream_options, ...rest } = body
  return {
    ...rest,
    ...(rename && rest[field] === undefined && limit !== undefined ? { [field]: limit } : {}),
    ...(strip || stream_options === undefined ? {} : { stream_options }),
  }
}
