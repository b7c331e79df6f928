// Google takes every field name in two spellings, systemInstruction and system_instruction, and one object where a list
// belongs. Here both become the first. It never looks into what is the caller's own: arguments, results and schemas.
import type { Json, JsonObject } from '../../contract.ts'
import { isRecord } from '../lenient.ts'

const NAMES = [
  ...['systemInstruction', 'generationConfig', 'safetySettings', 'toolConfig', 'cachedContent', 'serviceTier'],
  ...['inlineData', 'fileData', 'mimeType', 'fileUri', 'displayName', 'thoughtSignature', 'videoMetadata'],
  ...['startOffset', 'endOffset', 'mediaResolution', 'functionCall', 'functionResponse', 'willContinue'],
  ...['executableCode', 'codeExecutionResult', 'toolCall', 'toolResponse', 'functionDeclarations'],
  ...['parametersJsonSchema', 'responseJsonSchema', 'googleSearch', 'googleSearchRetrieval', 'googleMaps'],
  ...['codeExecution', 'urlContext', 'computerUse', 'fileSearch', 'functionCallingConfig', 'allowedFunctionNames'],
  ...['retrievalConfig', 'includeServerSideToolInvocations', 'stopSequences', 'responseMimeType', 'responseSchema'],
  ...['responseModalities', 'candidateCount', 'maxOutputTokens', 'topP', 'topK', 'presencePenalty'],
  ...['frequencyPenalty', 'responseLogprobs', 'thinkingConfig', 'includeThoughts', 'thinkingBudget'],
  ...['thinkingLevel', 'speechConfig', 'imageConfig', 'generateContentRequest'],
]
const SPELLINGS = new Map(NAMES.map((name) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), name]))

/** Their members have names of the caller's. */
const OWN = new Set([
  ...['args', 'response', 'parameters', 'parametersJsonSchema', 'responseSchema', 'responseJsonSchema', 'labels'],
])
const LISTS = new Set(['contents', 'parts', 'tools', 'functionDeclarations', 'safetySettings'])

/** The same body in the first spelling, lists as lists. */
export function oneSpelling(body: JsonObject): JsonObject {
  const read: JsonObject = {}
  for (const [written, value] of Object.entries(body)) {
    const name = SPELLINGS.get(written) ?? written
    read[name] = LISTS.has(name) && isRecord(value) ? [inside(name, value)] : inside(name, value)
  }
  return read
}

function inside(name: string, value: Json): Json {
  if (OWN.has(name)) return value
  if (Array.isArray(value)) return value.map((each) => inside(name, each))
  return isRecord(value) ? oneSpelling(value as JsonObject) : value
}
