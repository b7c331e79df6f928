// A stand-in of Gemini, as strict as the real one: every call of a function bears a signature that must come back with it.
import type { Json, JsonObject } from '../../../src/contract.ts'
import { nextReply, piecesOf, type Reply, type Turn, tokensOf } from './script.ts'
import type { Speaker } from './server.ts'
import { list, onlyKnown, record, text, toolNames } from './strict.ts'

const FIELDS =
  'contents systemInstruction tools toolConfig safetySettings generationConfig cachedContent labels model serviceTier store'
const CONFIG =
  'temperature topP topK candidateCount maxOutputTokens stopSequences seed presencePenalty frequencyPenalty ' +
  'responseMimeType responseSchema responseJsonSchema responseLogprobs logprobs responseModalities mediaResolution ' +
  'speechConfig thinkingConfig imageConfig enableEnhancedCivicAnswers'
/** What `parameters` (the OpenAPI subset) cannot hold; `parametersJsonSchema` can. */
const NO_SCHEMA = ['$schema', '$ref', '$defs', 'const', 'exclusiveMinimum', 'exclusiveMaximum', 'allOf', 'oneOf', 'not']
const SIGNATURE = 'c2lnbmVkIGJ5IHRoZSBzdHVi'
/** Google's own word for a signature that was lost on the way. */
const LOST = 'skip_thought_signature_validator'

export const geminiStub: Speaker = {
  path: /^\/v1beta\/models\/[^/]+:(generateContent|streamGenerateContent)$/,
  answer(body, { url, headers }, faults) {
    if (headers['x-goog-api-key'] === undefined) faults.push('the header x-goog-api-key is missing')
    const reply = nextReply(read(body, faults), faults)
    const modelVersion = /models\/([^/:]+)/.exec(url)?.[1] ?? ''
    const usageMetadata = usageOf(body, reply)
    const thinks = record(record(body.generationConfig).thinkingConfig).includeThoughts === true
    const thought = thinks ? [{ text: 'I look at what is asked.', thought: true }] : []
    const chunk = (parts: JsonObject[], rest: JsonObject = {}): JsonObject => ({
      candidates: [{ index: 0, content: { role: 'model', parts }, ...rest }],
      usageMetadata,
      modelVersion,
      responseId: 'stub',
    })
    if (!url.includes(':streamGenerateContent'))
      return { json: chunk([...thought, ...partsOf(reply, false)], { finishReason: 'STOP' }) }
    if (!url.includes('alt=sse')) faults.push('a stream without alt=sse is no event stream')
    const parts = [...thought, ...partsOf(reply, true)]
    const chunks = parts.map((part, at) => chunk([part], at === parts.length - 1 ? { finishReason: 'STOP' } : {}))
    return { events: chunks.map((data) => ({ data: JSON.stringify(data) })) }
  },
}

function read(body: JsonObject, faults: string[]): Turn {
  onlyKnown(body, FIELDS, 'body', faults)
  onlyKnown(record(body.generationConfig), CONFIG, 'generationConfig', faults)
  const contents = list(body.contents)
  const functions = list(body.tools).flatMap((tool) => list(tool.functionDeclarations))
  for (const declared of functions) checkSchema(declared.parameters, `${text(declared.name)}.parameters`, faults)
  checkContents(contents, faults)
  const names = functions.map(({ name }) => text(name))
  toolNames(names, faults)
  const parts = contents.flatMap((content) => list(content.parts))
  return {
    texts: contents.filter(({ role }) => role !== 'model').flatMap(({ parts }) => list(parts).map((p) => text(p.text))),
    results: parts.flatMap(({ functionResponse }) =>
      functionResponse === undefined ? [] : [resultText(record(record(functionResponse).response))],
    ),
    tools: names.map((name) => ({ name })),
  }
}

function resultText(response: JsonObject): string {
  return text(response.output) || text(response.result) || JSON.stringify(response)
}

/** As many answers as calls, in the very next turn; signatures as they were given. */
function checkContents(contents: JsonObject[], faults: string[]): void {
  for (const [at, content] of contents.entries()) {
    const where = `contents.${at}`
    onlyKnown(content, 'role parts', where, faults)
    if (!['user', 'model', 'function', undefined].includes(content.role as string))
      faults.push(`${where}: unknown role`)
    const parts = list(content.parts)
    const foreign = parts.some(({ thoughtSignature: sign }) => ![undefined, SIGNATURE, LOST].includes(sign as string))
    if (foreign) faults.push(`${where}: Corrupted thought signature`)
    if (parts.length === 0) faults.push(`${where}: parts must not be empty`)
    const calls = parts.filter(({ functionCall }) => functionCall !== undefined)
    if (calls.length > 0 && ![SIGNATURE, LOST].includes(text(calls[0]?.thoughtSignature)))
      faults.push(`${where}: the functionCall lacks its thoughtSignature`)
    const answers = list(contents[at + 1]?.parts).filter(({ functionResponse }) => functionResponse !== undefined)
    if (calls.length !== answers.length) faults.push(`${where}: ${calls.length} calls, ${answers.length} answers`)
    for (const [n, call] of calls.entries()) {
      const [called, answer] = [record(call.functionCall).name, record(answers[n]?.functionResponse).name]
      if (called !== answer) faults.push(`${where}: ${text(called)} was called, ${text(answer)} answered`)
    }
  }
}

function checkSchema(schema: Json | undefined, where: string, faults: string[]): void {
  if (Array.isArray(schema)) for (const one of schema) checkSchema(one, where, faults)
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return
  for (const [name, value] of Object.entries(schema)) {
    if (NO_SCHEMA.includes(name)) faults.push(`${where}: unknown field ${name}`)
    // Below `properties` the names are the caller's own.
    if (name === 'properties') for (const one of Object.values(record(value))) checkSchema(one, where, faults)
    else checkSchema(value, where, faults)
  }
}

function partsOf(reply: Reply, streamed: boolean): JsonObject[] {
  if (reply.kind === 'text') return (streamed ? piecesOf(reply.text) : [reply.text]).map((piece) => ({ text: piece }))
  return [{ functionCall: { name: reply.name, args: reply.arguments }, thoughtSignature: SIGNATURE }]
}

function usageOf(body: JsonObject, reply: Reply): JsonObject {
  const promptTokenCount = tokensOf(body)
  const candidatesTokenCount = tokensOf(reply)
  return { promptTokenCount, candidatesTokenCount, totalTokenCount: promptTokenCount + candidatesTokenCount }
}
