// Whole responses: made from canonical events, read as a provider gave them, printed with their cost.
import { type ChatEvent, type FinishReason, type JsonObject, ProviderError, type Usage } from '../../contract.ts'
import type { AnswerEnd, AnswerHead } from '../front.ts'
import { isRecord, record } from '../lenient.ts'
import { readEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { EventReader, parseEvent } from './events.ts'
import { responseOf, statusOf } from './response.ts'
import { toolsIn } from './tools.ts'
import { readUsage, withCost, writeUsage } from './usage.ts'
import { OutputWriter } from './writer.ts'

/** Reads all events into one response, without its usage. Passes on what the events throw. */
export async function collect(
  events: AsyncIterable<ChatEvent>,
  head: AnswerHead,
  body: JsonObject,
): Promise<{ answer: JsonObject; end: AnswerEnd }> {
  const writer = new OutputWriter(head.id, toolsIn(body))
  let usage: Usage | undefined
  let reason: FinishReason | undefined
  for await (const event of events) {
    if (event.type === 'usage') {
      usage = event.usage
      continue
    }
    if (event.type === 'finish') reason ??= event.reason
    writer.write(event)
  }
  const state = { ...statusOf(reason ?? 'stop'), output: writer.items }
  const completed_at = Math.floor(Date.now() / 1000)
  const answer = responseOf(body, head, { ...state, ...(state.status === 'completed' && { completed_at }) })
  return { answer, end: { complete: reason !== undefined, ...(usage ? { usage } : {}), ...outputOf(writer.items) } }
}

/** What a provider's whole response says of itself. Throws ProviderError if it failed, or is none. */
export function readAnswer(answer: JsonObject): AnswerEnd {
  const { status, error, output } = answer
  if (error || status === 'failed' || status === 'cancelled')
    throw streamError({ error: record(error) }, 'The provider')
  if (!Array.isArray(output)) throw new ProviderError('bad_response', 'The answer is not a response.')
  const usage = readUsage(answer)
  return { complete: true, ...(usage ? { usage } : {}), ...outputOf(output) }
}

/** What of an output is charged for where no usage came: UTF-8 bytes of words, thoughts and calls. */
export function outputOf(output: unknown[]): { has_output: boolean; output_bytes: number } {
  let output_bytes = 0
  let acts = false
  const add = (words: unknown) => {
    if (typeof words === 'string') output_bytes += Buffer.byteLength(words)
  }
  for (const item of output.filter(isRecord)) {
    for (const list of [item.content, item.summary]) {
      for (const part of Array.isArray(list) ? list.filter(isRecord) : []) {
        add(part.text)
        add(part.refusal)
      }
    }
    for (const words of [item.name, item.arguments, item.input, item.code]) add(words)
    // A search, a command, a picture: work of the model's, whatever words came with it.
    if (item.type !== 'message' && item.type !== 'reasoning') acts = true
  }
  return { has_output: acts || output_bytes > 0, output_bytes }
}

/**
 * The response with its usage, and with `cost_usd`, exactly printed, in it. The provider's own usage is kept but for its
 * `cost`; where it gave none, `usage` stands in.
 */
export function exactJson(response: JsonObject, usage: Usage | undefined, cost_usd?: string): Record<string, unknown> {
  const theirs = isRecord(response.usage) ? response.usage : usage && writeUsage(usage)
  return theirs ? { ...response, usage: withCost(theirs, cost_usd) } : response
}

export const encodeAnswer = (answer: JsonObject, usage: Usage, cost_usd?: string): string =>
  JSON.stringify(exactJson(answer, usage, cost_usd))

/**
 * A whole stream in this format as the one response it amounts to. What breaks off in the middle is read as far as it
 * goes.
 */
export function readStream(bytes: Uint8Array): JsonObject {
  const reader = new EventReader('The provider')
  let response: JsonObject = {}
  let writer: OutputWriter | undefined
  for (const event of readEvents(Buffer.from(bytes).toString())) {
    try {
      if (event.data === '[DONE]') continue
      const { response: told } = parseEvent(event.data, 'The provider')
      if (isRecord(told)) response = told as JsonObject
      writer ??= new OutputWriter(String(response.id ?? '').replace(/^resp_/, ''), toolsIn(response))
      for (const each of reader.read(event)) if (each.type !== 'usage') writer.write(each)
    } catch (error) {
      if (error instanceof ProviderError) break
      throw error
    }
  }
  if (reader.complete) return response
  return { ...response, status: 'incomplete', output: writer?.items ?? [] }
}
