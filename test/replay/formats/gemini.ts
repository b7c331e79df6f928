// Google's generateContent.
import type { JsonObject } from '../../../src/contract.ts'
import { encodeRequest } from '../../../src/protocols/gemini/encode.ts'
import {
  type Choice,
  type Finish,
  type Format,
  list,
  newChoice,
  number,
  object,
  pieces,
  type Said,
  type Tokens,
  text,
} from '../said.ts'

const ORDINARY: Record<string, Finish> = { STOP: 'stop', MAX_TOKENS: 'length', CONTINUATION: 'pause' }

export const gemini: Format = {
  protocol: 'gemini',
  address: (model, stream) => `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
  encode: encodeRequest,
  asked: (body) => body,

  readAnswer: (answer) => {
    const choices = new Map<number, Choice>()
    addChunk(choices, answer)
    return saidIn(choices, answer)
  },

  readStream(events) {
    const choices = new Map<number, Choice>()
    let last: JsonObject = {}
    for (const { data } of events) {
      if (data === '[DONE]') continue
      addChunk(choices, data)
      if (data.usageMetadata) last = data
    }
    return saidIn(choices, last)
  },

  restream(answer) {
    const { candidates, usageMetadata, promptFeedback, ...head } = answer
    const chunks = list(candidates).flatMap(({ content, index, finishReason, ...rest }) => {
      const { parts, ...speaker } = object(content)
      const place = index === undefined ? {} : { index }
      const said = list(parts).flatMap(splitPart)
      const between = said.map((part) => ({ content: { ...speaker, parts: [part] }, ...place }))
      return [...between, { ...rest, ...place, ...(finishReason === undefined ? {} : { finishReason }) }]
    })
    const feedback = promptFeedback === undefined ? {} : { promptFeedback }
    const all = chunks.length > 0 ? chunks.map((each) => ({ candidates: [each] })) : [{}]
    const usage = usageMetadata === undefined ? {} : { usageMetadata }
    const last = all.length - 1
    return all
      .map(
        (chunk, at) =>
          `data: ${JSON.stringify({ ...chunk, ...head, ...feedback, ...(at === last ? usage : {}) })}\r\n\r\n`,
      )
      .join('')
  },

  finish: (finish, called) => {
    if (finish === 'stop' && called) return 'tool_calls'
    return finish === 'refusal' ? 'content_filter' : finish
  },

  plain(data) {
    if (data.usageMetadata === undefined) return data
    const { cost: _, ...usageMetadata } = object(data.usageMetadata)
    return { ...data, usageMetadata }
  },
}

function splitPart(part: JsonObject): JsonObject[] {
  if (typeof part.text !== 'string' || part.thoughtSignature !== undefined) return [part]
  return pieces(part.text).map((piece) => ({ ...part, text: piece }))
}

function addChunk(choices: Map<number, Choice>, answer: JsonObject): void {
  for (const { index, content, finishReason } of list(answer.candidates)) {
    const choice = choices.get(number(index)) ?? newChoice()
    choices.set(number(index), choice)
    for (const part of list(object(content).parts)) addPart(choice, part)
    if (typeof finishReason === 'string') choice.finish = ORDINARY[finishReason] ?? 'content_filter'
  }
}

function addPart(choice: Choice, part: JsonObject): void {
  const media = object(part.inlineData ?? part.fileData)
  if (text(media.mimeType).startsWith('image/')) choice.images++
  if (part.functionCall) {
    const { name, args } = object(part.functionCall)
    choice.calls.push({ name: text(name), arguments: args ?? {} })
  } else if (part.thought) choice.reasoning += text(part.text)
  else choice.text += text(part.text)
}

/** A call of a tool is an ordinary end in this format. */
function saidIn(choices: Map<number, Choice>, answer: JsonObject): Said {
  for (const choice of choices.values()) {
    if (choice.finish === 'stop' && choice.calls.length > 0) choice.finish = 'tool_calls'
  }
  return {
    choices: [...choices].sort(([a], [b]) => a - b).map(([, choice]) => choice),
    ...tokensOf(object(answer.usageMetadata)),
  }
}

function tokensOf(usage: JsonObject): { tokens?: Tokens } {
  if (typeof usage.promptTokenCount !== 'number') return {}
  const tokens = {
    input: usage.promptTokenCount + number(usage.toolUsePromptTokenCount),
    cached: number(usage.cachedContentTokenCount),
    written: 0,
    written_1h: 0,
    output: number(usage.candidatesTokenCount) + number(usage.thoughtsTokenCount),
  }
  return { tokens }
}
