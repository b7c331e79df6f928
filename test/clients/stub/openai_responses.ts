// A stand-in of a server that speaks the Responses API, as strict as the real one; with `reasoning` it thinks, and where
// its sealed thoughts come back they must be the ones that it gave.
import type { JsonObject } from '../../../src/contract.ts'
import { nextReply, piecesOf, type Reply, type Turn, tokensOf } from './script.ts'
import type { Speaker } from './server.ts'
import { answered, list, onlyKnown, openaiSampling, record, text } from './strict.ts'

const FIELDS =
  'model input instructions stream stream_options store include tools tool_choice parallel_tool_calls reasoning text ' +
  'max_output_tokens max_tool_calls temperature top_p top_logprobs truncation metadata user service_tier prompt_cache_key ' +
  'prompt_cache_retention safety_identifier previous_response_id background prompt conversation client_metadata context_management'
const SEALED = 'gAAAAAsealed-by-the-stub'
const CALLS = ['function_call', 'custom_tool_call']

export const openaiResponsesStub: Speaker = {
  path: /^\/v1\/responses$/,
  answer(body, _request, faults) {
    const reply = nextReply(read(body, faults), faults)
    const items = [...(thinks(body) ? [thoughtOf()] : []), itemOf(reply)]
    const response = { ...headOf(body), status: 'completed', output: items, usage: usageOf(body, items) }
    if (body.stream !== true) return { json: response }
    const started = { ...headOf(body), status: 'in_progress', output: [], usage: null }
    const events: JsonObject[] = [
      { type: 'response.created', response: started },
      { type: 'response.in_progress', response: started },
      ...items.flatMap((item, output_index) => eventsOf(item, output_index)),
      { type: 'response.completed', response },
    ]
    return {
      events: events.map((event, sequence_number) => ({
        event: text(event.type),
        data: JSON.stringify({ ...event, sequence_number }),
      })),
    }
  },
}

const thinks = (body: JsonObject) => ![undefined, 'none'].includes(record(body.reasoning).effort as string)

function headOf(body: JsonObject): JsonObject {
  return {
    id: 'resp_stub',
    object: 'response',
    created_at: 1_795_000_000,
    model: text(body.model),
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    parallel_tool_calls: true,
    tool_choice: 'auto',
    tools: [],
  }
}

function read(body: JsonObject, faults: string[]): Turn {
  onlyKnown(body, FIELDS, 'body', faults)
  openaiSampling(body, record(body.reasoning).effort, faults)
  const input = typeof body.input === 'string' ? [message(body.input)] : list(body.input)
  const results = input.filter(({ type }) => text(type).endsWith('_call_output'))
  answered(
    input.filter(({ type }) => CALLS.includes(text(type))).map(({ call_id }) => text(call_id)),
    results.map(({ call_id }) => text(call_id)),
    faults,
  )
  for (const item of input)
    if (item.type === 'reasoning' && item.encrypted_content !== SEALED) faults.push('a thought is not the one given')
  const tools = [...list(body.tools), ...input.flatMap((item) => list(item.tools))].flatMap((tool) =>
    tool.type === 'namespace' ? list(tool.tools) : [tool],
  )
  return {
    texts: input.filter(({ role }) => role === 'user').map(({ content }) => textOf(content)),
    results: results.map(({ output }) => textOf(output)),
    tools: tools.map(({ type, name }) => ({ name: text(name), free_form: type === 'custom' })),
  }
}

const message = (content: string): JsonObject => ({ role: 'user', content })

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  return list(content)
    .map((part) => text(part.text))
    .join('\n')
}

const thoughtOf = (): JsonObject => ({
  type: 'reasoning',
  id: 'rs_stub',
  summary: [{ type: 'summary_text', text: 'I look at what is asked.' }],
  encrypted_content: SEALED,
})

function itemOf(reply: Reply): JsonObject {
  if (reply.kind === 'text') {
    const content = [{ type: 'output_text', text: reply.text, annotations: [] }]
    return { type: 'message', id: 'msg_stub', status: 'completed', role: 'assistant', content }
  }
  const { id, name, arguments: given } = reply
  return reply.free_form
    ? { type: 'custom_tool_call', id: `ctc_${id}`, status: 'completed', call_id: id, name, input: text(given.input) }
    : {
        type: 'function_call',
        id: `fc_${id}`,
        status: 'completed',
        call_id: id,
        name,
        arguments: JSON.stringify(given),
      }
}

/** One item from its beginning to its end, as the API streams it. */
function eventsOf(item: JsonObject, output_index: number): JsonObject[] {
  const at = { output_index, item_id: text(item.id) }
  const [opened, middle] = insideOf(item, at)
  return [
    { type: 'response.output_item.added', output_index, item: opened },
    ...middle,
    { type: 'response.output_item.done', output_index, item },
  ]
}

function insideOf(item: JsonObject, at: JsonObject): [JsonObject, JsonObject[]] {
  if (item.type === 'message') {
    const part = record(list(item.content)[0])
    const place = { ...at, content_index: 0 }
    const deltas = piecesOf(text(part.text)).map((delta) => ({ type: 'response.output_text.delta', ...place, delta }))
    return [
      { ...item, status: 'in_progress', content: [] },
      [
        { type: 'response.content_part.added', ...place, part: { ...part, text: '' } },
        ...deltas,
        { type: 'response.output_text.done', ...place, text: text(part.text) },
        { type: 'response.content_part.done', ...place, part },
      ],
    ]
  }
  if (item.type === 'reasoning') {
    const place = { ...at, summary_index: 0 }
    const part = record(list(item.summary)[0])
    return [
      { ...item, summary: [] },
      [
        { type: 'response.reasoning_summary_part.added', ...place, part: { ...part, text: '' } },
        { type: 'response.reasoning_summary_text.delta', ...place, delta: text(part.text) },
        { type: 'response.reasoning_summary_text.done', ...place, text: text(part.text) },
        { type: 'response.reasoning_summary_part.done', ...place, part },
      ],
    ]
  }
  const field = item.type === 'custom_tool_call' ? 'input' : 'arguments'
  const kind = item.type === 'custom_tool_call' ? 'response.custom_tool_call_input' : 'response.function_call_arguments'
  const deltas = piecesOf(text(item[field])).map((delta) => ({ type: `${kind}.delta`, ...at, delta }))
  return [
    { ...item, status: 'in_progress', [field]: '' },
    [...deltas, { type: `${kind}.done`, ...at, [field]: text(item[field]) }],
  ]
}

function usageOf(body: JsonObject, items: JsonObject[]): JsonObject {
  const input_tokens = tokensOf(body.input) + tokensOf(body.tools ?? [])
  const output_tokens = tokensOf(items)
  return {
    input_tokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input_tokens + output_tokens,
  }
}
