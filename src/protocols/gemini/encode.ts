// A canonical request as a generateContent request. What this format cannot say is an invalid_request that names the field.
import { type ChatRequest, type JsonObject, ProviderError, type Tool, type ToolChoice } from '../../contract.ts'
import { present } from '../check_body.ts'
import { encodeContents } from './encode_contents.ts'

const UNSAYABLE = ['logit_bias', 'verbosity', 'audio', 'top_logprobs'] as const

/**
 * The request body, the model's name being in the address. Throws ProviderError 'invalid_request'. Left out, for they are
 * bookkeeping and not the answer: `user`, `metadata`. `parallel_tool_calls: false` is kept by reading one call alone.
 */
export function encodeRequest(request: ChatRequest, upstream: string): JsonObject {
  const field = UNSAYABLE.find((name) => request[name] !== undefined)
  if (field) throw unsupported(field)
  const { tools, tool_choice, response_format: format } = request
  const strict = tools?.some((tool) => tool.kind === 'function' && tool.strict) === true
  return present<JsonObject>({
    ...encodeContents(request.messages),
    tools: tools && encodeTools(tools),
    toolConfig: tools && encodeToolChoice(tool_choice, strict),
    serviceTier: encodeTier(request.service_tier),
    generationConfig: present<JsonObject>({
      maxOutputTokens: request.max_output_tokens,
      temperature: request.temperature,
      topP: request.top_p,
      topK: request.top_k,
      candidateCount: request.choices === 1 ? undefined : request.choices,
      stopSequences: request.stop,
      seed: request.seed,
      presencePenalty: request.presence_penalty,
      frequencyPenalty: request.frequency_penalty,
      responseModalities: request.modalities?.map((each) => each.toUpperCase()),
      responseMimeType: format && 'application/json',
      responseJsonSchema: format?.type === 'json_schema' ? format.schema : undefined,
      thinkingConfig: request.reasoning && encodeReasoning(request.reasoning, upstream),
    }),
  })
}

/** Full JSON Schema in `parametersJsonSchema`; the older `parameters` knows a part of it. */
function encodeTools(tools: Tool[]): JsonObject[] {
  const functions = tools.flatMap((tool): JsonObject[] => {
    if (tool.kind === 'custom') throw unsupported('tools of type custom')
    if (tool.kind === 'server') return []
    const { name, description, parameters } = tool
    return [present<JsonObject>({ name, description, parametersJsonSchema: parameters })]
  })
  const served = tools.flatMap((tool) => (tool.kind === 'server' ? [encodeServerTool(tool)] : []))
  return [...(functions.length > 0 ? [{ functionDeclarations: functions }] : []), ...served]
}

/** Names of Google's own, and everybody's search where nothing more is asked of it than to search. */
function encodeServerTool({ name, settings }: Extract<Tool, { kind: 'server' }>): JsonObject {
  if (['googleSearch', 'urlContext', 'codeExecution', 'googleMaps'].includes(name)) return { [name]: settings }
  const asked = Object.keys(settings).filter((each) => !['type', 'name'].includes(each))
  if (!/^web_search/.test(name) || asked.length > 0) throw unsupported(`the tool '${name}'`)
  return { googleSearch: {} }
}

/** VALIDATED holds arguments to their schema, which is what `strict` asks for; ANY does so anyway. */
function encodeToolChoice(choice: ToolChoice | undefined, strict: boolean): JsonObject | undefined {
  const calling = (mode: string, names?: string[]): JsonObject => ({
    functionCallingConfig: { mode, ...(names ? { allowedFunctionNames: names } : {}) },
  })
  switch (choice?.mode) {
    case undefined:
      return strict ? calling('VALIDATED') : undefined
    case 'auto':
      return calling(strict ? 'VALIDATED' : 'AUTO')
    case 'none':
      return calling('NONE')
    case 'required':
      return calling('ANY')
    case 'tool':
      return calling('ANY', [choice.name])
    case 'allowed':
      return calling(choice.required ? 'ANY' : 'VALIDATED', choice.names)
  }
}

const BUDGETS: Record<string, number> = { none: 0, minimal: 1_024, low: 1_024, medium: 8_192, high: 24_576 }
const LEVELS: Record<string, string> = { minimal: 'MINIMAL', low: 'LOW', medium: 'MEDIUM', high: 'HIGH' }

/** Levels since Gemini 3, which cannot be told not to think; budgets before it (Google's guide for OpenAI's SDK, 2026). */
function encodeReasoning(
  { effort, budget_tokens, summary }: NonNullable<ChatRequest['reasoning']>,
  upstream: string,
): JsonObject {
  const shown = summary === undefined || summary === 'none' ? {} : { includeThoughts: true }
  if (budget_tokens !== undefined) return { ...shown, thinkingBudget: budget_tokens }
  if (effort === undefined) return shown
  const asked = effort === 'xhigh' || effort === 'max' ? 'high' : effort
  if (/gemini-(?:1|2)(?:\.|-)/.test(upstream)) {
    const thinkingBudget = BUDGETS[asked]
    if (thinkingBudget === undefined) throw unsupported(`reasoning effort '${effort}'`)
    return { ...shown, thinkingBudget }
  }
  const thinkingLevel = LEVELS[asked]
  if (thinkingLevel === undefined) throw unsupported(`reasoning effort '${effort}'`)
  return { ...shown, thinkingLevel }
}

function encodeTier(tier: string | undefined): string | undefined {
  if (tier === undefined || ['auto', 'default', 'standard', 'standard_only'].includes(tier)) return undefined
  if (tier === 'flex' || tier === 'priority') return tier
  throw unsupported(`service_tier '${tier}'`)
}

export const unsupported = (what: string) =>
  new ProviderError('invalid_request', `The provider of this model does not support ${what}.`, { param: what })
