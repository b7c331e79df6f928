// OpenAI's chat completions, in the dialects of its many servers.
import type { JsonObject } from '../../../src/contract.ts'
import { encodeRequest } from '../../../src/protocols/openai-chat/encode.ts'
import {
  type Choice,
  type Finish,
  type Format,
  frame,
  list,
  newChoice,
  number,
  object,
  parseArguments,
  pieces,
  type Said,
  type Tokens,
  text,
} from '../said.ts'

const FINISHES: Record<string, Finish> = {
  length: 'length',
  model_length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
}

export const openaiChat: Format = {
  protocol: 'openai-chat',
  address: () => '/v1/chat/completions',
  encode: (request, model) =>
    encodeRequest(request, model, 'max_completion_tokens', {
      developer_role: true,
      reasoning_content: true,
      top_k: true,
    }),
  asked: (body, model, stream) => {
    const { stream: _, stream_options, ...rest } = body
    if (!stream) return { ...rest, model }
    return { ...rest, model, stream: true, stream_options: stream_options ?? { include_usage: true } }
  },

  readAnswer(answer) {
    const choices = list(answer.choices).map(({ message, finish_reason }) =>
      readChoice(object(message), finish_reason === null ? undefined : finish_reason),
    )
    return { choices, ...tokensIn(answer) }
  },

  readStream(events) {
    const choices: { message: JsonObject; calls: Map<number, JsonObject>; finish: unknown }[] = []
    let usage: Pick<Said, 'tokens'> = {}
    for (const { data } of events) {
      if (data === '[DONE]') continue
      usage = { ...usage, ...tokensIn(data) }
      for (const { index, delta, finish_reason } of list(data.choices)) {
        choices[number(index)] ??= { message: {}, calls: new Map(), finish: undefined }
        const choice = choices[number(index)]
        if (!choice) continue
        addDelta(choice.message, choice.calls, object(delta))
        choice.finish = finish_reason || choice.finish
      }
    }
    const read = choices.map(({ message, calls, finish }) =>
      readChoice({ ...message, tool_calls: [...calls].sort(([a], [b]) => a - b).map(([, call]) => call) }, finish),
    )
    return { choices: read, ...usage }
  },

  restream(answer) {
    const { choices, usage, ...head } = answer
    const chunk = (members: JsonObject) => frame({ ...head, object: 'chat.completion.chunk', ...members })
    const written = list(choices).map(({ index, message, logprobs, finish_reason }) => {
      const deltas = deltasOf(object(message))
      const [first = {}, ...others] = deltas.map((delta) => ({ index: index ?? 0, delta, finish_reason: null }))
      const all = [{ ...first, ...(logprobs ? { logprobs } : {}) }, ...others]
      const end = { index: index ?? 0, delta: {}, finish_reason: finish_reason ?? null }
      return [...all, end].map((choice) => chunk({ choices: [choice as JsonObject] })).join('')
    })
    return `${written.join('')}${usage ? chunk({ choices: [], usage }) : ''}data: [DONE]\n\n`
  },

  finish: (finish) => (finish === 'refusal' ? 'content_filter' : finish === 'pause' ? 'stop' : finish),

  plain(data, body) {
    const { usage, ...rest } = data
    const asked = object(body.stream_options).include_usage === true || body.stream !== true
    const nothing = list(data.choices).length === 0
    if (!asked) return nothing && typeof usage === 'object' ? undefined : usage === null ? rest : withoutCost(data)
    return withoutCost(data)
  },
}

function withoutCost(data: JsonObject): JsonObject {
  if (typeof data.usage !== 'object' || data.usage === null) return data
  const { cost: _, ...usage } = object(data.usage)
  return { ...data, usage }
}

function readChoice(message: JsonObject, finish: unknown): Choice {
  const choice = newChoice()
  addContent(choice, message.content)
  choice.text += text(message.refusal)
  choice.reasoning += text(message.reasoning_content) || text(message.reasoning)
  choice.text += text(object(message.audio).transcript)
  choice.images = list(message.images).length
  choice.calls = list(message.tool_calls).map((call) => {
    const made = object(call.function ?? call.custom)
    return { name: text(made.name), arguments: parseArguments(text(made.arguments ?? made.input)) }
  })
  if (typeof finish === 'string') choice.finish = FINISHES[finish] ?? 'stop'
  return choice
}

