// A stand-in of a server that speaks OpenAI's chat format, as strict as the real one.
import type { JsonObject } from '../../../src/contract.ts'
import { nextReply, piecesOf, type Reply, type Turn, tokensOf } from './script.ts'
import type { Speaker } from './server.ts'
import { answered, list, onlyKnown, openaiSampling, record, text, toolNames } from './strict.ts'

const FIELDS =
  'model messages stream stream_options tools tool_choice parallel_tool_calls max_tokens max_completion_tokens temperature ' +
  'top_p n stop seed user store metadata response_format reasoning_effort verbosity prompt_cache_key service_tier logprobs ' +
  'top_logprobs presence_penalty frequency_penalty logit_bias modalities audio prediction safety_identifier web_search_options'

export const openaiChatStub: Speaker = {
  path: /^\/v1\/chat\/completions$/,
  answer(body, _request, faults) {
    const turn = read(body, faults)
    const reply = nextReply(turn, faults)
    const head = { id: 'chatcmpl-stub', created: 1_795_000_000, model: text(body.model) }
    const usage = usageOf(body, reply)
    if (body.stream !== true) {
      const choice = { index: 0, message: messageOf(reply), logprobs: null, finish_reason: finishOf(reply) }
      return { json: { ...head, object: 'chat.completion', choices: [choice], usage } }
    }
    const chunk = (fields: JsonObject): JsonObject => ({ ...head, object: 'chat.completion.chunk', ...fields })
    const delta = (delta: JsonObject, finish_reason: string | null = null) =>
      chunk({ choices: [{ index: 0, delta, finish_reason }] })
    const chunks = [delta({ role: 'assistant', content: null }), ...deltasOf(reply).map((one) => delta(one))]
    chunks.push(delta({}, finishOf(reply)))
    if (record(body.stream_options).include_usage === true) chunks.push(chunk({ choices: [], usage }))
    return { events: [...chunks.map((data) => ({ data: JSON.stringify(data) })), { data: '[DONE]' }] }
  },
}

function read(body: JsonObject, faults: string[]): Turn {
  onlyKnown(body, FIELDS, 'body', faults)
  if (/^gpt-[5-9]|^o\d/.test(text(body.model)) && body.max_tokens !== undefined)
    faults.push('max_tokens is refused by this model: max_completion_tokens')
  openaiSampling(body, body.reasoning_effort, faults)
  const messages = list(body.messages)
  const functions = list(body.tools).map((tool) => record(tool.function ?? tool.custom))
  toolNames(
    functions.map(({ name }) => text(name)),
    faults,
  )
  const calls = messages.flatMap((message) => list(message.tool_calls))
  for (const call of calls) {
    if (call.type !== 'function') continue
    try {
      JSON.parse(text(record(call.function).arguments))
    } catch {
      faults.push(`the arguments of ${text(call.id)} are no JSON`)
    }
  }
  const results = messages.filter(({ role }) => role === 'tool')
  answered(
    calls.map(({ id }) => text(id)),
    results.map(({ tool_call_id }) => text(tool_call_id)),
    faults,
  )
  return {
    texts: messages.filter(({ role }) => role === 'user').map(({ content }) => textOf(content)),
    results: results.map(({ content }) => textOf(content)),
    tools: list(body.tools).map((tool) => ({
      name: text(record(tool.function ?? tool.custom).name),
      free_form: tool.type === 'custom',
    })),
  }
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  return list(content)
    .map((part) => text(part.text))
    .join('\n')
}

const writtenOf = (reply: Reply & { kind: 'tool' }) =>
  reply.free_form ? text(reply.arguments.input) : JSON.stringify(reply.arguments)

function callOf(reply: Reply & { kind: 'tool' }): JsonObject {
  const { id, name } = reply
  return reply.free_form
    ? { id, type: 'custom', custom: { name, input: writtenOf(reply) } }
    : { id, type: 'function', function: { name, arguments: writtenOf(reply) } }
}

function messageOf(reply: Reply): JsonObject {
  const base = { role: 'assistant', refusal: null }
  if (reply.kind === 'text') return { ...base, content: reply.text }
  return { ...base, content: null, tool_calls: [callOf(reply)] }
}

function deltasOf(reply: Reply): JsonObject[] {
  if (reply.kind === 'text') return piecesOf(reply.text).map((content) => ({ content }))
  const { id, name } = reply
  if (reply.free_form) return [{ tool_calls: [{ index: 0, ...callOf(reply) }] }]
  const call = { index: 0, id, type: 'function', function: { name, arguments: '' } }
  const rest = piecesOf(writtenOf(reply)).map((written) => ({
    tool_calls: [{ index: 0, function: { arguments: written } }],
  }))
  return [{ tool_calls: [call] }, ...rest]
}

const finishOf = (reply: Reply) => (reply.kind === 'text' ? 'stop' : 'tool_calls')

function usageOf(body: JsonObject, reply: Reply): JsonObject {
  const prompt_tokens = tokensOf(body.messages) + tokensOf(body.tools ?? [])
  const completion_tokens = tokensOf(reply)
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  }
}
