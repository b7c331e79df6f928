// A stand-in of Anthropic's messages, as strict as the real one; it thinks before it speaks where it is asked to, and
// wants its thoughts back as it wrote them.
import type { JsonObject } from '../../../src/contract.ts'
import { nextReply, piecesOf, type Reply, type Turn, tokensOf } from './script.ts'
import type { Speaker, StubAnswer } from './server.ts'
import { answered, anthropicSampling, list, onlyKnown, record, text, toolNames } from './strict.ts'

const FIELDS =
  'model max_tokens messages system stream tools tool_choice stop_sequences thinking output_config metadata service_tier ' +
  'cache_control temperature top_p top_k context_management container mcp_servers speed'
const THOUGHT = { type: 'thinking', thinking: 'I look at what is asked.', signature: 'dGhvdWdodCBieSB0aGUgc3R1Yg' }

export const countTokensStub: Speaker = {
  path: /^\/v1\/messages\/count_tokens$/,
  answer: (body) => ({ json: { input_tokens: inputTokens(body) } }),
}

export const anthropicStub: Speaker = {
  path: /^\/v1\/messages$/,
  answer(body, { headers }, faults) {
    if (headers['anthropic-version'] === undefined) faults.push('the header anthropic-version is missing')
    const turn = read(body, faults)
    const reply = nextReply(turn, faults)
    const thinks = ['enabled', 'adaptive'].includes(text(record(body.thinking).type))
    const blocks = [...(thinks ? [THOUGHT] : []), blockOf(reply)]
    const message = {
      id: 'msg_stub',
      type: 'message',
      role: 'assistant',
      model: text(body.model),
      content: blocks,
      stop_reason: reply.kind === 'text' ? 'end_turn' : 'tool_use',
      stop_sequence: null,
      usage: usageOf(body, blocks),
    }
    return body.stream === true ? streamOf(message) : { json: message }
  },
}

function read(body: JsonObject, faults: string[]): Turn {
  onlyKnown(body, FIELDS, 'body', faults)
  if (typeof body.max_tokens !== 'number') faults.push('max_tokens: Field required')
  const { type, budget_tokens } = record(body.thinking)
  if (type === 'enabled' && !(Number(budget_tokens) < Number(body.max_tokens)))
    faults.push('thinking.budget_tokens must be below max_tokens')
  anthropicSampling(body, ['enabled', 'adaptive'].includes(text(type)), faults)
  const messages = list(body.messages)
  if (messages[0]?.role !== 'user') faults.push('messages.0: must be of the user')
  const blocks = messages.flatMap(({ content }) => blocksOf(content))
  const results = blocks.filter((block) => block.type === 'tool_result')
  checkBlocks(messages, faults)
  answered(
    blocks.flatMap((block) => (block.type === 'tool_use' ? [text(block.id)] : [])),
    results.map(({ tool_use_id }) => text(tool_use_id)),
    faults,
  )
  const tools = list(body.tools)
  for (const tool of tools)
    if (tool.type === undefined && record(tool.input_schema).type !== 'object')
      faults.push(`tools: ${text(tool.name)} has no input_schema of type object`)
  const names = tools.map(({ name }) => text(name))
  toolNames(names, faults)
  return {
    texts: messages.filter(({ role }) => role === 'user').flatMap(({ content }) => blocksOf(content).map(textOf)),
    results: results.map(({ content }) => blocksOf(content).map(textOf).join('\n')),
    tools: names.map((name) => ({ name })),
  }
}

/** What a conversation must keep to: results first and right after their calls, no empty text, thoughts as they were. */
function checkBlocks(messages: JsonObject[], faults: string[]): void {
  for (const [at, message] of messages.entries()) {
    const where = `messages.${at}`
    const blocks = blocksOf(message.content)
    onlyKnown(message, 'role content', where, faults)
    if (!['user', 'assistant', 'system'].includes(text(message.role))) faults.push(`${where}: unknown role`)
    if (blocks.length === 0) faults.push(`${where}: content is empty`)
    for (const block of blocks) {
      if (block.type === 'text' && text(block.text).trim() === '') faults.push(`${where}: text must not be empty`)
      if (block.type === 'tool_use' && !/^[\w-]+$/.test(text(block.id)))
        faults.push(`${where}: ${text(block.id)} as id`)
      if (block.type === 'thinking' && (block.signature !== THOUGHT.signature || block.thinking !== THOUGHT.thinking))
        faults.push(`${where}: the signature of a thought is not the one that was given`)
      if (block.type === 'redacted_thinking') faults.push(`${where}: a sealed thought that was not given`)
    }
    const first_other = blocks.findIndex(({ type }) => type !== 'tool_result')
    if (first_other !== -1 && blocks.slice(first_other).some(({ type }) => type === 'tool_result'))
      faults.push(`${where}: tool results stand behind other content`)
    const called = blocksOf(messages[at - 1]?.content).some(({ type }) => type === 'tool_use')
    if (called && first_other === 0) faults.push(`${where}: tool calls without their results right after them`)
  }
}

function blocksOf(content: unknown): JsonObject[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : list(content)
}

const textOf = (block: JsonObject) => text(block.text)

function blockOf(reply: Reply): JsonObject {
  if (reply.kind === 'text') return { type: 'text', text: reply.text }
  return { type: 'tool_use', id: `toolu_${reply.id}`, name: reply.name, input: reply.arguments }
}

function streamOf(message: JsonObject & { content: JsonObject[] }): StubAnswer {
  const { content, stop_reason, usage, ...head } = message
  const events: JsonObject[] = [
    {
      type: 'message_start',
      message: { ...head, content: [], stop_reason: null, usage: { ...record(usage), output_tokens: 1 } },
    },
    { type: 'ping' },
    ...content.flatMap((block, index) => [
      { type: 'content_block_start', index, content_block: opening(block) },
      ...deltasOf(block).map((delta) => ({ type: 'content_block_delta', index, delta })),
      { type: 'content_block_stop', index },
    ]),
    { type: 'message_delta', delta: { stop_reason: stop_reason ?? null, stop_sequence: null }, usage: record(usage) },
    { type: 'message_stop' },
  ]
  return { events: events.map((event) => ({ event: text(event.type), data: JSON.stringify(event) })) }
}

function opening(block: JsonObject): JsonObject {
  if (block.type === 'text') return { type: 'text', text: '' }
  return block.type === 'thinking' ? { type: 'thinking', thinking: '', signature: '' } : { ...block, input: {} }
}

function deltasOf(block: JsonObject): JsonObject[] {
  if (block.type === 'text') return piecesOf(text(block.text)).map((piece) => ({ type: 'text_delta', text: piece }))
  if (block.type === 'tool_use')
    return piecesOf(JSON.stringify(block.input)).map((partial_json) => ({ type: 'input_json_delta', partial_json }))
  const thoughts = piecesOf(text(block.thinking)).map((thinking) => ({ type: 'thinking_delta', thinking }))
  return [...thoughts, { type: 'signature_delta', signature: text(block.signature) }]
}

const inputTokens = (body: JsonObject) =>
  tokensOf(body.messages) + tokensOf(body.system ?? '') + tokensOf(body.tools ?? [])

function usageOf(body: JsonObject, blocks: JsonObject[]): JsonObject {
  return {
    input_tokens: inputTokens(body),
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: tokensOf(blocks),
    service_tier: 'standard',
  }
}
