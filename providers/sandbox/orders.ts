// The orders a caller may write in a prompt, `[[delay:20ms]] [[fail:overloaded once]]`, to try every path by hand. Reads
// and obeys them; knows nothing of what an operation makes.
import { LRUCache } from 'lru-cache'
import { type Call, ERROR_KINDS, type ErrorKind, ProviderError } from '../../src/contract.ts'
import { pause } from './pause.ts'
import { refusal } from './refusal.ts'

export interface FailOrder {
  kind: ErrorKind
  once: boolean
}

export interface Orders {
  /** The prompt without its orders. */
  text: string
  delay_ms: number
  fails: FailOrder[]
  tools: { name: string; arguments: string }[]
  /** How many tokens the answer has; the answer's own length if absent. */
  tokens?: number
  cut: boolean
  no_usage: boolean
}

/** Where the prompt stands in the caller's request, and whether the orders of a chat have a meaning there. */
export interface OrderPlace {
  param: string
  chat?: boolean
}

const LONGEST_DELAY_MS = 600_000
const MOST_TOKENS = 100_000
const LONGEST_TOOL_ORDER = 16_384
const CHAT_ORDERS = ['tool', 'tokens', 'cut', 'no-usage']
const KNOWN_ORDERS =
  '[[fail:<kind>]], [[fail:<kind> once]], [[delay:20ms]], [[delay:5s]] and, in chat, [[tool:name {"json":1}]], ' +
  `[[tokens:500]], [[cut]], [[no-usage]]; the kinds are ${Object.keys(ERROR_KINDS).join(', ')}`

// A word in lower case right after the brackets: `[[ -f file ]]` and `[[1, 2]]` are the caller's own text.
const ORDER_START = /\[\[([a-z][a-z-]*)(?=[:\s\]])/g

/** Throws invalid_request, naming `place.param`, for an order that is unknown, malformed or out of place. */
export function readOrders(prompt: string, place: OrderPlace): Orders {
  const orders: Orders = { text: '', delay_ms: 0, fails: [], tools: [], cut: false, no_usage: false }
  let plain_from = 0
  ORDER_START.lastIndex = 0
  for (let start = ORDER_START.exec(prompt); start !== null; start = ORDER_START.exec(prompt)) {
    const name = start[1] ?? ''
    const end = orderEnd(prompt, start.index + 2, name)
    if (end === undefined) break
    const order = prompt.slice(start.index + 2, end)
    addOrder(orders, name, order.slice(name.length).replace(/^:/, '').trim(), order, place)
    orders.text += prompt.slice(plain_from, start.index)
    plain_from = end + 2
    ORDER_START.lastIndex = plain_from
  }
  orders.text = (orders.text + prompt.slice(plain_from)).replace(/[ \t]{2,}/g, ' ').trim()
  return orders
}

/**
 * The first `]]` after `from`, undefined if none is left; for a tool the first that leaves valid JSON, because
 * `{"a":[[1]]}` has brackets of its own.
 */
function orderEnd(prompt: string, from: number, name: string): number | undefined {
  const first = prompt.indexOf(']]', from)
  if (first === -1) return undefined
  if (name !== 'tool') return first
  for (let end = first; end !== -1 && end - from < LONGEST_TOOL_ORDER; end = prompt.indexOf(']]', end + 1)) {
    if (toolOrder(prompt.slice(from, end)) !== undefined) return end
  }
  return first
}

function toolOrder(order: string): { name: string; arguments: string } | undefined {
  const match = /^tool:\s*([\w.:/-]+)\s*([\s\S]*)$/.exec(order)
  const name = match?.[1]
  if (name === undefined) return undefined
  const text = match?.[2]?.trim() || '{}'
  try {
    JSON.parse(text)
  } catch {
    return undefined
  }
  return { name, arguments: text }
}

function addOrder(orders: Orders, name: string, value: string, order: string, place: OrderPlace): void {
  const refuse = (why: string) => refusal(place.param, `[[${order.slice(0, 80)}]] cannot be followed, ${why}`)
  if (CHAT_ORDERS.includes(name) && place.chat !== true) throw refuse('it has a meaning in chat only')
  if (name === 'cut' || name === 'no-usage') {
    if (value !== '') throw refuse(`write it as [[${name}]]`)
    if (name === 'cut') orders.cut = true
    else orders.no_usage = true
  } else if (name === 'delay') {
    orders.delay_ms += delayOrder(value, refuse)
  } else if (name === 'fail') {
    orders.fails.push(failOrder(value, refuse))
  } else if (name === 'tokens') {
    const tokens = /^\d{1,6}$/.test(value) ? Number(value) : 0
    if (tokens < 1 || tokens > MOST_TOKENS) throw refuse(`give a number of tokens from 1 to ${MOST_TOKENS}`)
    orders.tokens = tokens
  } else if (name === 'tool') {
    const tool = toolOrder(order)
    if (tool === undefined) throw refuse('write a tool name and its arguments as JSON, [[tool:name {"json":1}]]')
    orders.tools.push(tool)
  } else {
    throw refuse(`there is no such order. The sandbox knows ${KNOWN_ORDERS}`)
  }
}

function delayOrder(value: string, refuse: (why: string) => ProviderError): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s)$/.exec(value)
  const delay_ms = match === null ? Number.NaN : Number(match[1]) * (match[2] === 's' ? 1000 : 1)
  if (!(delay_ms <= LONGEST_DELAY_MS)) {
    throw refuse(`give a time of at most ${LONGEST_DELAY_MS / 1000}s with its unit, ms or s, as in 20ms or 5s`)
  }
  return delay_ms
}

function failOrder(value: string, refuse: (why: string) => ProviderError): FailOrder {
  const [kind = '', ...rest] = value.split(/\s+/)
  if (!isErrorKind(kind))
    throw refuse(`"${kind}" is no kind of failure. The kinds are ${Object.keys(ERROR_KINDS).join(', ')}`)
  if (rest.length > 1 || (rest[0] !== undefined && rest[0] !== 'once')) throw refuse('only "once" may follow the kind')
  return { kind, once: rest[0] === 'once' }
}

const isErrorKind = (word: string): word is ErrorKind => Object.hasOwn(ERROR_KINDS, word)

/** Remembers which jobs have had their `once` failure. Says true the first time for a key, false ever after. */
export type FirstTime = (key: string) => boolean

export function rememberFirstTimes(): FirstTime {
  const seen = new LRUCache<string, true>({ max: 10_000 })
  return (key) => {
    if (seen.has(key)) return false
    seen.set(key, true)
    return true
  }
}

/** Waits, then fails if told to: throws the ordered kind, or `canceled` when `call.signal` aborts the wait. */
export async function obey(orders: Orders, call: Call, firstTime: FirstTime): Promise<void> {
  await pause(orders.delay_ms, call.signal)
  failIfOrdered(orders.fails, call, firstTime)
}

/** Throws the first failure that is due. A `once` is spent per job, because a retry comes with the same job id. */
export function failIfOrdered(fails: FailOrder[], call: Call, firstTime: FirstTime): void {
  for (const fail of fails) {
    if (!fail.once || firstTime(`${call.job} ${fail.kind}`)) throw orderedFailure(fail.kind)
  }
}

export function orderedFailure(kind: ErrorKind): ProviderError {
  return new ProviderError(kind, `The sandbox was told to fail: ${kind}.`, {
    ...(kind === 'rate_limit' ? { retry_after_ms: 1000 } : {}),
  })
}
