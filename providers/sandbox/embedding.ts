// The sandbox's embeddings: a bag of hashed words and word pieces, so that texts that share words are near each other.
import { createHash } from 'node:crypto'
import { done, type EmbeddingOutput, type EmbeddingRequest, type Generator, type Usage } from '../../src/contract.ts'
import { type FirstTime, type Orders, obey, readOrders } from './orders.ts'
import { breathe } from './pause.ts'
import { refusal, requireWhole } from './refusal.ts'
import { countTokens } from './tokens.ts'

const DEFAULT_DIMENSIONS = 256
const FEWEST_DIMENSIONS = 8
const MOST_DIMENSIONS = 3072
const MOST_INPUTS = 2048
const INPUTS_A_BREATH = 32
/** Characters, or tokens, of all texts together. */
const MOST_LENGTH = 300_000

export function sandboxEmbedding(firstTime: FirstTime): Generator<EmbeddingRequest, EmbeddingOutput> {
  return {
    estimate: (request) => {
      ordersIn(request)
      return usageOf(request, (text) => Buffer.byteLength(text), 'estimated')
    },
    async start(request, call) {
      for (const orders of ordersIn(request)) await obey(orders, call, firstTime)
      const dimensions = request.dimensions ?? DEFAULT_DIMENSIONS
      const embeddings: (number[] | string)[] = []
      for (const [index, input] of request.input.entries()) {
        if (index % INPUTS_A_BREATH === INPUTS_A_BREATH - 1) await breathe(call.signal)
        const vector = vectorOf(
          typeof input === 'string' ? featuresOf(input) : input.map((token) => `#${token}`),
          dimensions,
        )
        embeddings.push(request.encoding_format === 'base64' ? base64Of(vector) : [...vector])
      }
      return done({ embeddings }, usageOf(request, countTokens, 'reported'))
    },
  }
}

function usageOf({ input }: EmbeddingRequest, countText: (text: string) => number, source: Usage['source']): Usage {
  const counts = input.map((one) => (typeof one === 'string' ? countText(one) : one.length))
  return { meters: { input_tokens: counts.reduce((total, count) => total + count, 0) }, source }
}

/** The orders of each text. Throws invalid_request, naming the field, for what the sandbox does not embed. */
function ordersIn({ input, dimensions = DEFAULT_DIMENSIONS }: EmbeddingRequest): Orders[] {
  requireWhole('dimensions', dimensions, FEWEST_DIMENSIONS, MOST_DIMENSIONS)
  if (input.length === 0 || input.length > MOST_INPUTS) throw refusal('input', `send 1 to ${MOST_INPUTS} texts`)
  const empty = input.findIndex(({ length }) => length === 0)
  if (empty !== -1) throw refusal('input', `text ${empty} is empty`)
  if (input.reduce((sum, { length }) => sum + length, 0) > MOST_LENGTH)
    throw refusal('input', `send at most ${MOST_LENGTH} characters or tokens at once`)
  return input.flatMap((one) => (typeof one === 'string' ? [readOrders(one, { param: 'input' })] : []))
}

/** Whole words weigh three times a piece of three letters, which lets word forms be near. */
function featuresOf(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [text]
  return words.flatMap((word) => {
    const letters = [...`^${word}$`]
    const pieces = letters.slice(2).map((_, at) => letters.slice(at, at + 3).join(''))
    return [word, word, word, ...pieces]
  })
}

/** A vector of length 1, or as near as float32 comes. */
function vectorOf(features: string[], dimensions: number): Float32Array {
  const sums = new Float64Array(dimensions)
  for (const feature of features) {
    const hash = createHash('sha1').update(feature).digest()
    const place = hash.readUInt32LE(0) % dimensions
    sums[place] = (sums[place] ?? 0) + (hash.readUInt8(4) % 2 === 0 ? 1 : -1)
  }
  // Features of opposite sign may cancel out and leave no direction at all.
  if (sums.every((sum) => sum === 0)) sums[0] = 1
  const length = Math.hypot(...sums)
  return Float32Array.from(sums, (sum) => sum / length)
}

function base64Of(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}
