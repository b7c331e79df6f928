// The answer of OpenAI's embeddings API, in the encoding that the caller asked for whatever the provider gave.
import type { EmbeddingOutput, Usage } from '../../contract.ts'
import { exactNumber } from '../json.ts'
import { isRecord } from '../lenient.ts'
import { withCost } from '../openai-chat/usage.ts'

export interface EmbeddingFacts {
  model: string
  usage: Usage
  base64: boolean
  cost_usd?: string
}

/** As JSON text. A provider's own `model` and the fields that we do not know stay. */
export function embeddingAnswer({ embeddings, answer }: EmbeddingOutput, facts: EmbeddingFacts): string {
  const { model, usage, base64, cost_usd } = facts
  const data = embeddings.map((vector, index) => ({
    object: 'embedding',
    index,
    embedding: base64 ? encode(vector) : decode(vector),
  }))
  const { raw, meters } = usage
  const tokens = (meters.input_tokens ?? 0) + (meters.cached_input_tokens ?? 0) + (meters.input_image_tokens ?? 0)
  const counted = { prompt_tokens: tokens, total_tokens: tokens }
  const told = isRecord(raw) && typeof raw.prompt_tokens === 'number' ? withCost(raw, undefined) : counted
  return JSON.stringify({
    object: 'list',
    model,
    ...answer,
    data,
    usage: { ...told, ...(cost_usd !== undefined && { cost: exactNumber(cost_usd) }) },
  })
}

/** Little-endian float32 in base64. */
function encode(vector: number[] | string): string {
  if (typeof vector === 'string') return vector
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}

function decode(vector: number[] | string): number[] {
  if (typeof vector !== 'string') return vector
  const bytes = Buffer.from(vector, 'base64')
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => bytes.readFloatLE(index * 4))
}
