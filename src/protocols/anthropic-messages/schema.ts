// What a caller may send to POST /v1/messages. Known fields are typed strictly; fields we do not know are left alone, for
// between equal protocols they travel on.
import { z } from 'zod'

const cache_control = z.looseObject({ type: z.string(), ttl: z.string().nullish() }).nullish()

const text = z.looseObject({ type: z.literal('text'), text: z.string(), cache_control })
const media = z.looseObject({
  type: z.enum(['image', 'document']),
  source: z.looseObject({
    type: z.string(),
    media_type: z.string().nullish(),
    data: z.string().nullish(),
    url: z.string().nullish(),
    file_id: z.string().nullish(),
  }),
  title: z.string().nullish(),
  context: z.string().nullish(),
  cache_control,
})
const toolUse = z.looseObject({
  type: z.literal('tool_use'),
  id: z.string(),
  name: z.string(),
  input: z.record(z.string(), z.json()),
  cache_control,
})
const thinking = z.looseObject({ type: z.literal('thinking'), thinking: z.string(), signature: z.string().nullish() })
const redacted = z.looseObject({ type: z.literal('redacted_thinking'), data: z.string() })
const toolResult = z.looseObject({
  type: z.literal('tool_result'),
  tool_use_id: z.string(),
  content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]).nullish(),
  is_error: z.boolean().nullish(),
  cache_control,
})

const KNOWN_BLOCKS = [text, media, toolUse, thinking, redacted, toolResult] as const
const known = z.discriminatedUnion('type', KNOWN_BLOCKS)
const BLOCK_TYPES = new Set([
  'text',
  'image',
  'document',
  'tool_use',
  'thinking',
  'redacted_thinking',
  'tool_result',
] satisfies z.infer<typeof known>['type'][] as string[])

/** A block of a type that we know must be right; one that we do not know must only have a type. */
const block = z.looseObject({ type: z.string() }).superRefine((value, context) => {
  if (!BLOCK_TYPES.has(value.type)) return
  const read = known.safeParse(value)
  if (read.success) return
  for (const issue of read.error.issues) context.addIssue({ code: 'custom', message: issue.message, path: issue.path })
})
/** What the schema has checked a block to be, once its type is known to be one of these. */
export type KnownBlock = z.infer<typeof known>
export const isKnownBlock = (value: { type: string }): value is KnownBlock => BLOCK_TYPES.has(value.type)

const content = z.union([z.string(), z.array(block)], { error: 'expected a string or a list of blocks' })

/** A caller's own tool has no type, or 'custom'; all others are Anthropic's, by their type. */
const tool = z
  .looseObject({
    type: z.string().nullish(),
    name: z.string().nullish(),
    description: z.string().nullish(),
    input_schema: z.record(z.string(), z.json()).nullish(),
    strict: z.boolean().nullish(),
    cache_control,
  })
  .superRefine((value, context) => {
    if (!isOwnTool(value)) return
    for (const name of ['name', 'input_schema'] as const) {
      if (!value[name]) context.addIssue({ code: 'custom', message: 'it is required', path: [name] })
    }
  })
export const isOwnTool = ({ type }: { type?: unknown }): boolean =>
  type === undefined || type === null || type === 'custom'

const toolChoice = z.looseObject({
  type: z.enum(['auto', 'any', 'tool', 'none']),
  name: z.string().nullish(),
  disable_parallel_tool_use: z.boolean().nullish(),
})

const outputFormat = z.looseObject({ type: z.string(), schema: z.record(z.string(), z.json()).nullish() })

export const MessagesBody = z
  .looseObject({
    model: z.string().min(1),
    messages: z.array(z.looseObject({ role: z.enum(['user', 'assistant', 'system']), content })).min(1),
    system: z.union([z.string(), z.array(text)], { error: 'expected a string or a list of text blocks' }).nullish(),
    max_tokens: z.number().int().positive().nullish(),
    stream: z.boolean().nullish(),
    temperature: z.number().min(0).max(1).nullish(),
    top_p: z.number().min(0).max(1).nullish(),
    top_k: z.number().int().nullish(),
    stop_sequences: z.array(z.string()).nullish(),
    tools: z.array(tool).nullish(),
    tool_choice: toolChoice.nullish(),
    thinking: z
      .looseObject({ type: z.string(), budget_tokens: z.number().int().nullish(), display: z.string().nullish() })
      .nullish(),
    output_config: z.looseObject({ effort: z.string().nullish(), format: outputFormat.nullish() }).nullish(),
    output_format: outputFormat.nullish(),
    metadata: z.looseObject({ user_id: z.string().nullish() }).nullish(),
    service_tier: z.string().nullish(),
    speed: z.string().nullish(),
    inference_geo: z.string().nullish(),
    cache_control,
    container: z.json(),
    context_management: z.looseObject({ edits: z.array(z.looseObject({ type: z.string() })).nullish() }).nullish(),
    mcp_servers: z.array(z.looseObject({})).nullish(),
    fallbacks: z.json(),
    diagnostics: z.json(),
  })
  .partial({ container: true, fallbacks: true, diagnostics: true })
export type MessagesBody = z.infer<typeof MessagesBody>
export type BodyMessage = MessagesBody['messages'][number]

/** The names of the fields we know; others travel between equal protocols only. */
export const KNOWN_FIELDS = new Set(Object.keys(MessagesBody.shape))
