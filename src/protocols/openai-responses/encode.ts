// A canonical request as a request to the Responses API. What this format cannot say is an invalid_request that names
// the field.
import {
  type ChatMessage,
  type ChatRequest,
  type ContentPart,
  type JsonObject,
  ProviderError,
  type Tool,
  type ToolCall,
  type ToolChoice,
} from '../../contract.ts'
import { addressOf } from '../address.ts'
import { effortFor } from '../effort.ts'
import { OPENAI_SEAL, writeSealed } from './sealed.ts'

/** The request body without `stream`. Nothing is kept at the provider: the conversation is the caller's. */
export function encodeRequest(request: ChatRequest, upstream: string): JsonObject {
  refuseUnsupported(request)
  const { tools, tool_choice, reasoning, response_format, verbosity, top_logprobs } = request
  const text = defined({ format: response_format && encodeFormat(response_format), verbosity })
  return defined({
    model: upstream,
    input: encodeInput(request.messages),
    tools: tools?.map(encodeTool),
    tool_choice: tool_choice && encodeToolChoice(tool_choice, tools ?? []),
    parallel_tool_calls: request.parallel_tool_calls,
    max_output_tokens: request.max_output_tokens,
    temperature: request.temperature,
    top_p: request.top_p,
    top_logprobs: top_logprobs || undefined,
    text: Object.keys(text).length > 0 ? text : undefined,
    reasoning: reasoning && encodeReasoning(reasoning),
    include: ['reasoning.encrypted_content', ...(top_logprobs === undefined ? [] : ['message.output_text.logprobs'])],
    service_tier: request.service_tier,
    safety_identifier: request.user,
    metadata: request.metadata,
    store: false,
  })
}

function encodeReasoning({ effort, budget_tokens, summary }: NonNullable<ChatRequest['reasoning']>): JsonObject {
  return defined({ effort: effort ?? (budget_tokens === undefined ? undefined : effortFor(budget_tokens)), summary })
}

/** A penalty of nothing, a bias of nothing and one answer are what this format does anyway. */
function refuseUnsupported(request: ChatRequest): void {
  const { choices, presence_penalty, frequency_penalty, logit_bias, modalities } = request
  if (choices !== undefined && choices > 1) throw unsupported('more than one choice', 'n')
  if (presence_penalty) throw unsupported('presence_penalty')
  if (frequency_penalty) throw unsupported('frequency_penalty')
  if (logit_bias && Object.keys(logit_bias).length > 0) throw unsupported('logit_bias')
  if (modalities?.some((each) => each !== 'text') || request.audio) throw unsupported('modalities')
  if (request.top_k !== undefined) throw unsupported('top_k')
  if (request.stop && request.stop.length > 0) throw unsupported('stop')
  if (request.seed !== undefined) throw unsupported('seed')
}

/** Calls, results and thoughts are items of their own here, between the messages. */
function encodeInput(messages: ChatMessage[]): JsonObject[] {
  const custom = new Set<string>()
  return messages.flatMap(({ role, content }) => {
    const items: JsonObject[] = []
    let parts: JsonObject[] = []
    const say = () => {
      if (parts.length > 0) items.push({ type: 'message', role: role === 'tool' ? 'user' : role, content: parts })
      parts = []
    }
    for (const part of content) {
      if (part.type === 'tool_call' && part.kind === 'custom') custom.add(part.id)
      const item = encodeItem(part, custom)
      if (item === undefined) parts.push(role === 'assistant' ? encodeOwn(part) : encodePart(part))
      else {
        say()
        items.push(...item)
      }
    }
    say()
    return items
  })
}

/** Undefined for what belongs into a message. A thought without its seal has no place: the API knows only its own. */
function encodeItem(part: ContentPart, custom: Set<string>): JsonObject[] | undefined {
  if (part.type === 'tool_call') return [encodeCall(part)]
  if (part.type === 'tool_result') {
    const type = custom.has(part.call_id) ? 'custom_tool_call_output' : 'function_call_output'
    return [{ type, call_id: part.call_id, output: encodeOutput(part) }]
  }
  if (part.type !== 'reasoning') return undefined
  const { encrypted, text, id } = part
  // Sealed by another vendor: refused here.
  if (encrypted === undefined || !OPENAI_SEAL.test(encrypted)) return []
  const summary = text ? [{ type: 'summary_text', text }] : []
  return [{ type: 'reasoning', ...(id ? { id } : {}), summary, encrypted_content: writeSealed({ encrypted }) ?? null }]
}

