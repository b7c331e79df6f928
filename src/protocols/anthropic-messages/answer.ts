// Whole answers in Anthropic's format: made from canonical events, read where they pass through, written with their cost.
import { type ChatEvent, type JsonObject, ProviderError, type Usage } from '../../contract.ts'
import type { AnswerEnd, AnswerHead } from '../front.ts'
import { isRecord } from '../lenient.ts'
import { readEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { MessageBuilder } from './builder.ts'
import { parseEvent } from './events.ts'
import { outputOfBlock } from './output.ts'
import { readUsage, withCost, writeUsage } from './usage.ts'
import { MessageWriter } from './writer.ts'

/** Reads all events into one message without `usage`; encodeAnswer adds it. Passes on what the events throw. */
export async function collect(
  events: AsyncIterable<ChatEvent>,
  head: AnswerHead,
): Promise<{ answer: JsonObject; end: AnswerEnd }> {
  const writer = new MessageWriter(head)
  const builder = new MessageBuilder()
  let usage: Usage | undefined
  let complete = false
  for await (const event of events) {
    if (event.type === 'usage') usage = event.usage
    if (event.type === 'finish') complete = true
    for (const each of writer.write(event)) builder.add(each)
  }
  for (const each of writer.end(usage)) builder.add(each)
  const { usage: _, ...answer } = builder.message
  return { answer, end: { complete, ...(usage ? { usage } : {}), ...outputOf(answer) } }
}

/** What a provider's whole answer says of itself. Throws ProviderError if it is none. */
export function readAnswer(answer: JsonObject): AnswerEnd {
  if (answer.type === 'error' || isRecord(answer.error)) throw streamError(answer, 'The provider')
  if (!Array.isArray(answer.content)) throw new ProviderError('bad_response', 'The answer is not a message.')
  const usage = readUsage(answer.usage)
  return { complete: true, ...(usage ? { usage } : {}), ...outputOf(answer) }
}

function outputOf({ content }: JsonObject): Pick<AnswerEnd, 'has_output' | 'output_bytes'> {
  const seen = (Array.isArray(content) ? content : []).map(outputOfBlock)
  return { has_output: seen.some(({ any }) => any), output_bytes: seen.reduce((total, { bytes }) => total + bytes, 0) }
}

/**
 * The answer as JSON text with `usage.cost`. The provider's own usage is kept but for its `cost`; where it gave none,
 * `usage` stands in. `cost_usd` is a decimal of at most nine places, printed digit for digit.
 */
export function encodeAnswer(answer: JsonObject, usage: Usage, cost_usd?: string): string {
  const theirs = isRecord(answer.usage) ? answer.usage : writeUsage(usage)
  return JSON.stringify({ ...answer, usage: withCost(theirs, cost_usd) })
}

/** A whole stream, as it went to the caller, as the one message it amounts to; a broken one as far as it goes. */
export function readStream(bytes: Uint8Array): JsonObject {
  const builder = new MessageBuilder()
  for (const event of readEvents(Buffer.from(bytes).toString())) {
    try {
      builder.add(parseEvent(event, 'The provider'))
    } catch (error) {
      if (error instanceof ProviderError) break
      throw error
    }
  }
  return builder.message
}
