// A caller's generateContent request: checked for passing through, or put into canonical form for a provider of another
// protocol. Nothing that changes the answer is dropped in silence.
import type { ChatRequest, JsonObject } from '../../contract.ts'
import { checkBody, present, refuseUnknown } from '../check_body.ts'
import { isRecord } from '../lenient.ts'
import { WireError } from '../wire_error.ts'
import { jsonSchema } from './json_schema.ts'
import { readContents } from './messages.ts'
import { oneSpelling } from './names.ts'
import { GeminiBody, type GenerationConfig, KNOWN_FIELDS, KNOWN_SETTINGS } from './schema.ts'
import { readToolChoice, readTools } from './tools.ts'

/**
 * Checks a body, `model` and `stream` being what the address says; answers it in Google's first spelling, unknown fields
 * included. Throws WireError.
 */
export function readGeminiRequest(body: JsonObject): JsonObject {
  const read = oneSpelling(body)
  refuseOperatorsOwn(checkBody(GeminiBody, read))
  return read
}

/** Tokens are asked for with the contents alone or with a whole request in `generateContentRequest`. Throws WireError. */
export function readCountRequest(body: JsonObject, model: string): JsonObject {
  const { generateContentRequest: whole, ...alone } = oneSpelling(body)
  return readGeminiRequest({ ...(isRecord(whole) ? (whole as JsonObject) : alone), model, stream: false })
}

const FILES = /^(?:https:\/\/generativelanguage\.googleapis\.com\/|files\/|gs:\/\/)/

/** What is kept in the operator's account at Google belongs to no caller, who could not have put it there through us. */
function refuseOperatorsOwn({ cachedContent, contents, tools }: GeminiBody): void {
  if (cachedContent) throw unsupported('cachedContent', 'the router keeps no cached contents')
  if (tools?.some((tool) => tool.fileSearch)) throw unsupported('tools[].fileSearch', 'the router keeps no file stores')
  const own = contents.flatMap((content) => content.parts ?? [])
  const parts = [...own, ...own.flatMap(({ functionResponse }) => functionResponse?.parts ?? [])]
  if (parts.some(({ fileData }) => fileData && FILES.test(fileData.fileUri)))
    throw unsupported(
      'contents[].parts[].fileData',
      'the router takes no uploads to Google; send the file as inlineData',
    )
}

/**
 * The request in canonical form. Throws WireError, also for what cannot be said in another protocol. Safety settings
 * that ask for no filter are left out, for there is none of Google's elsewhere; a filter that is asked for is a fault.
 */
export function toCanonical(body: JsonObject): ChatRequest {
  const read = checkBody(GeminiBody, body)
  refuseUnknown(read, KNOWN_FIELDS)
  const settings = read.generationConfig ?? {}
  refuseUnknown(settings, KNOWN_SETTINGS)
  refuseUntranslatable(read, settings)
  return present<ChatRequest>({
    model: read.model,
    messages: readContents(read.systemInstruction, read.contents),
    tools: readTools(read.tools),
    tool_choice: readToolChoice(read.toolConfig),
    response_format: readFormat(settings),
    reasoning: readReasoning(settings.thinkingConfig),
    choices: settings.candidateCount ?? undefined,
    max_output_tokens: settings.maxOutputTokens ?? undefined,
    temperature: chosen(settings.temperature, DEFAULTS.temperature),
    top_p: chosen(settings.topP, DEFAULTS.topP),
    top_k: chosen(settings.topK, DEFAULTS.topK),
    stop: settings.stopSequences?.length ? settings.stopSequences : undefined,
    seed: settings.seed ?? undefined,
    presence_penalty: settings.presencePenalty ?? undefined,
    frequency_penalty: settings.frequencyPenalty ?? undefined,
    modalities: readModalities(settings.responseModalities),
    service_tier: read.serviceTier?.toLowerCase(),
    metadata: read.labels ?? undefined,
  })
}

/** What Gemini does unasked, and gemini-cli asks for in every request (0.61.0, 2026-11), whatever its model can take. */
const DEFAULTS = { temperature: 1, topP: 0.95, topK: 64 }

/** To ask for the default is to leave it to the model; models of other vendors have theirs, or take none at all. */
function chosen(value: number | null | undefined, usual: number): number | undefined {
  return value === usual ? undefined : (value ?? undefined)
}

const NO_FILTER = new Set(['BLOCK_NONE', 'OFF', 'HARM_BLOCK_THRESHOLD_UNSPECIFIED'])
const UNTRANSLATABLE = ['mediaResolution', 'speechConfig', 'imageConfig', 'responseLogprobs', 'logprobs'] as const

function refuseUntranslatable({ safetySettings }: GeminiBody, settings: GenerationConfig): void {
  if (safetySettings?.some(({ threshold }) => !NO_FILTER.has(threshold))) throw untranslatable('safetySettings')
  const field = UNTRANSLATABLE.find((name) => settings[name])
  if (field) throw untranslatable(`generationConfig.${field}`)
}

function readFormat({
  responseMimeType,
  responseSchema,
  responseJsonSchema,
}: GenerationConfig): ChatRequest['response_format'] {
  if (!responseMimeType || responseMimeType === 'text/plain') return undefined
  if (responseMimeType !== 'application/json') throw untranslatable('generationConfig.responseMimeType')
  const schema = responseJsonSchema ?? (responseSchema && jsonSchema(responseSchema as JsonObject))
  return schema ? { type: 'json_schema', name: 'response', schema: schema as JsonObject } : { type: 'json' }
}

/** A budget of -1 leaves it to the model, which is what it does anyway; one of 0 forbids it to think. */
function readReasoning(config: GenerationConfig['thinkingConfig']): ChatRequest['reasoning'] {
  if (!config) return undefined
  const { thinkingBudget: budget, thinkingLevel, includeThoughts } = config
  const level =
    thinkingLevel && thinkingLevel !== 'THINKING_LEVEL_UNSPECIFIED' ? thinkingLevel.toLowerCase() : undefined
  const effort = level ?? (budget === 0 ? 'none' : undefined)
  const reasoning = {
    ...(effort ? { effort } : {}),
    ...(typeof budget === 'number' && budget > 0 ? { budget_tokens: budget } : {}),
    ...(includeThoughts ? { summary: 'auto' } : {}),
  }
  return Object.keys(reasoning).length > 0 ? reasoning : undefined
}

function readModalities(modalities: string[] | null | undefined): string[] | undefined {
  const asked = modalities?.map((each) => each.toLowerCase()) ?? []
  if (asked.includes('audio')) throw untranslatable('generationConfig.responseModalities')
  return asked.every((each) => each === 'text') ? undefined : asked
}

const unsupported = (param: string, why: string) =>
  new WireError(`'${param}' is not supported: ${why}.`, param, 'unsupported_parameter')

const untranslatable = (param: string) =>
  new WireError(`The provider of this model does not support '${param}'.`, param, 'unsupported_parameter')

/** The settings of a checked body. */
export const settingsOf = ({ generationConfig }: JsonObject): JsonObject =>
  isRecord(generationConfig) ? (generationConfig as JsonObject) : {}
