// What a caller may send to POST /v1/chat/completions. Known fields are typed strictly; fields we do not know are left
// alone, for between equal protocols they travel on.
import { z } from 'zod'

const text = z.looseObject({ type: z.literal('text'), text: z.string() })
const refusal = z.looseObject({ type: z.literal('refusal'), refusal: z.string() })
const image = z.looseObject({
  type: z.literal('image_url'),
  image_url: z.looseObject({ url: z.string(), detail: z.string().nullish() }),
})
const audio = z.looseObject({
  type: z.literal('input_audio'),
  input_audio: z.looseObject({ data: z.string(), format: z.string() }),
})
const file = z.looseObject({
  type: z.literal('file'),
  file: z.looseObject({
    file_data: z.string().nullish(),
    file_id: z.string().nullish(),
    filename: z.string().nullish(),
  }),
})
/** Kinds of parts that only some providers know (video_url, document_url, thinking). */
const other = z.looseObject({ type: z.string() })
const KNOWN_PARTS = [text, refusal, image, audio, file] as const
const known = z.discriminatedUnion('type', KNOWN_PARTS)
const PART_TYPES = new Set<string>(KNOWN_PARTS.map((part) => part.shape.type.value))

/** A part of a type that we know must be right; one that we do not know must only have a type. */
const part = other.superRefine((value, context) => {
  if (!PART_TYPES.has(value.type)) return
  const read = known.safeParse(value)
  if (read.success) return
  for (const issue of read.error.issues) context.addIssue({ code: 'custom', message: issue.message, path: issue.path })
})
const content = z.union([z.string(), z.array(part)], { error: 'expected a string or a list of parts' })

const toolCall = z.looseObject({
  id: z.string(),
  type: z.enum(['function', 'custom']).nullish(),
  function: z.looseObject({ name: z.string(), arguments: z.string() }).nullish(),
  custom: z.looseObject({ name: z.string(), input: z.string() }).nullish(),
})

const message = z.discriminatedUnion('role', [
  z.looseObject({ role: z.literal('system'), content, name: z.string().nullish() }),
  z.looseObject({ role: z.literal('developer'), content, name: z.string().nullish() }),
  z.looseObject({ role: z.literal('user'), content, name: z.string().nullish() }),
  z.looseObject({
    role: z.literal('assistant'),
    content: content.nullish(),
    refusal: z.string().nullish(),
    name: z.string().nullish(),
    audio: z.looseObject({ id: z.string() }).nullish(),
    tool_calls: z.array(toolCall).nullish(),
    function_call: z.looseObject({ name: z.string(), arguments: z.string() }).nullish(),
    reasoning_content: z.string().nullish(),
  }),
  z.looseObject({ role: z.literal('tool'), content, tool_call_id: z.string() }),
  z.looseObject({ role: z.literal('function'), content: content.nullish(), name: z.string() }),
])

const tool = z.discriminatedUnion(
  'type',
  [
    z.looseObject({
      // Mistral's own client leaves it out (recordings of 2026).
      type: z.literal('function').optional(),
      function: z.looseObject({
        name: z.string(),
        description: z.string().nullish(),
        parameters: z.record(z.string(), z.json()).nullish(),
        strict: z.boolean().nullish(),
      }),
    }),
    z.looseObject({
      type: z.literal('custom'),
      custom: z.looseObject({
        name: z.string(),
        description: z.string().nullish(),
        format: z.record(z.string(), z.json()).nullish(),
      }),
    }),
  ],
  { error: "expected 'function' or 'custom'" },
)
const namedTool = z.looseObject({
  type: z.enum(['function', 'custom']),
  function: z.looseObject({ name: z.string() }).nullish(),
  custom: z.looseObject({ name: z.string() }).nullish(),
})
const toolChoice = z.union(
  [
    // 'any' is Mistral's first word for 'required' (its reference, 2026-11).
    z.enum(['none', 'auto', 'required', 'any']),
    namedTool,
    z.looseObject({
      type: z.literal('allowed_tools'),
      allowed_tools: z.looseObject({ mode: z.enum(['auto', 'required']), tools: z.array(namedTool) }),
    }),
  ],
  { error: "expected 'none', 'auto', 'required' or a tool" },
)

const responseFormat = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
  z.looseObject({
    type: z.literal('json_schema'),
    json_schema: z.looseObject({
      name: z.string(),
      description: z.string().nullish(),
      schema: z.record(z.string(), z.json()).nullish(),
      strict: z.boolean().nullish(),
    }),
  }),
])

const count = z.number().int().positive()

export const ChatBody = z.looseObject({
  model: z.string().min(1),
  messages: z.array(message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z
    .looseObject({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() })
    .nullish(),
  max_tokens: count.nullish(),
  max_completion_tokens: count.nullish(),
  n: z.number().int().min(1).max(128).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.number().int().nullish(),
  stop: z.union([z.string(), z.array(z.string())], { error: 'expected a string or a list of strings' }).nullish(),
  seed: z.number().int().nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: z.record(z.string(), z.number()).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  tools: z.array(tool).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  functions: z.array(z.looseObject({ name: z.string() })).nullish(),
  function_call: z.union([z.string(), z.looseObject({ name: z.string() })]).nullish(),
  response_format: responseFormat.nullish(),
  reasoning_effort: z.string().nullish(),
  verbosity: z.string().nullish(),
  modalities: z.array(z.string()).nullish(),
  audio: z.looseObject({ format: z.string(), voice: z.json() }).nullish(),
  prediction: z.looseObject({ type: z.string() }).nullish(),
  service_tier: z.string().nullish(),
  store: z.boolean().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  user: z.string().nullish(),
  safety_identifier: z.string().nullish(),
  prompt_cache_key: z.string().nullish(),
  prompt_cache_retention: z.string().nullish(),
  prompt_cache_options: z.looseObject({}).nullish(),
  web_search_options: z.looseObject({}).nullish(),
  moderation: z.looseObject({}).nullish(),
})
export type ChatBody = z.infer<typeof ChatBody>
export type BodyMessage = ChatBody['messages'][number]

/** The names of the fields we know; others travel between equal protocols only. */
export const KNOWN_FIELDS = new Set(Object.keys(ChatBody.shape))
