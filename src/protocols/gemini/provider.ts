// A server that speaks Google's generateContent: where it is and as whom we call it.
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
import { geminiEvents, parseChunk } from './events.ts'

export interface GeminiServer {
  /** For people: 'Google'. */
  provider: string
  /** Without a version, without a slash at the end: https://generativelanguage.googleapis.com. */
  base_url: string
  api_key: string
  fetch: ProviderFetch
}

/** One connection to a server of this format. Its errors name the provider and nothing of the address or the key. */
export function geminiGenerateContent({ provider, base_url, api_key, fetch }: GeminiServer): ChatConnection {
  const models = `${base_url.replace(/\/+$/, '')}/v1beta/models`
  const headers = { 'x-goog-api-key': api_key, 'content-type': 'application/json' }

  function send(body: JsonObject, call: Call, method: string): Promise<WireAnswer> {
    const url = `${models}/${encodeURIComponent(call.upstream)}:${method}`
    return sendOrThrow(
      fetch,
      { method: 'POST', url, headers, body: JSON.stringify(body), signal: call.signal },
      provider,
    )
  }

  return {
    protocol: 'gemini',
    forward: ({ model: _, stream, ...body }, call) => send(body, call, stream === true ? STREAM : 'generateContent'),
    async *stream(request, call) {
      const body = encodeRequest(request, call.upstream)
      const answer = await send(body, call, STREAM)
      const input_bytes = JSON.stringify(body.contents).length
      yield* geminiEvents(answer.body, provider, { input_bytes, one_call: request.parallel_tool_calls === false })
    },
    async count_input({ model, stream: _, ...body }, call) {
      // The model is named twice: here it stands in the body too (vendor's reference, 2026).
      const request = { ...body, model: `models/${String(model)}` }
      const answer = await send({ generateContentRequest: request }, call, 'countTokens')
      const { totalTokens } = parseChunk((await readBody(answer, COUNT_BYTES_MAX)).toString(), provider)
      const tokens = count(totalTokens)
      if (tokens === undefined) throw new ProviderError('bad_response', `${provider} counted no tokens.`)
      return tokens
    },
  }
}

const COUNT_BYTES_MAX = 1024 * 1024

/** Without `alt=sse` Google answers one JSON array. */
const STREAM = 'streamGenerateContent?alt=sse'
