// A conversation made short: what its users said, kept whole, and a summary of all that happened, written by the model and
// sealed into an item. Any model can write one and any model can go on from it; OpenAI's own seals stay OpenAI's.
import { type Json, type JsonObject, ProviderError } from '../../contract.ts'
import { plainId } from '../call_ids.ts'
import type { ChatFront } from '../front.ts'
import { isRecord } from '../lenient.ts'
import { WireError } from '../wire_error.ts'
import { openaiResponsesFront } from './front.ts'
import { inputItems } from './input_items.ts'
import { readSummary, sealSummary } from './summary.ts'

const TASK = [
  'Below is a conversation between a user and an assistant. It has grown too long and goes on from your summary of it.',
  'Write down everything that whoever goes on must know: what the user wants and has ruled out, what was decided and why,',
  'what was done and with what result, facts, names, numbers, paths and pieces of code word for word where they matter,',
  'and what is still to be done. Answer with the summary and nothing else.',
].join(' ')

/** The request for the summary: the conversation as one text, so that no model stumbles over another's calls and thoughts. */
export function summaryRequest(body: JsonObject): JsonObject {
  const { model, instructions, service_tier, prompt_cache_key } = body
  const told = inputItems(body).flatMap(transcribe)
  if (typeof instructions === 'string') told.unshift(`[instructions] ${instructions}`)
  return {
    model: model ?? null,
    input: [
      { type: 'message', role: 'developer', content: [{ type: 'input_text', text: TASK }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: told.join('\n\n') }] },
    ],
    ...(service_tier !== undefined && { service_tier }),
    ...(prompt_cache_key !== undefined && { prompt_cache_key }),
    store: false,
  }
}

/** Throws WireError for a summary that only its provider can read. */
function transcribe(item: JsonObject, index: number): string[] {
  switch (item.type) {
    case 'message':
      return [`[${String(item.role)}] ${wordsOf(item.content)}`]
    case 'function_call':
    case 'custom_tool_call':
      return [
        `[assistant calls ${String(item.name)}, ${plainId(String(item.call_id))}] ${String(item.arguments ?? item.input)}`,
      ]
    case 'function_call_output':
    case 'custom_tool_call_output':
      return [`[result of ${plainId(String(item.call_id))}] ${wordsOf(item.output)}`]
    case 'reasoning':
      return []
    case 'compaction':
      return [`[summary of what was before] ${readSummary(item, `input[${index}]`)}`]
    case 'item_reference':
      throw new WireError('A reference to an item cannot be read here: give the item itself.', `input[${index}]`)
    default:
      return [JSON.stringify(item)]
  }
}

function wordsOf(content: Json | undefined): string {
  if (typeof content === 'string') return content
  const parts = Array.isArray(content) ? (content as unknown[]).filter(isRecord) : []
  return parts.map((part) => String(part.text ?? part.refusal ?? `[${String(part.type)}]`)).join('\n')
}

/** The Responses API whose answer is the shortened conversation of `body`. `id` makes the ids of its items. */
export function compactionFront(body: JsonObject, id: string): ChatFront {
  const front = openaiResponsesFront
  return {
    ...front,
    async collect(events, head, asked) {
      const { answer, end } = await front.collect(events, head, asked)
      return { answer: compacted(answer, body, id), end }
    },
    present: (answer) => compacted(answer, body, id),
  }
}

/** Without usage, or with the provider's own. Throws ProviderError where there is no summary: the conversation would be lost. */
function compacted(answer: JsonObject, body: JsonObject, id: string): JsonObject {
  const output = Array.isArray(answer.output) ? (answer.output as unknown[]).filter(isRecord) : []
  const summary = output
    .filter(({ type }) => type === 'message')
    .map(({ content }) => wordsOf(content as Json))
    .join('\n')
    .trim()
  if (summary === '') throw new ProviderError('bad_response', 'The model wrote no summary of the conversation.')
  const said = inputItems(body).filter(({ type, role }) => type === 'message' && role === 'user')
  const numbered = said.map((item, index) => ({ id: `msg_${id}i${index}`, status: 'completed', ...item }))
  return {
    id: answer.id ?? null,
    object: 'response.compaction',
    created_at: answer.created_at ?? null,
    output: [...numbered, { id: `cmp_${id}00`, type: 'compaction', encrypted_content: sealSummary(summary) }],
    usage: answer.usage ?? null,
  }
}
