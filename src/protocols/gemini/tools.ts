// Tools, and which of them may be called, from a caller's request into canonical form.
import type { JsonObject, Tool, ToolChoice } from '../../contract.ts'
import { present } from '../check_body.ts'
import { WireError } from '../wire_error.ts'
import { jsonSchema } from './json_schema.ts'
import type { BodyTool, Declaration, GeminiBody } from './schema.ts'

/** Functions one by one; each tool that Google runs itself under the name of its field. */
export function readTools(tools: BodyTool[] | null | undefined): Tool[] | undefined {
  const read = tools?.flatMap((tool, index) => readTool(tool, `tools[${index}]`))
  return read?.length ? read : undefined
}

function readTool({ functionDeclarations, ...served }: BodyTool, param: string): Tool[] {
  const functions = (functionDeclarations ?? []).map((declaration, index) =>
    readFunction(declaration, `${param}.functionDeclarations[${index}]`),
  )
  const servers = Object.entries(served)
    .filter(([, settings]) => settings)
    .map(([name, settings]): Tool => ({ kind: 'server', name, settings: settings as JsonObject }))
  return [...functions, ...servers]
}

const KNOWN = new Set(['name', 'description', 'parameters', 'parametersJsonSchema', 'response', 'responseJsonSchema'])

/** What a function answers is described to Google's models alone: the answer itself says it to the others. */
function readFunction(declaration: Declaration, param: string): Tool {
  const unknown = Object.keys(declaration).find((name) => !KNOWN.has(name) && declaration[name])
  if (unknown) throw unsupported(`${param}.${unknown}`)
  const { name, description, parameters, parametersJsonSchema } = declaration
  return present<Tool>({
    kind: 'function',
    name,
    description: description ?? undefined,
    parameters: (parametersJsonSchema ?? (parameters ? jsonSchema(parameters as JsonObject) : undefined)) as
      | JsonObject
      | undefined,
  })
}

/** VALIDATED is AUTO with arguments held to their schema, as other vendors do anyway or cannot. */
export function readToolChoice(config: GeminiBody['toolConfig']): ToolChoice | undefined {
  const { functionCallingConfig: calling, ...others } = config ?? {}
  const other = Object.keys(others).find((name) => others[name])
  if (other) throw unsupported(`toolConfig.${other}`)
  if (!calling) return undefined
  const mode = calling.mode?.toUpperCase() ?? 'MODE_UNSPECIFIED'
  const [name, ...names] = calling.allowedFunctionNames ?? []
  switch (mode) {
    case 'NONE':
      return { mode: 'none' }
    case 'AUTO':
    case 'VALIDATED':
    case 'MODE_UNSPECIFIED':
      return name === undefined ? { mode: 'auto' } : { mode: 'allowed', required: false, names: [name, ...names] }
    case 'ANY':
      if (name === undefined) return { mode: 'required' }
      return names.length === 0 ? { mode: 'tool', name } : { mode: 'allowed', required: true, names: [name, ...names] }
    default:
      throw new WireError(
        `Invalid value for 'toolConfig.functionCallingConfig.mode': expected AUTO, ANY, NONE or VALIDATED.`,
        'toolConfig.functionCallingConfig.mode',
      )
  }
}

const unsupported = (param: string) =>
  new WireError(`The provider of this model does not support '${param}'.`, param, 'unsupported_parameter')
