// What a caller may send to POST /v1/responses. Known fields are typed strictly; fields, items and tools that we do not
// know are left alone, for between equal protocols they travel on.
import { z } from 'zod'

/** An object whose `type` is none of those that are typed strictly. */
const other = (known: string[]) =>
  z.looseObject({
    type: z
      .string()
      .refine((type) => !known.includes(type), { error: `expected one of ${known.join(', ')}`, abort: true }),
  })

const PARTS = ['input_text', 'output_text', 'refusal', 'input_image', 'input_file']
const knownPart = z.discriminatedUnion('type', [
  z.looseObject({ type: z.enum(['input_text', 'output_text']), text: z.string() }),
  z.looseObject({ type: z.literal('refusal'), refusal: z.string() }),
  z.looseObject({
    type: z.literal('input_image'),
    image_url: z.string().nullish(),
    file_id: z.string().nullish(),
    detail: z.string().nullish(),
  }),
  z.looseObject({
    type: z.literal('input_file'),
    file_data: z.string().nullish(),
    file_id: z.string().nullish(),
    file_url: z.string().nullish(),
    filename: z.string().nullish(),
  }),
])
const part = z.union([knownPart, other(PARTS)])
const content = z.union([z.string(), z.array(part)], { error: 'expected a string or a list of parts' })

const functionTool = z.looseObject({
  type: z.literal('function'),
  name: z.string(),
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.json()).nullish(),
  strict: z.boolean().nullish(),
})
const customTool = z.looseObject({
  type: z.literal('custom'),
  name: z.string(),
  description: z.string().nullish(),
  format: z.record(z.string(), z.json()).nullish(),
})
const namespace = z.looseObject({
  type: z.literal('namespace'),
  name: z.string(),
  description: z.string().nullish(),
  tools: z.array(z.discriminatedUnion('type', [functionTool, customTool])),
})
const tool = z.union([
  z.discriminatedUnion('type', [functionTool, customTool, namespace]),
  other(['function', 'custom', 'namespace']),
])

const ITEMS = [
  'message',
  'function_call',
  'function_call_output',
  'custom_tool_call',
  'custom_tool_call_output',
  'reasoning',
  'additional_tools',
  'compaction',
]
const textParts = z.array(z.looseObject({ type: z.string(), text: z.string() }))
const knownItem = z.discriminatedUnion('type', [
  z.looseObject({
    type: z.literal('message').optional(),
    role: z.enum(['user', 'assistant', 'system', 'developer']),
    content,
  }),
  z.looseObject({
    type: z.literal('function_call'),
    call_id: z.string(),
    name: z.string(),
    namespace: z.string().nullish(),
    arguments: z.string(),
  }),
  z.looseObject({ type: z.literal('function_call_output'), call_id: z.string(), output: content }),
  z.looseObject({
    type: z.literal('custom_tool_call'),
    call_id: z.string(),
    name: z.string(),
    namespace: z.string().nullish(),
    input: z.string(),
  }),
  z.looseObject({ type: z.literal('custom_tool_call_output'), call_id: z.string(), output: content }),
  z.looseObject({
    type: z.literal('reasoning'),
    id: z.string().nullish(),
    summary: textParts.nullish(),
    content: textParts.nullish(),
    encrypted_content: z.string().nullish(),
  }),
  z.looseObject({ type: z.literal('compaction'), encrypted_content: z.string() }),
  // Tools that come up in the middle of a conversation (Codex 0.169.0).
  z.looseObject({ type: z.literal('additional_tools'), tools: z.array(tool) }),
])
const item = z.union([knownItem, other(ITEMS)])

const toolChoice = z.union(
  [
    z.enum(['none', 'auto', 'required']),
    z.looseObject({ type: z.enum(['function', 'custom']), name: z.string() }),
    z.looseObject({
      type: z.literal('allowed_tools'),
      mode: z.enum(['auto', 'required']),
      tools: z.array(z.looseObject({ type: z.string(), name: z.string().optional() })),
    }),
    other(['function', 'custom', 'allowed_tools']),
  ],
  { error: "expected 'none', 'auto', 'required' or a tool" },
)

const format = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
  z.looseObject({
    type: z.literal('json_schema'),
    name: z.string(),
    description: z.string().nullish(),
    schema: z.record(z.string(), z.json()),
    strict: z.boolean().nullish(),
  }),
])

const count = z.number().int().positive()

export const ResponsesBody = z.looseObject({
  model: z.string().min(1),
  input: z.union([z.string(), z.array(item)], { error: 'expected a string or a list of items' }).nullish(),
  instructions: z.string().nullish(),
  previous_response_id: z.string().nullish(),
  conversation: z.union([z.string(), z.looseObject({})]).nullish(),
  prompt: z.looseObject({ id: z.string() }).nullish(),
  background: z.boolean().nullish(),
  store: z.boolean().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_obfuscation: z.boolean().nullish() }).nullish(),
  max_output_tokens: count.nullish(),
  max_tool_calls: count.nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  // Open Responses has them (its schema, 2026-04); OpenAI only shows them in its answers.
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  tools: z.array(tool).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  reasoning: z
    .looseObject({
      effort: z.string().nullish(),
      summary: z.string().nullish(),
      generate_summary: z.string().nullish(),
    })
    .nullish(),
  text: z.looseObject({ format: format.nullish(), verbosity: z.string().nullish() }).nullish(),
  include: z.array(z.string()).nullish(),
  truncation: z.string().nullish(),
  service_tier: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  user: z.string().nullish(),
  safety_identifier: z.string().nullish(),
  prompt_cache_key: z.string().nullish(),
  prompt_cache_retention: z.string().nullish(),
  prompt_cache_options: z.looseObject({}).nullish(),
  client_metadata: z.looseObject({}).nullish(),
  context_management: z.array(z.looseObject({ type: z.string() })).nullish(),
  moderation: z.looseObject({}).nullish(),
})
export type ResponsesBody = z.infer<typeof ResponsesBody>
export type BodyItem = z.infer<typeof knownItem>
export type BodyPart = z.infer<typeof knownPart>
export type BodyContent = z.infer<typeof content>
export type BodyTool = NonNullable<ResponsesBody['tools']>[number]
export type CallableTool = z.infer<typeof functionTool> | z.infer<typeof customTool>

/** The names of the fields we know; others travel between equal protocols only. */
export const KNOWN_FIELDS = new Set(Object.keys(ResponsesBody.shape))

/** Whether an item is one of those that are typed strictly. */
export const isKnownItem = (value: { type?: unknown }): value is BodyItem =>
  value.type === undefined || ITEMS.includes(String(value.type))
export const isKnownPart = (value: { type: unknown }): value is BodyPart => PARTS.includes(String(value.type))