/** Words, or Mistral's parts: text and thinking. */
function addContent(choice: Choice, content: unknown): void {
  if (!Array.isArray(content)) choice.text += text(content)
  for (const part of list(content)) {
    choice.text += text(part.text)
    choice.reasoning += list(part.thinking)
      .map((thought) => text(thought.text))
      .join('')
  }
}

function addDelta(message: JsonObject, calls: Map<number, JsonObject>, delta: JsonObject): void {
  for (const name of ['refusal', 'reasoning_content', 'reasoning']) {
    if (typeof delta[name] === 'string') message[name] = text(message[name]) + delta[name]
  }
  if (Array.isArray(delta.content)) message.content = [...list(message.content), ...list(delta.content)]
  else if (delta.content) {
    const before = Array.isArray(message.content) ? message.content : text(message.content)
    message.content = Array.isArray(before)
      ? [...before, { type: 'text', text: delta.content }]
      : before + text(delta.content)
  }
  if (delta.audio)
    message.audio = { transcript: text(object(message.audio).transcript) + text(object(delta.audio).transcript) }
  if (delta.images) message.images = [...list(message.images), ...list(delta.images)]
  for (const [place, call] of list(delta.tool_calls).entries()) {
    const index = typeof call.index === 'number' ? call.index : place
    const known = object(calls.get(index))
    const kind = call.custom || known.custom ? 'custom' : 'function'
    const [made, more] = [object(known[kind]), object(call[kind])]
    const words = kind === 'custom' ? 'input' : 'arguments'
    const whole = { name: text(made.name) || text(more.name), [words]: text(made[words]) + text(more[words]) }
    calls.set(index, { [kind]: whole })
  }
}

function deltasOf({ role, content, tool_calls, refusal, ...others }: JsonObject): JsonObject[] {
  const thoughts = ['reasoning_content', 'reasoning'].filter((name) => typeof others[name] === 'string')
  const [thought] = thoughts
  const words = thought === undefined ? [] : pieces(text(others[thought]))
  for (const name of thoughts) delete others[name]
  return [
    { role: role ?? 'assistant', content: '' },
    ...words.map((piece) => Object.fromEntries(thoughts.map((name) => [name, piece]))),
    ...(Array.isArray(content) ? [{ content }] : pieces(text(content)).map((piece) => ({ content: piece }))),
    ...pieces(text(refusal)).map((piece) => ({ refusal: piece })),
    ...list(tool_calls).flatMap(callDeltas),
    ...(Object.values(others).some((value) => value !== null) ? [others] : []),
  ]
}

function callDeltas(call: JsonObject, index: number): JsonObject[] {
  const kind = call.custom ? 'custom' : 'function'
  const words = kind === 'custom' ? 'input' : 'arguments'
  const made = object(call[kind])
  const begin = { ...call, index, [kind]: { ...made, [words]: '' } }
  const rest = pieces(text(made[words])).map((piece) => ({ index, [kind]: { [words]: piece } }))
  return [begin, ...rest].map((each) => ({ tool_calls: [each] }))
}

function tokensIn(answer: JsonObject): { tokens?: Tokens } {
  const usage = object(answer.usage ?? object(answer.x_groq).usage)
  if (typeof usage.prompt_tokens !== 'number') return {}
  const details = object(usage.prompt_tokens_details)
  const reasoning = number(object(usage.completion_tokens_details).reasoning_tokens)
  const output = number(usage.completion_tokens)
  // xAI counts thoughts beside the completion, and its total gives it away.
  const apart = reasoning > 0 && number(usage.total_tokens) === usage.prompt_tokens + output + reasoning
  const cached = [details.cached_tokens, usage.prompt_cache_hit_tokens, usage.cached_tokens, usage.num_cached_tokens]
  const tokens = {
    input: usage.prompt_tokens,
    cached: number(cached.find((each) => typeof each === 'number')),
    written: number(details.cache_write_tokens),
    written_1h: 0,
    output: apart ? output + reasoning : output,
  }
  return { tokens }
}
