// Embeddings over OpenAI's /embeddings: vectors as the server sent them, floats or base64, in the order of the inputs.
import type { EmbeddingCreateParams } from 'openai/resources/embeddings'
import { z } from 'zod'
import {
  type Call,
  done,
  type EmbeddingOutput,
  type EmbeddingRequest,
  type Generator,
  type JsonObject,
} from '../../contract.ts'
import { readAnswer, unreadable } from '../faults.ts'
import { readUsage } from '../openai-chat/usage.ts'
import { callOptions, fieldsOf, type MediaServer, mediaClient, viaSdk } from './client.ts'

const Answer = z.looseObject({
  data: z.array(z.looseObject({ index: z.number().nullish(), embedding: z.union([z.array(z.number()), z.string()]) })),
  usage: z.looseObject({}).nullish(),
})

export function openaiEmbedding(server: MediaServer): Generator<EmbeddingRequest, EmbeddingOutput> {
  const sdk = mediaClient(server)
  return {
    takes_extra: true,
    async start(request: EmbeddingRequest, call: Call) {
      const { input, dimensions, encoding_format, extra } = request
      // Named outright: the SDK decodes base64 only where its caller named no encoding.
      const fields = fieldsOf({ model: call.upstream, input, dimensions, encoding_format }, extra)
      const answer: unknown = await viaSdk(server.provider, call, () =>
        sdk.embeddings.create(fields as unknown as EmbeddingCreateParams, callOptions(call)),
      )
      const { data, usage: told } = readAnswer(Answer, answer, server.provider)
      if (data.length !== input.length) throw unreadable(server.provider)
      const ordered = [...data].sort((a, b) => (a.index ?? 0) - (b.index ?? 0))
      const output = { embeddings: ordered.map(({ embedding }) => embedding), answer: answer as JsonObject }
      const usage = readUsage(told)
      return done(output, usage ?? { meters: { input_tokens: Math.ceil(inputBytes(input) / 4) }, source: 'counted' })
    },
    // Each input gets a marker or two of its own.
    estimate: ({ input }) => ({
      meters: { input_tokens: inputBytes(input) + 4 * input.length },
      source: 'estimated',
    }),
  }
}

/** Bytes of texts, or the count of what already are tokens: in both cases the most tokens that there can be. */
function inputBytes(input: EmbeddingRequest['input']): number {
  return input.reduce<number>(
    (total, each) => total + (typeof each === 'string' ? Buffer.byteLength(each) : each.length),
    0,
  )
}
