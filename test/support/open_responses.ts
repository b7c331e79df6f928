// The shapes of the Open Responses specification (its schema of 2026-04-24, https://www.openresponses.org), in our own words:
// what a response, a compaction and each event of a stream must hold. Strict where the specification is; more is allowed.
import { z } from 'zod'

const int = z.number().int()
const nullable = { string: z.string().nullable(), int: int.nullable() }
const itemStatus = z.enum(['in_progress', 'completed', 'incomplete'])

const urlCitation = z.object({
  type: z.literal('url_citation'),
  url: z.string(),
  title: z.string(),
  start_index: int,
  end_index: int,
})
const part = z.discriminatedUnion('type', [
  z.object({ type: z.literal('output_text'), text: z.string(), annotations: z.array(urlCitation) }),
  z.object({ type: z.enum(['input_text', 'text', 'summary_text', 'reasoning_text']), text: z.string() }),
  z.object({ type: z.literal('refusal'), refusal: z.string() }),
  z.object({ type: z.literal('input_image'), image_url: nullable.string, detail: z.enum(['low', 'high', 'auto']) }),
])
const item = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('message'),
    id: z.string(),
    status: itemStatus,
    role: z.enum(['user', 'assistant', 'system', 'developer']),
    content: z.array(part),
    phase: z.enum(['commentary', 'final_answer']).optional(),
  }),
  z.object({
    type: z.literal('function_call'),
    id: z.string(),
    call_id: z.string(),
    name: z.string(),
    arguments: z.string(),
    status: itemStatus,
  }),
  z.object({
    type: z.literal('reasoning'),
    id: z.string(),
    summary: z.array(part),
    content: z.array(part).optional(),
    encrypted_content: z.string().optional(),
  }),
  z.object({ type: z.literal('compaction'), id: z.string(), encrypted_content: z.string() }),
])
const usage = z.object({
  input_tokens: int,
  output_tokens: int,
  total_tokens: int,
  input_tokens_details: z.object({ cached_tokens: int }),
  output_tokens_details: z.object({ reasoning_tokens: int }),
})

export const responseShape = z.object({
  id: z.string(),
  object: z.literal('response'),
  created_at: int,
  completed_at: nullable.int,
  status: z.string(),
  incomplete_details: z.object({ reason: z.string() }).nullable(),
  model: z.string(),
  previous_response_id: nullable.string,
  instructions: nullable.string,
  output: z.array(item),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  tools: z.array(
    z.object({
      type: z.literal('function'),
      name: z.string(),
      description: nullable.string,
      parameters: z.record(z.string(), z.json()).nullable(),
      strict: z.boolean().nullable(),
    }),
  ),
  tool_choice: z.union([z.enum(['none', 'auto', 'required']), z.object({ type: z.string() })]),
  truncation: z.enum(['auto', 'disabled']),
  parallel_tool_calls: z.boolean(),
  text: z.object({ format: z.object({ type: z.string() }), verbosity: z.string().optional() }),
  top_p: z.number(),
  presence_penalty: z.number(),
  frequency_penalty: z.number(),
  top_logprobs: int,
  temperature: z.number(),
  reasoning: z.object({ effort: nullable.string, summary: nullable.string }).nullable(),
  usage: usage.nullable(),
  max_output_tokens: nullable.int,
  max_tool_calls: nullable.int,
  store: z.boolean(),
  background: z.boolean(),
  service_tier: z.string(),
  metadata: z.record(z.string(), z.string()),
  safety_identifier: nullable.string,
  prompt_cache_key: nullable.string,
})

export const compactionShape = z.object({
  id: z.string(),
  object: z.literal('response.compaction'),
  created_at: int,
  output: z.array(item),
  usage,
})

const of = <Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.object({ type: z.literal(`response.${type}`), sequence_number: int, ...shape })
const response = { response: responseShape }
const place = { item_id: z.string(), output_index: int }
const inContent = { ...place, content_index: int }
const inSummary = { ...place, summary_index: int }

/** Thoughts in full go by OpenAI's names (openai 7.55.0); the specification's own, response.reasoning.*, are other words for them. */
export const eventShape = z.discriminatedUnion('type', [
  of('created', response),
  of('queued', response),
  of('in_progress', response),
  of('completed', response),
  of('incomplete', response),
  of('failed', response),
  of('output_item.added', { output_index: int, item }),
  of('output_item.done', { output_index: int, item }),
  of('content_part.added', { ...inContent, part }),
  of('content_part.done', { ...inContent, part }),
  of('output_text.delta', { ...inContent, delta: z.string() }),
  of('output_text.done', { ...inContent, text: z.string() }),
  of('output_text.annotation.added', { ...inContent, annotation_index: int, annotation: urlCitation }),
  of('refusal.delta', { ...inContent, delta: z.string() }),
  of('refusal.done', { ...inContent, refusal: z.string() }),
  of('reasoning_text.delta', { ...inContent, delta: z.string() }),
  of('reasoning_text.done', { ...inContent, text: z.string() }),
  of('reasoning_summary_part.added', { ...inSummary, part }),
  of('reasoning_summary_part.done', { ...inSummary, part }),
  of('reasoning_summary_text.delta', { ...inSummary, delta: z.string() }),
  of('reasoning_summary_text.done', { ...inSummary, text: z.string() }),
  of('function_call_arguments.delta', { ...place, delta: z.string() }),
  of('function_call_arguments.done', { ...place, arguments: z.string() }),
  z.object({
    type: z.literal('error'),
    sequence_number: int,
    error: z.object({ type: z.string(), code: nullable.string, message: z.string(), param: nullable.string }),
  }),
])
