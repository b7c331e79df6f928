// The tools of a caller's response request in canonical form. It never drops a tool that the model must use.
import type { JsonObject, Tool, ToolChoice } from '../../contract.ts'
import { present } from '../check_body.ts'
import { isRecord } from '../lenient.ts'
import { WireError } from '../wire_error.ts'
import type { BodyTool, CallableTool, ResponsesBody } from './schema.ts'

/**
 * What a model may use and need not. Codex offers them with every request (0.169.0), so for a provider of another
 * protocol they are left out, as if the model had not wanted them; a `tool_choice` that names one is refused.
 */
const LEFT_OUT = new Set(['web_search', 'web_search_preview', 'web_search_2025_08_26', 'tool_search'])

/** Throws WireError for tools that only a provider of this protocol runs. */
export function readTools(tools: BodyTool[]): Tool[] {
  return tools.flatMap((tool, index) => {
    if (isNamespace(tool)) return tool.tools.map((each) => readTool(each, tool.name))
    if (isCallable(tool)) return [readTool(tool)]
    if (LEFT_OUT.has(tool.type)) return []
    const param = `tools[${index}].type`
    throw new WireError(`The provider of this model does not run the tool '${tool.type}'.`, param, 'unsupported_value')
  })
}

/** A body as providers of other protocols are told it: without the tools that are left out for them. */
export function withoutLeftOut(body: JsonObject): JsonObject {
  if (!Array.isArray(body.tools)) return body
  return { ...body, tools: body.tools.filter((tool) => !isRecord(tool) || !LEFT_OUT.has(String(tool.type))) }
}

/** The tools of a body, those among them that came up in its input. A body that was not checked may have none. */
export function toolsIn({ tools, input }: { tools?: unknown; input?: unknown }): BodyTool[] {
  const items = Array.isArray(input) ? input.filter(isRecord) : []
  const added = items.flatMap(({ type, tools: more }) =>
    type === 'additional_tools' && Array.isArray(more) ? more : [],
  )
  return [...(Array.isArray(tools) ? tools : []), ...added].filter(isRecord) as BodyTool[]
}

type NamespaceTool = Extract<BodyTool, { tools: CallableTool[] }>
export const isNamespace = (tool: BodyTool): tool is NamespaceTool => tool.type === 'namespace'
export const isCallable = (tool: BodyTool): tool is CallableTool => tool.type === 'function' || tool.type === 'custom'

function readTool(tool: CallableTool, namespace?: string): Tool {
  const { name } = tool
  const description = tool.description ?? undefined
  if (tool.type === 'custom') {
    return present<Tool>({ kind: 'custom', name, description, format: nestGrammar(tool.format as JsonObject | null) })
  }
  return present<Tool>({
    kind: 'function',
    name,
    namespace,
    description,
    parameters: (tool.parameters ?? undefined) as JsonObject | undefined,
    strict: tool.strict ?? undefined,
  })
}

/** Canonical formats are chat's, which nests the grammar one deeper: {type, grammar: {syntax, definition}}. */
function nestGrammar(format: JsonObject | null | undefined): JsonObject | undefined {
  if (!format) return undefined
  const { type, ...grammar } = format
  return type === 'grammar' ? { type, grammar } : format
}

export function readToolChoice(choice: NonNullable<ResponsesBody['tool_choice']>): ToolChoice {
  if (typeof choice === 'string') return { mode: choice }
  const { type, name, mode, tools } = choice as { type: string; name?: string; mode?: string; tools?: unknown }
  if ((type === 'function' || type === 'custom') && name !== undefined) return { mode: 'tool', name }
  if (type === 'allowed_tools') {
    const named = tools as { type: string; name?: string }[]
    return { mode: 'allowed', required: mode === 'required', names: named.flatMap((tool) => tool.name ?? []) }
  }
  throw new WireError(
    `The provider of this model does not run the tool '${type}'.`,
    'tool_choice.type',
    'unsupported_value',
  )
}
