// A canonical request as an OpenAI chat request. What this format cannot say is an invalid_request that names the field.
import {
  type Asset,
  type ChatMessage,
  type ChatRequest,
  type ContentPart,
  type FileReference,
  type Json,
  type JsonObject,
  ProviderError,
  type Tool,
  type ToolCall,
  type ToolChoice,
} from '../../contract.ts'
import { addressOf, base64Of } from '../address.ts'
import { effortFor } from '../effort.ts'
import type { ChatQuirks } from './provider.ts'

/** The request body without `stream`. Throws ProviderError 'invalid_request'. */
export function encodeRequest(
  request: ChatRequest,
  upstream: string,
  limit_field: string,
  quirks: ChatQuirks,
): JsonObject {
  if (request.top_k !== undefined && !quirks.top_k) throw unsupported('top_k')
  const { reasoning, response_format, tools, tool_choice, audio, top_logprobs } = request
  return defined({
    model: upstream,
    messages: request.messages.flatMap((message) => encodeMessage(message, quirks)),
    tools: tools?.map(encodeTool),
    tool_choice: tool_choice && encodeToolChoice(tool_choice, tools ?? []),
    parallel_tool_calls: request.parallel_tool_calls,
    n: request.choices,
    [limit_field]: request.max_output_tokens,
    temperature: request.temperature,
    top_p: request.top_p,
    top_k: request.top_k,
    stop: request.stop,
    seed: request.seed,
    presence_penalty: request.presence_penalty,
    frequency_penalty: request.frequency_penalty,
    logit_bias: request.logit_bias,
    logprobs: top_logprobs === undefined ? undefined : true,
    top_logprobs: top_logprobs || undefined,
    response_format: response_format && encodeFormat(response_format),
    reasoning_effort: reasoning && encodeEffort(reasoning, limit_field),
    verbosity: request.verbosity,
    modalities: request.modalities,
    audio,
    service_tier: request.service_tier,
    user: request.user,
    metadata: request.metadata,
  })
}

/**
 * A budget of thought in other formats (Claude Code sets one always) is a level here. It is a limit and no order, so
 * where the model may not think at all, which only OpenAI's names tell, nothing is said.
 */
function encodeEffort({ effort, budget_tokens }: NonNullable<ChatRequest['reasoning']>, limit_field: string) {
  if (effort !== undefined || budget_tokens === undefined) return effort
  return limit_field === 'max_completion_tokens' ? effortFor(budget_tokens) : undefined
}

function encodeMessage(message: ChatMessage, quirks: ChatQuirks): JsonObject[] {
  const named = message.name ? { name: message.name } : {}
  const results = message.content.filter((part) => part.type === 'tool_result')
  const rest = message.content.filter((part) => part.type !== 'tool_result')
  // Results of tools are messages of their own here; other formats put them into the user's turn.
  const messages = results.map(encodeResult)
  const media = results.flatMap(mediaOf)
  if (message.role === 'assistant') messages.push({ ...encodeAssistant(rest, quirks), ...named })
  else if (rest.length > 0 || media.length > 0 || results.length === 0) {
    const role = message.role === 'developer' && !quirks.developer_role ? 'system' : message.role
    messages.push({ role: role === 'tool' ? 'user' : role, content: encodeContent([...media, ...rest]), ...named })
  }
  return messages
}

type ToolResult = Extract<ContentPart, { type: 'tool_result' }>

/** A tool message holds text alone; pictures that tools gave follow as the user's, after the results of all calls. */
function encodeResult({ call_id, content, is_error }: ToolResult): JsonObject {
  const texts = content.filter((part) => part.type === 'text').map((part) => part.text)
  return { role: 'tool', tool_call_id: call_id, content: (is_error ? 'Error: ' : '') + texts.join('\n') }
}

const mediaOf = ({ content }: ToolResult): ContentPart[] => content.filter((part) => part.type !== 'text')

