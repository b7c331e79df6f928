// Answers of OpenAI's images API as we make them: JSON, and the events of a stream. Money comes as decimal text.
import type { ImageOutput, ImageRequest, JsonObject, Usage } from '../../contract.ts'
import { exactNumber } from '../json.ts'
import { count, isRecord } from '../lenient.ts'
import { withCost } from '../openai-chat/usage.ts'

/** One picture as the caller gets it. */
export interface ShownImage {
  b64_json?: string
  url?: string
  revised_prompt?: string
}

/** The provider's own usage object where it has this form, else one made of the meters; always with our cost. */
export function imageUsage({ meters, raw }: Usage, cost_usd: string | undefined): Record<string, unknown> {
  if (isRecord(raw) && count(raw.input_tokens) !== undefined) return withCost(raw, cost_usd)
  const text_in = meters.input_tokens ?? 0
  const image_in = meters.input_image_tokens ?? 0
  const output_tokens = (meters.output_tokens ?? 0) + (meters.output_image_tokens ?? 0)
  return {
    input_tokens: text_in + image_in,
    input_tokens_details: { image_tokens: image_in, text_tokens: text_in },
    output_tokens,
    total_tokens: text_in + image_in + output_tokens,
    ...(cost_usd === undefined ? {} : { cost: exactNumber(cost_usd) }),
  }
}

export interface ImageFacts {
  created: number
  request: Pick<ImageRequest, 'size' | 'quality' | 'background' | 'output_format'>
  usage: Usage
  /** Absent until the charge is known. */
  cost_usd?: string
  /** Ours: what is missing of the pictures, a thread's id. */
  more?: object
}

/** The answer as JSON text; fields of the provider's own answer that we do not know stay. */
export function imageAnswer(images: ShownImage[], output: Pick<ImageOutput, 'answer'>, facts: ImageFacts): string {
  const { created, request, usage, cost_usd, more } = facts
  const { size, quality } = { ...request, ...usage.attributes }
  const told = {
    ...(isKnown(size) && { size }),
    ...(isKnown(quality) && { quality }),
    ...(isKnown(request.background) && { background: request.background }),
    ...output.answer,
    output_format: request.output_format ?? 'png',
  }
  return JSON.stringify({ created, ...told, data: images, usage: imageUsage(usage, cost_usd), ...more })
}

/** OpenAI answers with what it chose; where we cannot know that, the field stays out. */
const isKnown = (value: string | undefined) => value !== undefined && value !== 'auto'

type Stage = 'partial_image' | 'completed'

/** An event of a stream: `image_generation.*`, or `image_edit.*` for an edit. */
export function imageEvent(
  stage: Stage,
  b64_json: string,
  { created, request, usage, cost_usd }: Omit<ImageFacts, 'usage'> & { usage?: Usage },
  more: JsonObject,
  edit: boolean,
): string {
  const type = `image_${edit ? 'edit' : 'generation'}.${stage}`
  const { size = 'auto', quality = 'auto' } = { ...request, ...usage?.attributes }
  const data = {
    type,
    b64_json,
    created_at: created,
    size,
    quality,
    background: request.background ?? 'auto',
    output_format: request.output_format ?? 'png',
    ...more,
    ...(usage && { usage: imageUsage(usage, cost_usd) }),
  }
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}
