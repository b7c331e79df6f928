// A caller's response request: checked for passing through, or put into canonical form for a provider of another
// protocol. Nothing that changes the answer is dropped in silence.
import type { ChatRequest, JsonObject, Tool } from '../../contract.ts'
import { checkBody, present, refuseUnknown } from '../check_body.ts'
import { WireError } from '../wire_error.ts'
import { readInput } from './items.ts'
import { KNOWN_FIELDS, ResponsesBody } from './schema.ts'
import { readToolChoice, readTools, toolsIn } from './tools.ts'

/**
 * Tools that a provider bills beside its tokens, by the picture, container or call, for which no price file has a
 * rate: no price, no call.
 */
const UNPRICED_TOOLS = ['image_generation', 'code_interpreter', 'file_search', 'shell']

/** Checks a body and answers it unchanged, unknown fields included. Throws WireError. */
export function readResponsesRequest(body: unknown): JsonObject {
  const read = checkBody(ResponsesBody, body)
  if (read.conversation) {
    throw new WireError(
      "'conversation' is not supported: give previous_response_id, or the items themselves in input.",
      'conversation',
      'unsupported_parameter',
    )
  }
  if (!read.input && !read.prompt) {
    throw new WireError("Missing required parameter: 'input'.", 'input', 'missing_required_parameter')
  }
  const unpriced = toolsIn(read).findIndex(({ type }) => UNPRICED_TOOLS.includes(type))
  const type = toolsIn(read)[unpriced]?.type
  if (type !== undefined) {
    const param = `tools[${unpriced}].type`
    throw new WireError(`The tool '${type}' has no price here and cannot be used.`, param, 'unsupported_value')
  }
  return body as JsonObject
}

/** Fields that change the answer and exist in this protocol alone. */
const UNTRANSLATABLE = ['prompt', 'max_tool_calls', 'context_management', 'moderation'] as const

/**
 * The request in canonical form. Throws WireError, also for what cannot be said in another protocol. Left out, for they
 * change speed or bookkeeping and not the answer: `prompt_cache_*`, `client_metadata`, and what the router itself sees
 * to (`stream`, `store`, `background`, `include`, `previous_response_id`, whose items are in `input` by now).
 */
export function toCanonical(body: unknown): ChatRequest {
  const read = checkBody(ResponsesBody, body)
  refuseUnknown(read, KNOWN_FIELDS)
  const foreign = UNTRANSLATABLE.find((name) => read[name] !== undefined && read[name] !== null)
  if (foreign) throw unsupported(`'${foreign}'`, foreign)
  if (read.truncation === 'auto') throw unsupported("'truncation' of 'auto'", 'truncation')
  const tools = readTools(toolsIn(read))
  const instructions: ChatRequest['messages'] = read.instructions
    ? [{ role: 'developer', content: [{ type: 'text', text: read.instructions }] }]
    : []
  const logprobs = read.include?.includes('message.output_text.logprobs') || (read.top_logprobs ?? 0) > 0
  return present<ChatRequest>({
    model: read.model,
    messages: [...instructions, ...readInput(read.input)],
    tools: tools.length > 0 ? tools : undefined,
    tool_choice: choiceAmong(tools, read.tool_choice),
    parallel_tool_calls: tools.length > 0 ? (read.parallel_tool_calls ?? undefined) : undefined,
    choices: undefined,
    max_output_tokens: read.max_output_tokens ?? undefined,
    temperature: read.temperature ?? undefined,
    top_p: read.top_p ?? undefined,
    top_logprobs: logprobs ? (read.top_logprobs ?? 0) : undefined,
    response_format: readFormat(read.text?.format),
    reasoning: readReasoning(read.reasoning),
    verbosity: read.text?.verbosity ?? undefined,
    service_tier: read.service_tier ?? undefined,
    user: read.safety_identifier ?? read.user ?? undefined,
    metadata: read.metadata ?? undefined,
    top_k: undefined,
    stop: undefined,
    seed: undefined,
    presence_penalty: read.presence_penalty ?? undefined,
    frequency_penalty: read.frequency_penalty ?? undefined,
    logit_bias: undefined,
    modalities: undefined,
    audio: undefined,
  })
}

/** Servers refuse a choice among no tools. */
function choiceAmong(tools: Tool[], choice: ResponsesBody['tool_choice']): ChatRequest['tool_choice'] {
  const read = choice ? readToolChoice(choice) : undefined
  if (tools.length > 0 || !read || read.mode === 'auto' || read.mode === 'none')
    return tools.length > 0 ? read : undefined
  throw unsupported("'tool_choice' without a tool that it can run", 'tool_choice')
}

function readReasoning(reasoning: ResponsesBody['reasoning']): ChatRequest['reasoning'] {
  const { effort } = reasoning ?? {}
  const summary = reasoning?.summary ?? reasoning?.generate_summary
  if (!effort && !summary) return undefined
  return { ...(effort ? { effort } : {}), ...(summary ? { summary } : {}) }
}

type BodyFormat = NonNullable<ResponsesBody['text']>['format']

function readFormat(format: BodyFormat): ChatRequest['response_format'] {
  if (!format || format.type === 'text') return undefined
  if (format.type === 'json_object') return { type: 'json' }
  const { name, description, schema, strict } = format
  return {
    type: 'json_schema',
    name,
    schema: schema as JsonObject,
    ...(strict === null || strict === undefined ? {} : { strict }),
    ...(description ? { description } : {}),
  }
}

const unsupported = (what: string, param: string) =>
  new WireError(`The provider of this model does not support ${what}.`, param, 'unsupported_parameter')
