// Anthropic's messages.
import type { JsonObject } from '../../../src/contract.ts'
import { encodeRequest } from '../../../src/protocols/anthropic-messages/encode.ts'
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
  type Tokens,
  text,
} from '../said.ts'

const FINISHES: Record<string, Finish> = {
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  pause_turn: 'pause',
  refusal: 'refusal',
}

export const anthropic: Format = {
  protocol: 'anthropic-messages',
  address: () => '/v1/messages',
  encode: encodeRequest,
  asked: ({ stream: _, ...body }, model, stream) => ({ ...body, model, ...(stream ? { stream: true } : {}) }),

  readAnswer: (answer) => ({
    choices: [readMessage(list(answer.content), answer.stop_reason)],
    ...tokensOf(object(answer.usage)),
  }),

  readStream(events) {
    const blocks: JsonObject[] = []
    const inputs = new Map<number, string>()
    let usage: JsonObject = {}
    let stop: unknown
    for (const { data } of events) {
      if (data === '[DONE]') continue
      const index = number(data.index)
      if (data.type === 'message_start') {
        usage = object(object(data.message).usage)
        blocks.push(...list(object(data.message).content))
        stop = object(data.message).stop_reason
      }
      if (data.type === 'content_block_start') blocks[index] = { ...object(data.content_block) }
      if (data.type === 'content_block_delta') addDelta(object(blocks[index]), inputs, index, object(data.delta))
      if (data.type === 'message_delta') {
        stop = object(data.delta).stop_reason
        const told = Object.entries(object(data.usage)).filter(([, value]) => value !== null)
        usage = { ...usage, ...Object.fromEntries(told) }
      }
    }
    const whole = blocks.map((block, index) =>
      inputs.has(index) ? { ...block, input: parseArguments(inputs.get(index) ?? '') as JsonObject } : block,
    )
    return { choices: [readMessage(whole, stop)], ...tokensOf(usage) }
  },

  restream(answer) {
    const { content, stop_reason, stop_sequence, usage, ...head } = answer
    const start = {
      ...head,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...object(usage), output_tokens: 1 },
    }
    const blocks = list(content).flatMap((block, index) => [
      { type: 'content_block_start', index, content_block: emptied(block) },
      ...deltasOf(block).map((delta) => ({ type: 'content_block_delta', index, delta })),
      { type: 'content_block_stop', index },
    ])
    const delta = { stop_reason: stop_reason ?? null, stop_sequence: stop_sequence ?? null }
    const events: JsonObject[] = [
      { type: 'message_start', message: start },
      { type: 'ping' },
      ...blocks,
      { type: 'message_delta', delta, usage: usage ?? {} },
      { type: 'message_stop' },
    ]
    return events.map((event) => frame(event, text(event.type))).join('')
  },

  finish: (finish, called) => {
    if (finish === 'stop' && called) return 'tool_calls'
    return finish === 'content_filter' ? 'refusal' : finish
  },

  plain(data) {
    if (typeof data.usage !== 'object' || data.usage === null) return data
    const { cost: _, ...usage } = object(data.usage)
    return { ...data, usage }
  },
}

function readMessage(blocks: JsonObject[], stop: unknown): Choice {
  const choice = newChoice()
  for (const block of blocks) {
    if (block.type === 'text') choice.text += text(block.text)
    if (block.type === 'thinking') choice.reasoning += text(block.thinking)
    if (block.type === 'tool_use') choice.calls.push({ name: text(block.name), arguments: block.input ?? {} })
    if (block.type === 'image') choice.images++
  }
  if (typeof stop === 'string') choice.finish = FINISHES[stop] ?? 'stop'
  return choice
}

function addDelta(block: JsonObject, inputs: Map<number, string>, index: number, delta: JsonObject): void {
  for (const name of ['text', 'thinking']) {
    if (typeof delta[name] === 'string') block[name] = text(block[name]) + delta[name]
  }
  if (typeof delta.partial_json === 'string') inputs.set(index, (inputs.get(index) ?? '') + delta.partial_json)
}

/** A block as it begins; kinds that do not come in pieces are whole. */
function emptied(block: JsonObject): JsonObject {
  if (block.type === 'text') return { type: 'text', text: '' }
  if (block.type === 'thinking') return { type: 'thinking', thinking: '', signature: '' }
  return block.type === 'tool_use' || block.type === 'server_tool_use' ? { ...block, input: {} } : block
}

function deltasOf(block: JsonObject): JsonObject[] {
  if (block.type === 'text') {
    const citations = list(block.citations).map((citation) => ({ type: 'citations_delta', citation }))
    return [...citations, ...pieces(text(block.text)).map((piece) => ({ type: 'text_delta', text: piece }))]
  }
  if (block.type === 'thinking') {
    const thoughts = pieces(text(block.thinking)).map((piece) => ({ type: 'thinking_delta', thinking: piece }))
    return [...thoughts, { type: 'signature_delta', signature: block.signature ?? '' }]
  }
  if (block.type !== 'tool_use' && block.type !== 'server_tool_use') return []
  const words = JSON.stringify(block.input ?? {})
  return ['', ...pieces(words)].map((partial_json) => ({ type: 'input_json_delta', partial_json }))
}

/** What shortened a long conversation is counted beside the rest. */
function tokensOf(usage: JsonObject): { tokens?: Tokens } {
  if (typeof usage.input_tokens !== 'number') return {}
  const all = [usage, ...list(usage.iterations).filter(({ type }) => type === 'compaction')].map((part) => {
    const written_1h = number(object(part.cache_creation).ephemeral_1h_input_tokens)
    const written = number(part.cache_creation_input_tokens)
    const cached = number(part.cache_read_input_tokens)
    return {
      input: number(part.input_tokens) + written + cached,
      cached,
      written,
      written_1h,
      output: number(part.output_tokens),
    }
  })
  const sum = (name: keyof Tokens) => all.reduce((total, each) => total + each[name], 0)
  const tokens = {
    input: sum('input'),
    cached: sum('cached'),
    written: sum('written'),
    written_1h: sum('written_1h'),
    output: sum('output'),
  }
  return { tokens }
}
