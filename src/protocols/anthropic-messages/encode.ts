// A canonical request as a request of Anthropic's. What this format cannot say is an invalid_request that names the field.
import { type ChatRequest, type JsonObject, ProviderError, type Tool, type ToolChoice } from '../../contract.ts'
import { present } from '../check_body.ts'
import { encodeMessages } from './encode_messages.ts'
import { encodeThinking } from './thinking.ts'

/** Anthropic asks for a limit; the router always sets one. */
const MAX_TOKENS = 16_384

/**
 * The request body without `stream`. Throws ProviderError 'invalid_request'. Left out: `metadata`, which is the other
 * vendor's bookkeeping, and a picture's `detail`.
 */
export function encodeRequest(request: ChatRequest, upstream: string): JsonObject {
  refuse(request)
  const { system, messages } = encodeMessages(request.messages)
  const { response_format, tool_choice, user } = request
  if (response_format?.type === 'json') system.push({ type: 'text', text: JSON_ALONE })
  const tools = allowed(request.tools ?? [], tool_choice)
  const max_tokens = request.max_output_tokens ?? MAX_TOKENS
  const { thinking, effort } = encodeThinking(request, upstream, max_tokens)
  const format =
    response_format?.type === 'json_schema' ? { type: 'json_schema', schema: response_format.schema } : undefined
  return present<JsonObject>({
    model: upstream,
    max_tokens,
    system: system.length > 0 ? system : undefined,
    messages,
    tools: tools.length > 0 ? tools.map(encodeTool) : undefined,
    tool_choice: tools.length > 0 ? encodeToolChoice(request) : undefined,
    temperature: request.temperature,
    top_p: request.top_p,
    top_k: request.top_k,
    stop_sequences: request.stop,
    thinking,
    output_config: effort || format ? present<JsonObject>({ effort, format }) : undefined,
    service_tier: encodeTier(request.service_tier),
    metadata: user ? { user_id: user } : undefined,
  })
}

/** This format has no mode for it, so the model is asked in words. */
const JSON_ALONE = 'Answer with one JSON object and nothing else: no words around it, no code fence.'

function refuse(request: ChatRequest): void {
  const { choices = 1, temperature = 0, logit_bias = {}, verbosity, modalities = [] } = request
  if (choices > 1) throw unsupported('n', 'more than one answer')
  if (temperature > 1) throw unsupported('temperature', 'a temperature above 1')
  if (request.presence_penalty) throw unsupported('presence_penalty', 'penalties')
  if (request.frequency_penalty) throw unsupported('frequency_penalty', 'penalties')
  if (Object.keys(logit_bias).length > 0) throw unsupported('logit_bias', 'biases')
  if (request.seed !== undefined) throw unsupported('seed', 'answers that can be had again')
  if (request.top_logprobs !== undefined) throw unsupported('logprobs', 'probabilities of tokens')
  if (verbosity !== undefined && verbosity !== 'medium') throw unsupported('verbosity', 'it; ask for it in words')
  if (request.audio || modalities.some((modality) => modality !== 'text')) {
    throw unsupported('modalities', 'any output but text')
  }
}

const unsupported = (param: string, what: string) =>
  new ProviderError('invalid_request', `'${param}': the provider of this model does not support ${what}.`, { param })

/** A choice among some of the tools is a choice among all of fewer. */
const allowed = (tools: Tool[], choice: ToolChoice | undefined): Tool[] =>
  choice?.mode === 'allowed' ? tools.filter(({ name }) => choice.names.includes(name)) : tools

function encodeTool(tool: Tool): JsonObject {
  switch (tool.kind) {
    case 'custom':
      throw unsupported('tools', `tools without a schema ('${tool.name}')`)
    case 'server':
      // In Anthropic's own words its tools are dated: web_search_20250305.
      if (/_\d{8}$/.test(String(tool.settings.type))) return tool.settings
      throw unsupported('tools', `the tool '${tool.name}'`)
    case 'function': {
      const { name, description, parameters, strict } = tool
      const input_schema = parameters ?? { type: 'object', properties: {} }
      return present<JsonObject>({ name, description, input_schema, strict: strict || undefined })
    }
  }
}

function encodeToolChoice({ tool_choice, parallel_tool_calls }: ChatRequest): JsonObject | undefined {
  const one = parallel_tool_calls === false ? { disable_parallel_tool_use: true } : {}
  switch (tool_choice?.mode) {
    case undefined:
      return parallel_tool_calls === false ? { type: 'auto', ...one } : undefined
    case 'none':
      return { type: 'none' }
    case 'required':
      return { type: 'any', ...one }
    case 'auto':
      return { type: 'auto', ...one }
    case 'tool':
      return { type: 'tool', name: tool_choice.name, ...one }
    case 'allowed':
      return { type: tool_choice.required ? 'any' : 'auto', ...one }
  }
}

function encodeTier(tier: string | undefined): string | undefined {
  if (tier === undefined || tier === 'auto') return tier
  if (tier === 'default' || tier === 'standard_only') return 'standard_only'
  throw unsupported('service_tier', `the tier '${tier}'`)
}
