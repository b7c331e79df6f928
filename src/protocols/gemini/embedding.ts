// Embeddings over Google's batchEmbedContents: one vector of floats a text, in the order of the texts.
import { z } from 'zod'
import {
  type Call,
  done,
  type EmbeddingOutput,
  type EmbeddingRequest,
  type Generator,
  type JsonObject,
  ProviderError,
} from '../../contract.ts'
import { present } from '../check_body.ts'
import { readBody } from '../transport.ts'
import { parseChunk } from './events.ts'
import { type GeminiServer, methodCaller } from './server.ts'
import { readUsage } from './usage.ts'

const Answer = z.looseObject({ embeddings: z.array(z.looseObject({ values: z.array(z.number()) })) })
const ANSWER_BYTES_MAX = 64 * 2 ** 20

export function geminiEmbedding(server: GeminiServer): Generator<EmbeddingRequest, EmbeddingOutput> {
  const send = methodCaller(server)
  return {
    async start({ input, dimensions }: EmbeddingRequest, call: Call) {
      const texts = textsOf(input)
      const requests = texts.map((text) =>
        present<JsonObject>({
          model: `models/${call.upstream}`,
          content: { parts: [{ text }] },
          outputDimensionality: dimensions,
        }),
      )
      const body = await readBody(await send({ requests }, call, 'batchEmbedContents'), ANSWER_BYTES_MAX)
      const answer = parseChunk(body.toString(), server.provider)
      const read = Answer.safeParse(answer)
      if (!read.success || read.data.embeddings.length !== texts.length)
        throw new ProviderError('bad_response', `${server.provider} did not answer with one vector a text.`)
      const output = { embeddings: read.data.embeddings.map(({ values }) => values) }
      // gemini-embedding-001 tells no usage (recordings of 2026).
      const counted = { meters: { input_tokens: Math.ceil(bytesOf(texts) / 4) }, source: 'counted' as const }
      return done(output, readUsage(answer.usageMetadata) ?? counted)
    },
    estimate: ({ input }) => {
      const texts = textsOf(input)
      // Each text gets a marker or two of its own.
      return { meters: { input_tokens: bytesOf(texts) + 8 * texts.length }, source: 'estimated' }
    },
  }
}

/** Tokens are numbers of one vendor's vocabulary. */
function textsOf(input: EmbeddingRequest['input']): string[] {
  return input.map((each) => {
    if (typeof each === 'string') return each
    throw new ProviderError('invalid_request', 'This model takes texts and no lists of tokens.', { param: 'input' })
  })
}

const bytesOf = (texts: string[]) => texts.reduce((total, text) => total + Buffer.byteLength(text), 0)
