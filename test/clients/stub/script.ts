// What the stand-in model does next: the orders that stand in the prompt, one after the other, then a text with the last
// tool's answer. It knows no wire format. An order is written as for the sandbox: [[tool:name {"json":1}]].
import type { JsonObject } from '../../../src/contract.ts'

/** What a request of any format comes to. */
export interface Turn {
  /** Every text of the conversation, in order. */
  texts: string[]
  /** What tools answered so far, in order. */
  results: string[]
  /** The names on offer; a free-form tool is marked, because its arguments are no JSON. */
  tools: { name: string; free_form?: boolean }[]
}

export type Reply =
  | { kind: 'text'; text: string }
  | { kind: 'tool'; name: string; arguments: JsonObject; free_form: boolean; id: string }

/** Begins every last text, so that a client's output can be searched for it. */
export const DONE = 'All done'

export function nextReply(turn: Turn, faults: string[]): Reply {
  const orders = ordersOf(turn.texts.join('\n'))
  const order = orders[turn.results.length]
  if (order === undefined || turn.tools.length === 0) return { kind: 'text', text: lastWords(turn) }
  const tool = turn.tools.find(({ name }) => name === order.name)
  if (tool === undefined) {
    faults.push(`the tool ${order.name} was not on offer, only ${turn.tools.map(({ name }) => name).join(', ')}`)
    return { kind: 'text', text: `There is no tool ${order.name}.` }
  }
  const id = `call_${turn.results.length + 1}_${Math.random().toString(36).slice(2, 10)}`
  return { kind: 'tool', ...order, free_form: tool.free_form === true, id }
}

const lastWords = ({ results }: Turn) =>
  `${DONE}. ${results.length} tools answered; the last: ${results.at(-1) ?? 'none'}`

/** Orders of the whole conversation, each once: clients repeat the prompt in titles and summaries. */
function ordersOf(text: string): { name: string; arguments: JsonObject }[] {
  const found = new Map<string, { name: string; arguments: JsonObject }>()
  for (const match of text.matchAll(/\[\[tool:([\w-]+) (\{.*?\})\]\]/gs)) {
    const [, name = '', json = ''] = match
    // opencode escapes the quotes of a prompt (1.18.33).
    const plain = json.replaceAll('\\"', '"')
    found.set(`${name} ${plain}`, { name, arguments: JSON.parse(isJson(json) ? json : plain) as JsonObject })
  }
  return [...found.values()]
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** About what a tokenizer would count, so that charges differ by size as they do in life. */
export const tokensOf = (value: unknown): number => Math.ceil(JSON.stringify(value).length / 4)

/** Cuts a text in a few pieces, as a model writes it. */
export function piecesOf(text: string): string[] {
  const length = Math.max(1, Math.ceil(text.length / 3))
  return text === '' ? [] : (text.match(new RegExp(`[^]{1,${length}}`, 'g')) ?? [])
}
