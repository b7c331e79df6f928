// OpenAI's chat completions as callers speak them.
import { type Json, type JsonObject, ProviderError } from '../../contract.ts'
import type { AnswerHead, ChatFront } from '../front.ts'
import { record } from '../lenient.ts'
import { collect, encodeAnswer, errorChunk, readAnswer, readStream } from './answer.ts'
import { ChunkEncoder } from './chunks.ts'
import { inputUpperBound } from './estimate.ts'
import { withPlainIds } from './plain_ids.ts'
import { toCanonical } from './request.ts'
import { ChatTap } from './tap.ts'

const headOf = ({ id, ...head }: AnswerHead) => ({ ...head, id: `chatcmpl-${id}` })

const wantsUsage = (body: JsonObject): boolean =>
  (body.stream_options as JsonObject | undefined)?.include_usage === true

/** Of two limits the larger one: which of them a server heeds is its own affair, and the hold must be enough for either. */
function outputLimit(body: JsonObject): { tokens: number; param: string } | undefined {
  return ['max_completion_tokens', 'max_tokens']
    .flatMap((param) => {
      const tokens = body[param]
      return typeof tokens === 'number' ? [{ tokens, param }] : []
    })
    .sort((one, other) => other.tokens - one.tokens)[0]
}

function withoutForeign(body: JsonObject): JsonObject {
  const messages = withPlainIds(body.messages)
  return messages === undefined || messages === body.messages ? body : { ...body, messages }
}

/** Pictures are all that this format has by address. */
async function withFiles(body: JsonObject, load: (url: string) => Promise<string | undefined>): Promise<JsonObject> {
  if (!Array.isArray(body.messages)) return body
  const messages = await Promise.all(
    body.messages.map(async (message) => {
      const { content, ...rest } = record(message) as JsonObject
      if (!Array.isArray(content)) return message
      return { ...rest, content: await Promise.all(content.map((part) => withData(part, load))) }
    }),
  )
  return { ...body, messages }
}

/**
 * The file of a part stands under any name that ends in url (video_url and audio_url at vLLM), as text or as an object's
 * url. Whatever is no data comes here or is refused: a server next door opens file: too.
 */
async function withData(value: Json, load: (url: string) => Promise<string | undefined>): Promise<Json> {
  if (Array.isArray(value)) return Promise.all(value.map((each) => withData(each, load)))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(async ([name, member]): Promise<[string, Json]> => {
    const is_address = typeof member === 'string' && /ur[il]$/i.test(name) && !/^data:/i.test(member)
    return [name, is_address ? ((await load(member)) ?? member) : await withData(member, load)]
  })
  return Object.fromEntries(await Promise.all(members))
}

export const openaiChatFront: ChatFront = {
  protocol: 'openai-chat',

  facts(body) {
    const output_limit = outputLimit(body)
    return {
      stream: body.stream === true,
      ...(output_limit && { output_limit }),
      choices: typeof body.n === 'number' ? body.n : 1,
      attributes: typeof body.service_tier === 'string' ? { tier: body.service_tier } : {},
      speaks: Array.isArray(body.modalities) && body.modalities.includes('audio'),
    }
  },

  toCanonical,
  inputUpperBound,

  withoutForeign,
  withFiles,

  toProvider(body, { upstream, output_limit, limit_field = 'max_tokens' }) {
    const sent: JsonObject = { ...withoutForeign(body), model: upstream }
    if (typeof (body.max_completion_tokens ?? body.max_tokens) !== 'number') sent[limit_field] = output_limit
    // Usage is always asked for upstream, and shown only to a caller who asked.
    if (body.stream === true)
      sent.stream_options = { ...(body.stream_options as JsonObject | null), include_usage: true }
    return sent
  },

  tap: (body, provider) => new ChatTap({ provider, strip_usage: !wantsUsage(body) }),

  encoder(body, head) {
    const encoder = new ChunkEncoder(headOf(head), { include_usage: wantsUsage(body) })
    return { encode: (event) => encoder.encodeChunk(event), tail: (usage, cost_usd) => encoder.tail(usage, cost_usd) }
  },

  async collect(events, head) {
    const { answer, finish_reasons, ...seen } = await collect(events, headOf(head))
    return { answer, end: { complete: finish_reasons.length > 0, ...seen } }
  },

  readAnswer(answer) {
    const { error, finish_reasons: _, ...seen } = readAnswer(answer)
    if (error) throw error
    if (!Array.isArray(answer.choices)) throw new ProviderError('bad_response', 'The answer is not a chat completion.')
    return { complete: true, ...seen }
  },

  encodeAnswer,
  readStream,
  errorEvent: errorChunk,
}
