// A caller's chat request: checked for passing through, or put into canonical form for a provider of another protocol.
// Nothing that changes the answer is dropped in silence.
import type { ChatRequest, JsonObject, Tool, ToolChoice } from '../../contract.ts'
import { checkBody, present, refuseUnknown } from '../check_body.ts'
import { WireError } from '../wire_error.ts'
import { readMessage } from './messages.ts'
import { ChatBody, KNOWN_FIELDS } from './schema.ts'

/** Checks a body and answers it unchanged, unknown fields included. Throws WireError. */
export function readChatRequest(body: unknown): JsonObject {
  checkBody(ChatBody, body)
  return body as JsonObject
}

/** Fields that change the answer and exist in this protocol alone. */
const UNTRANSLATABLE = ['prediction', 'moderation', 'web_search_options', 'functions', 'function_call'] as const

/**
 * The request in canonical form. Throws WireError, also for what cannot be said in another protocol. Left out, for they
 * change speed or bookkeeping and not the answer: `prompt_cache_*`, and what the router itself sees to (`stream`,
 * `stream_options`, `store`).
 */
export function toCanonical(body: unknown): ChatRequest {
  const read = checkBody(ChatBody, body)
  refuseUnknown(read, KNOWN_FIELDS)
  const foreign = UNTRANSLATABLE.find((name) => read[name] !== undefined && read[name] !== null)
  if (foreign) {
    const advice = foreign.startsWith('function') ? ' Use tools and tool_choice.' : ''
    throw new WireError(
      `The provider of this model does not support '${foreign}'.${advice}`,
      foreign,
      'unsupported_parameter',
    )
  }
  return present<ChatRequest>({
    model: read.model,
    messages: read.messages.map((message, index) => readMessage(message, `messages[${index}]`)),
    tools: read.tools?.map(readTool),
    tool_choice: read.tool_choice ? readToolChoice(read.tool_choice) : undefined,
    response_format: readFormat(read.response_format),
    reasoning: read.reasoning_effort ? { effort: read.reasoning_effort } : undefined,
    choices: read.n ?? undefined,
    max_output_tokens: read.max_completion_tokens ?? read.max_tokens ?? undefined,
    stop: typeof read.stop === 'string' ? [read.stop] : (read.stop ?? undefined),
    top_logprobs: read.logprobs ? (read.top_logprobs ?? 0) : undefined,
    audio: read.audio ? { format: read.audio.format, voice: read.audio.voice } : undefined,
    user: read.safety_identifier ?? read.user ?? undefined,
    parallel_tool_calls: read.parallel_tool_calls ?? undefined,
    temperature: read.temperature ?? undefined,
    top_p: read.top_p ?? undefined,
    top_k: read.top_k ?? undefined,
    seed: read.seed ?? undefined,
    presence_penalty: read.presence_penalty ?? undefined,
    frequency_penalty: read.frequency_penalty ?? undefined,
    logit_bias: read.logit_bias ?? undefined,
    verbosity: read.verbosity ?? undefined,
    modalities: read.modalities ?? undefined,
    service_tier: read.service_tier ?? undefined,
    metadata: read.metadata ?? undefined,
  })
}

function readTool(tool: NonNullable<ChatBody['tools']>[number]): Tool {
  if (tool.type === 'custom') {
    const { name, description, format } = tool.custom
    return present<Tool>({
      kind: 'custom',
      name,
      description: description ?? undefined,
      format: (format ?? undefined) as JsonObject | undefined,
    })
  }
  const { name, description, parameters, strict } = tool.function
  return present<Tool>({
    kind: 'function',
    name,
    description: description ?? undefined,
    parameters: (parameters ?? undefined) as JsonObject | undefined,
    strict: strict ?? undefined,
  })
}

function readToolChoice(choice: NonNullable<ChatBody['tool_choice']>): ToolChoice {
  if (typeof choice === 'string') return { mode: choice === 'any' ? 'required' : choice }
  if (choice.type !== 'allowed_tools') return { mode: 'tool', name: nameOf(choice, 'tool_choice') }
  const { mode, tools } = choice.allowed_tools as { mode: 'auto' | 'required'; tools: NamedTool[] }
  return {
    mode: 'allowed',
    required: mode === 'required',
    names: tools.map((tool, index) => nameOf(tool, `tool_choice.allowed_tools.tools[${index}]`)),
  }
}
interface NamedTool {
  function?: { name: string } | null | undefined
  custom?: { name: string } | null | undefined
}
function nameOf(tool: NamedTool, param: string): string {
  const name = tool.function?.name ?? tool.custom?.name
  if (!name)
    throw new WireError(`Missing required parameter: '${param}.function'.`, param, 'missing_required_parameter')
  return name
}

function readFormat(format: ChatBody['response_format']): ChatRequest['response_format'] {
  if (!format || format.type === 'text') return undefined
  if (format.type === 'json_object') return { type: 'json' }
  const { name, description, schema, strict } = format.json_schema
  return {
    type: 'json_schema',
    name,
    schema: (schema ?? {}) as JsonObject,
    ...(strict === null || strict === undefined ? {} : { strict }),
    ...(description ? { description } : {}),
  }
}
