// Whole answers of generateContent: made of canonical events, read as a provider gave them, or put together from a stream.
import { type ChatEvent, type FinishReason, type JsonObject, ProviderError, type Usage } from '../../contract.ts'
import type { AnswerEnd, AnswerHead } from '../front.ts'
import { isRecord, record } from '../lenient.ts'
import { readEvents } from '../sse.ts'
import { streamError } from '../status.ts'
import { CallBuffer } from './calls.ts'
import { candidatesOf, outputOf } from './output.ts'
import { citationOf, GOOGLE_REASONS, partOf } from './parts.ts'
import { addPart, StreamedAnswer } from './streamed.ts'
import { readUsage, searchesOf, withCost, writeUsage } from './usage.ts'

interface Candidate {
  parts: JsonObject[]
  citations: JsonObject[]
  finish?: FinishReason
}

/** Reads all events into one answer without usageMetadata; encodeAnswer adds it. Passes on what the events throw. */
export async function collect(
  events: AsyncIterable<ChatEvent>,
  head: AnswerHead,
): Promise<{ answer: JsonObject; end: AnswerEnd }> {
  const candidates = new Map<number, Candidate>()
  const calls = new CallBuffer()
  let usage: Usage | undefined
  for await (const event of events) {
    if (event.type === 'usage') {
      usage = event.usage
      continue
    }
    const candidate = candidates.get(event.choice) ?? { parts: [], citations: [] }
    candidates.set(event.choice, candidate)
    if (event.type === 'tool_call') calls.add(event)
    else if (event.type === 'citation') candidate.citations.push(citationOf(event))
    else if (event.type === 'finish') {
      candidate.finish = event.reason
      candidate.parts.push(...calls.take(event.choice, event.reason))
    } else addPart(candidate.parts, partOf(event))
  }
  const written = [...candidates].sort(([a], [b]) => a - b).map(([index, each]) => encodeCandidate(index, each))
  return {
    answer: { candidates: written, modelVersion: head.model, responseId: head.id },
    end: {
      complete: [...candidates.values()].some(({ finish }) => finish !== undefined),
      ...(usage ? { usage } : {}),
      ...outputOfAll(written),
    },
  }
}

function encodeCandidate(index: number, { parts, citations, finish = 'stop' }: Candidate): JsonObject {
  return {
    content: { parts, role: 'model' },
    finishReason: GOOGLE_REASONS[finish],
    ...(citations.length > 0 ? { citationMetadata: { citations } } : {}),
    index,
  }
}

function outputOfAll(candidates: Record<string, unknown>[]): Pick<AnswerEnd, 'has_output' | 'output_bytes'> {
  const seen = candidates.map(outputOf)
  return {
    has_output: seen.some(({ any }) => any),
    output_bytes: seen.reduce((total, { bytes }) => total + bytes, 0),
  }
}

/** What a provider's whole answer says of itself. A prompt that Google blocked is an answer without candidates, and free. */
export function readAnswer(answer: JsonObject): AnswerEnd {
  if (answer.error) throw streamError(answer, 'The provider')
  const blocked = record(answer.promptFeedback).blockReason !== undefined
  if (!Array.isArray(answer.candidates) && !blocked)
    throw new ProviderError('bad_response', 'The answer is not one of generateContent.')
  const candidates = candidatesOf(answer)
  const searches = Math.max(0, ...candidates.map((each) => searchesOf(each, answer.modelVersion)))
  const usage = readUsage(answer.usageMetadata, searches)
  return { complete: true, ...(usage ? { usage } : {}), ...outputOfAll(candidates) }
}

/**
 * The answer as JSON text with `usageMetadata.cost`. The provider's own usage is kept; where it gave none, `usage` stands
 * in. `cost_usd` is a decimal of at most nine places, printed digit for digit.
 */
export function encodeAnswer(answer: JsonObject, usage: Usage, cost_usd?: string): string {
  const theirs = isRecord(answer.usageMetadata) ? answer.usageMetadata : writeUsage(usage)
  return JSON.stringify({ ...answer, usageMetadata: withCost(theirs, cost_usd) })
}

/** A whole stream, as it went to the caller, as the one answer it amounts to. What breaks off is read as far as it goes. */
export function readStream(bytes: Uint8Array): JsonObject {
  const streamed = new StreamedAnswer()
  for (const { data } of readEvents(Buffer.from(bytes).toString())) {
    const chunk = parse(data)
    if (!chunk || chunk.error) break
    streamed.add(chunk)
  }
  return streamed.answer
}

function parse(data: string): JsonObject | undefined {
  try {
    const chunk: unknown = JSON.parse(data)
    return isRecord(chunk) ? (chunk as JsonObject) : undefined
  } catch {
    return undefined
  }
}
