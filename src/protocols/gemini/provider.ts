// A connection to a server that speaks Google's generateContent.
import { type ChatConnection, ProviderError } from '../../contract.ts'
import { count } from '../lenient.ts'
import { readBody } from '../transport.ts'
import { encodeRequest } from './encode.ts'
import { geminiEvents, parseChunk } from './events.ts'
import { type GeminiServer, methodCaller } from './server.ts'

/** Without `alt=sse` Google answers one JSON array. */
const STREAM = 'streamGenerateContent?alt=sse'
/** What Google keeps itself, and its films; files elsewhere it fetches for some models and not for others (2026-11). */
const GOOGLES_OWN = /^(?:gs:|https:\/\/(?:[\w-]+\.googleapis\.com|(?:www\.|m\.)?youtube\.com|youtu\.be)\/)/
const COUNT_BYTES_MAX = 1024 * 1024

export function geminiGenerateContent(server: GeminiServer): ChatConnection {
  const send = methodCaller(server)
  const { provider } = server
  return {
    protocol: 'gemini',
    fetches: (url) => GOOGLES_OWN.test(url),
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
