// What the sandbox says to a chat request: an echo, a tool call or JSON, as steps that are one delta each. Always the
// same for the same request; never sends anything itself.
import { createHash } from 'node:crypto'
import type { ChatEvent, ChatRequest, FinishReason, Json, JsonObject, Tool, ToolCall } from '../../src/contract.ts'
import type { Conversation } from './conversation.ts'
import { exampleOf } from './example.ts'
import type { Orders } from './orders.ts'
import { refusal } from './refusal.ts'
import { sharp } from './sharp.ts'
import { countTokens, tokensOf } from './tokens.ts'

/** One delta and the output tokens it costs. */
export interface Step {
  event: ChatEvent
  tokens: number
}
export interface Answer {
  steps: Step[]
  finish: { reason: FinishReason; stop_sequence?: string }
}

const LONGEST_QUOTE = 400
const FILLER = tokensOf(' The signal is green, the points are set, and the next train is on time.')

/** The words of an answer, before they are cut to size; the same for every choice but its number. */
export async function wordsFor(conversation: Conversation, orders: Orders): Promise<string> {
  const seen = await describeFiles(conversation.files)
  if (conversation.tool_results.length > 0) {
    return `${seen}The tool answered: ${conversation.tool_results.map(quote).join('; ')}`
  }
  return orders.text === '' ? `${seen}You said nothing.` : `${seen}You said: ${quote(orders.text)}`
}

export function textAnswer(words: string, choice: number, orders: Orders, request: ChatRequest): Answer {
  const said = toLength(choice === 0 ? words : `(${choice + 1}) ${words}`, orders.tokens)
  const text = inFormat(said, request.response_format)
  const { end, stop_sequence } = firstStop(text, request.stop ?? [])
  const steps = tokensOf(text.slice(0, end)).map((token): Step => {
    const logprobs = request.top_logprobs === undefined ? {} : { logprobs: certain(token, request.top_logprobs) }
    return { event: { type: 'text', choice, text: token, ...logprobs }, tokens: 1 }
  })
  return { steps, finish: { reason: 'stop', ...(stop_sequence === undefined ? {} : { stop_sequence }) } }
}

export function toolAnswer(calls: ToolCall[], choice: number): Answer {
  const steps = calls.flatMap(({ arguments: written, ...head }, index): Step[] => [
    { event: { type: 'tool_call', choice, index, call: { ...head, arguments: '' } }, tokens: countTokens(head.name) },
    ...tokensOf(written).map((token): Step => {
      return { event: { type: 'tool_call', choice, index, call: { arguments: token } }, tokens: 1 }
    }),
  ])
  return { steps, finish: { reason: 'tool_calls' } }
}

/** The calls that the orders or a compulsory `tool_choice` ask for; none once the tool's result is there. */
export function toolCallsFor(
  request: ChatRequest,
  conversation: Conversation,
  orders: Orders,
  job: string,
): ToolCall[] {
  const offered = (request.tools ?? []).filter((tool) => tool.kind !== 'server')
  const choice = request.tool_choice
  if (!conversation.fresh || choice?.mode === 'none') return []
  const ordered = orders.tools.map((order) => ({ tool: findTool(offered, order.name), ...order }))
  if (ordered.length === 0) {
    const compulsory = compulsoryTool(offered, choice)
    if (compulsory !== undefined)
      ordered.push({ tool: compulsory, name: compulsory.name, arguments: exampleArguments(compulsory) })
  }
  const made = request.parallel_tool_calls === false ? ordered.slice(0, 1) : ordered
  return made.map(({ tool, name, arguments: written }, index) => ({
    id: `call_${createHash('sha256').update(`${job} ${index} ${name} ${written}`).digest('hex').slice(0, 24)}`,
    kind: tool?.kind ?? 'function',
    name,
    ...(tool?.kind === 'function' && tool.namespace !== undefined ? { namespace: tool.namespace } : {}),
    arguments: written,
  }))
}

type CallableTool = Exclude<Tool, { kind: 'server' }>

/** Without any tool on offer an order still makes its call: that is the shortest way to see one. */
function findTool(offered: CallableTool[], name: string): CallableTool | undefined {
  const tool = offered.find((candidate) => candidate.name === name)
  if (tool === undefined && offered.length > 0) {
    const names = offered.map((candidate) => candidate.name).join(', ')
    throw refusal('tools', `[[tool:${name}]] names none of those on offer, which are ${names}`)
  }
  return tool
}

function compulsoryTool(offered: CallableTool[], choice: ChatRequest['tool_choice']): CallableTool | undefined {
  if (choice?.mode === 'tool') return findTool(offered, choice.name)
  if (choice?.mode === 'required') return offered[0]
  if (choice?.mode === 'allowed' && choice.required) return offered.find(({ name }) => choice.names.includes(name))
  return undefined
}

const exampleArguments = (tool: CallableTool): string =>
  tool.kind === 'custom' ? 'sandbox' : JSON.stringify(exampleOf({ type: 'object', ...tool.parameters }))

function toLength(text: string, tokens: number | undefined): string {
  if (tokens === undefined) return text
  const said = tokensOf(text).slice(0, tokens)
  while (said.length < tokens) said.push(FILLER[said.length % FILLER.length] ?? ' and')
  return said.join('')
}

function inFormat(text: string, format: ChatRequest['response_format']): string {
  if (format === undefined) return text
  return JSON.stringify(format.type === 'json' ? { answer: text } : exampleOf(format.schema))
}

function firstStop(text: string, stops: string[]): { end: number; stop_sequence?: string } {
  let first: { end: number; stop_sequence?: string } = { end: text.length }
  for (const stop_sequence of stops) {
    const end = stop_sequence === '' ? -1 : text.indexOf(stop_sequence)
    if (end !== -1 && end < first.end) first = { end, stop_sequence }
  }
  return first
}

/** OpenAI's shape of log probabilities, for a model that is always certain. */
function certain(token: string, alternatives: number): JsonObject {
  const chosen = { token, logprob: 0, bytes: [...Buffer.from(token)] satisfies Json }
  return { content: [{ ...chosen, top_logprobs: alternatives > 0 ? [chosen] : [] }] }
}

const quote = (text: string): string => (text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text)

async function describeFiles(files: Conversation['files']): Promise<string> {
  const pictures = files.flatMap((part) => (part.type === 'image' ? [part.image] : []))
  const sizes = await Promise.all(pictures.map(sizeOf))
  const sentences =
    pictures.length === 0 ? [] : [`I see ${counted(pictures.length, 'picture')} of ${sizes.join(', ')}.`]
  for (const type of ['audio', 'video', 'document'] as const) {
    const count = files.filter((part) => part.type === type).length
    if (count > 0) sentences.push(`I got ${counted(count, `${type} file`)}.`)
  }
  return sentences.map((sentence) => `${sentence} `).join('')
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

async function sizeOf(picture: Extract<Conversation['files'][number], { type: 'image' }>['image']): Promise<string> {
  if (picture.type !== 'bytes') return 'unknown size'
  try {
    const { autoOrient } = await sharp(picture.data).metadata()
    return `${autoOrient.width}x${autoOrient.height}`
  } catch (cause) {
    throw refusal('messages', 'a picture in them cannot be read, send a PNG, JPEG, WebP or GIF', cause)
  }
}
