// A caller's request in Anthropic's format: checked for passing through, or put into canonical form for a provider of
// another protocol. Nothing that changes the answer is dropped in silence.
import { createHash } from 'node:crypto'
import type { ChatMessage, ChatRequest, JsonObject, Tool, ToolChoice } from '../../contract.ts'
import { checkBody, present, refuseUnknown } from '../check_body.ts'
import { WireError } from '../wire_error.ts'
import { readMessage, readSystem } from './messages.ts'
import { isOwnTool, KNOWN_FIELDS, MessagesBody } from './schema.ts'

/** Checks a body and answers it unchanged, unknown fields included. Throws WireError. */
export function readMessagesRequest(body: unknown): JsonObject {
  const { tools, fallbacks } = checkBody(MessagesBody, body)
  // Both have another model work beside the one that was asked for, at a price that no hold of ours covers.
  const advisor = tools?.findIndex(({ type }) => type?.startsWith('advisor_')) ?? -1
  if (advisor >= 0) throw unsupported(`tools[${advisor}]`, 'the advisor, which is charged as another model')
  if (isSet(fallbacks)) throw unsupported('fallbacks', 'other models as fallbacks')
  return body as JsonObject
}

const unsupported = (param: string, what: string) =>
  new WireError(`'${param}' is not supported: the router does not offer ${what}.`, param, 'unsupported_parameter')

const isSet = (value: unknown): boolean => value !== undefined && value !== null

/** Fields that change the answer and exist in this protocol alone. */
const UNTRANSLATABLE = ['container', 'mcp_servers', 'inference_geo'] as const

/** What OpenAI and its likes take as the id of an end user; Claude Code sends two hundred characters of JSON. */
const USER_LENGTH_MAX = 64

/**
 * The request in canonical form. Throws WireError, also for what cannot be said in another protocol. Left out, for they
 * change speed, bookkeeping or the provider's memory and not the answer: `cache_control`, `diagnostics`, edits of the
 * context that only clear old turns, and `thinking` that is disabled (other vendors have no common word for it).
 */
export function toCanonical(body: unknown): ChatRequest {
  const read = checkBody(MessagesBody, body)
  refuseUnknown(read, KNOWN_FIELDS)
  refuseForeign(read)
  return present<ChatRequest>({
    model: read.model,
    messages: [...readSystem(read.system), ...readMessages(read)],
    tools: read.tools?.map(readTool),
    tool_choice: read.tool_choice ? readToolChoice(read.tool_choice) : undefined,
    parallel_tool_calls: read.tool_choice?.disable_parallel_tool_use ? false : undefined,
    max_output_tokens: read.max_tokens ?? undefined,
    temperature: read.temperature ?? undefined,
    top_p: read.top_p ?? undefined,
    top_k: read.top_k ?? undefined,
    stop: read.stop_sequences ?? undefined,
    reasoning: readReasoning(read),
    response_format: readFormat(read),
    // 'auto' is everybody's default.
    service_tier: read.service_tier === 'standard_only' ? 'default' : undefined,
    user: read.metadata?.user_id ? shortUser(read.metadata.user_id) : undefined,
  })
}

function refuseForeign(read: MessagesBody): void {
  const foreign: string | undefined =
    UNTRANSLATABLE.find((name) => isSet(read[name])) ??
    (read.speed && read.speed !== 'standard' ? 'speed' : undefined) ??
    (read.context_management?.edits?.some(({ type }) => !type.startsWith('clear_')) ? 'context_management' : undefined)
  if (!foreign) return
  throw new WireError(`The provider of this model does not support '${foreign}'.`, foreign, 'unsupported_parameter')
}

const readMessages = ({ messages }: MessagesBody): ChatMessage[] =>
  messages.map((message, index) => readMessage(message, `messages[${index}]`))

function readTool(tool: NonNullable<MessagesBody['tools']>[number]): Tool {
  const { name, description, input_schema, strict } = tool
  if (!isOwnTool(tool)) return { kind: 'server', name: name ?? String(tool.type), settings: tool as JsonObject }
  return present<Tool>({
    kind: 'function',
    name: name ?? '',
    description: description ?? undefined,
    parameters: (input_schema ?? undefined) as JsonObject | undefined,
    strict: strict ?? undefined,
  })
}

function readToolChoice({ type, name }: NonNullable<MessagesBody['tool_choice']>): ToolChoice {
  if (type === 'any') return { mode: 'required' }
  if (type !== 'tool') return { mode: type }
  if (name) return { mode: 'tool', name }
  throw new WireError(
    "Missing required parameter: 'tool_choice.name'.",
    'tool_choice.name',
    'missing_required_parameter',
  )
}

function readReasoning({ thinking, output_config }: MessagesBody): ChatRequest['reasoning'] {
  const effort = output_config?.effort
  const budget_tokens = thinking?.type === 'enabled' ? thinking.budget_tokens : undefined
  if (!effort && !budget_tokens) return undefined
  return {
    ...(effort ? { effort } : {}),
    ...(budget_tokens ? { budget_tokens } : {}),
    ...(thinking?.display === 'summarized' ? { summary: 'auto' } : {}),
  }
}

function readFormat({ output_config, output_format }: MessagesBody): ChatRequest['response_format'] {
  const format = output_config?.format ?? output_format
  if (!format) return undefined
  if (format.type !== 'json_schema') {
    throw new WireError(
      `The provider of this model does not support answers of type '${format.type}'.`,
      'output_config.format.type',
      'unsupported_value',
    )
  }
  return { type: 'json_schema', name: 'answer', schema: (format.schema ?? {}) as JsonObject, strict: true }
}

const shortUser = (user_id: string): string =>
  user_id.length <= USER_LENGTH_MAX ? user_id : createHash('sha256').update(user_id).digest('hex')