function encodeAssistant(parts: ContentPart[], quirks: ChatQuirks): JsonObject {
  const texts = parts.filter((part) => part.type === 'text' || part.type === 'refusal')
  const calls = parts.filter((part) => part.type === 'tool_call')
  const thoughts = parts.filter((part) => part.type === 'reasoning')
  const other = parts.find((part) => !['text', 'refusal', 'tool_call', 'reasoning'].includes(part.type))
  if (other) throw unsupported(`messages[].content of type ${other.type} from the assistant`)
  const reasoning = thoughts.map((part) => part.text).join('')
  return {
    role: 'assistant',
    content: texts.length > 0 ? texts.map((part) => part.text).join('') : null,
    ...(calls.length > 0 ? { tool_calls: calls.map(encodeToolCall) } : {}),
    // Elsewhere this format has no place for a model's earlier thoughts; every vendor leaves them out (OpenAI's guide).
    ...(quirks.reasoning_content && reasoning ? { reasoning_content: reasoning } : {}),
  }
}

function encodeToolCall(call: ToolCall): JsonObject {
  return call.kind === 'custom'
    ? { id: call.id, type: 'custom', custom: { name: call.name, input: call.arguments } }
    : { id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }
}

function encodeContent(parts: ContentPart[]): Json {
  if (parts.every((part) => part.type === 'text' && !part.cache)) {
    return parts.length === 1 ? (parts[0] as { text: string }).text : parts.map(encodePart)
  }
  return parts.map(encodePart)
}

function encodePart(part: ContentPart): JsonObject {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text }
    case 'refusal':
      return { type: 'text', text: part.text }
    case 'image':
      return {
        type: 'image_url',
        image_url: { url: dataUrl(part.image, 'image'), ...(part.detail ? { detail: part.detail } : {}) },
      }
    case 'audio': {
      if (part.audio.type !== 'bytes') throw unsupported('audio by address')
      const format = part.audio.media_type.replace(/^audio\/(?:x-)?/, '').replace('mpeg', 'mp3')
      return { type: 'input_audio', input_audio: { data: base64Of(part.audio.data), format } }
    }
    case 'document':
      return { type: 'file', file: encodeDocument(part) }
    default:
      throw unsupported(`content of type ${part.type}`)
  }
}

function encodeDocument({ document, filename }: Extract<ContentPart, { type: 'document' }>): JsonObject {
  if (document.type === 'file') return { file_id: document.id }
  if (document.type === 'url') throw unsupported('documents by address')
  return { file_data: dataUrl(document, 'document'), filename: filename ?? document.filename ?? 'document.pdf' }
}

function dataUrl(asset: Asset | FileReference, what: string): string {
  if (asset.type === 'file') throw unsupported(`${what} by file id`)
  return addressOf(asset)
}

function encodeTool(tool: Tool): JsonObject {
  if (tool.kind === 'server') throw unsupported(`the tool '${tool.name}'`)
  if (tool.kind === 'custom') {
    return {
      type: 'custom',
      custom: defined({ name: tool.name, description: tool.description, format: tool.format }),
    }
  }
  const { name, description, parameters, strict } = tool
  return { type: 'function', function: defined({ name, description, parameters, strict }) }
}

function encodeToolChoice(choice: ToolChoice, tools: Tool[]): Json {
  const named = (name: string): JsonObject =>
    tools.find((tool) => tool.name === name)?.kind === 'custom'
      ? { type: 'custom', custom: { name } }
      : { type: 'function', function: { name } }
  if (choice.mode === 'tool') return named(choice.name)
  if (choice.mode !== 'allowed') return choice.mode
  const mode = choice.required ? 'required' : 'auto'
  return { type: 'allowed_tools', allowed_tools: { mode, tools: choice.names.map(named) } }
}

function encodeFormat(format: NonNullable<ChatRequest['response_format']>): JsonObject {
  if (format.type === 'json') return { type: 'json_object' }
  const { name, schema, strict, description } = format
  return { type: 'json_schema', json_schema: defined({ name, description, schema, strict }) }
}

const unsupported = (what: string) =>
  new ProviderError('invalid_request', `The provider of this model does not support ${what}.`, { param: what })

const defined = (object: { [name: string]: unknown }): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as JsonObject