function encodeCall({ id, kind, name, namespace, arguments: words }: ToolCall): JsonObject {
  const named = { call_id: id, name, ...(namespace ? { namespace } : {}) }
  return kind === 'custom'
    ? { type: 'custom_tool_call', ...named, input: words }
    : { type: 'function_call', ...named, arguments: words }
}

function encodeOutput({ content, is_error }: Extract<ContentPart, { type: 'tool_result' }>): string | JsonObject[] {
  const prefix = is_error ? 'Error: ' : ''
  if (content.every((part) => part.type === 'text')) return prefix + content.map((part) => part.text).join('\n')
  const parts = content.map(encodePart)
  return prefix ? [{ type: 'input_text', text: prefix.trim() }, ...parts] : parts
}

/** What the model itself said before. */
function encodeOwn(part: ContentPart): JsonObject {
  if (part.type === 'text') return { type: 'output_text', text: part.text, annotations: [] }
  if (part.type === 'refusal') return { type: 'refusal', refusal: part.text }
  throw unsupported(`messages[].content of type ${part.type} from the assistant`)
}

function encodePart(part: ContentPart): JsonObject {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return { type: 'input_text', text: part.text }
    case 'image': {
      const { image, detail } = part
      const where = image.type === 'file' ? { file_id: image.id } : { image_url: addressOf(image) }
      return { type: 'input_image', ...where, detail: detail ?? 'auto' }
    }
    case 'document':
      return { type: 'input_file', ...encodeDocument(part) }
    default:
      throw unsupported(`content of type ${part.type}`)
  }
}

function encodeDocument({ document, filename }: Extract<ContentPart, { type: 'document' }>): JsonObject {
  if (document.type === 'file') return { file_id: document.id }
  if (document.type === 'url') return { file_url: document.url }
  return { file_data: addressOf(document), filename: filename ?? document.filename ?? 'document.pdf' }
}

/** Here a function is strict unless told otherwise; in every other format it is not. */
function encodeTool(tool: Tool): JsonObject {
  if (tool.kind === 'server') throw unsupported(`the tool '${tool.name}'`)
  const { name, description } = tool
  if (tool.kind === 'custom') return defined({ type: 'custom', name, description, format: encodeGrammar(tool.format) })
  const { parameters, strict } = tool
  return defined({
    type: 'function',
    name,
    description,
    parameters: parameters ?? { type: 'object', properties: {} },
    strict: strict ?? false,
  })
}

/** Chat nests the grammar one deeper: {type, grammar: {syntax, definition}}. */
function encodeGrammar(format: JsonObject | undefined): JsonObject | undefined {
  const { grammar, ...rest } = format ?? {}
  return format && typeof grammar === 'object' && grammar !== null ? { ...rest, ...(grammar as JsonObject) } : format
}

function encodeToolChoice(choice: ToolChoice, tools: Tool[]): string | JsonObject {
  const named = (name: string): JsonObject => ({
    type: tools.find((tool) => tool.name === name)?.kind === 'custom' ? 'custom' : 'function',
    name,
  })
  if (choice.mode === 'tool') return named(choice.name)
  if (choice.mode !== 'allowed') return choice.mode
  return { type: 'allowed_tools', mode: choice.required ? 'required' : 'auto', tools: choice.names.map(named) }
}

function encodeFormat(format: NonNullable<ChatRequest['response_format']>): JsonObject {
  if (format.type === 'json') return { type: 'json_object' }
  const { name, schema, strict, description } = format
  return defined({ type: 'json_schema', name, description, schema, strict: strict ?? false })
}

const unsupported = (what: string, param = what) =>
  new ProviderError('invalid_request', `The provider of this model does not support ${what}.`, { param })

const defined = (object: { [name: string]: unknown }): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as JsonObject
