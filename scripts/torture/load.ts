// The load: callers who ask for everything, some of whom hang up, and who write down what they were told. A request
// whose answer did not come whole is lost: it may have been charged or not, but nothing in between.
import { setTimeout as pause } from 'node:timers/promises'
import type { Api } from './api.ts'

export interface Line {
  kind: string
  /** Left: the caller hung up on purpose, after the first piece of the answer. Queued: to be found as a job. */
  outcome: 'success' | 'failure' | 'queued' | 'left' | 'lost'
  job_id: string
  /** What the answer said that it cost; undefined where it says nothing. */
  cost_usd: string | undefined
  /** What it must cost if it succeeds; undefined where that goes by its tokens. */
  price_usd: string | undefined
}

const ANSWER_MS_MAX = 10_000

export interface Load {
  /** Waits until all answers have come or are lost. */
  stop(): Promise<Line[]>
}

/**
 * Callers ask one thing after the other, at any of the routers, until they are told to stop. Node's own fetch forgets a call
 * now and then whose connection dies as it is aborted (24.21, 2026-11): those are given up.
 */
export function beginLoad(apis: [Api, ...Api[]], callers: number, random: Random): Load {
  const given_up = new AbortController()
  const lines: Line[] = []
  let going = true
  const asking = Array.from({ length: callers }, async () => {
    while (going) {
      const api = apis[Math.floor(random() * apis.length)] ?? apis[0]
      const line = await callOnce(api, random, given_up.signal)
      lines.push(line)
      // While the router is down every call is refused at once.
      if (line.outcome === 'lost') await pause(5)
    }
  })
  return {
    async stop() {
      going = false
      const too_long = setTimeout(() => given_up.abort(), ANSWER_MS_MAX)
      await Promise.all(asking)
      clearTimeout(too_long)
      return lines
    },
  }
}

export type Random = () => number

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Order {
  kind: string
  path: string
  body: object
  price_usd?: string
  /** How it is read; whole if absent. */
  reading?: 'stream' | 'leave' | 'hang up' | 'queue'
}

/** What a router says when the store leaves open what became of a call. */
const UNKNOWN = 'is not known yet'

const KINDS = ['overloaded', 'unavailable', 'content_policy', 'bad_response', 'timeout', 'internal']
const WORDS = 'switchyard carries every model over one line'.split(' ')

/** One of all kinds of calls, in a mix that keeps the cheap ones frequent. */
function nextOrder(random: Random): Order {
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)] as Item
  const fails = random() < 0.08 ? ` [[fail:${pick(KINDS)}]]` : ''
  const text = `${pick(WORDS)} ${pick(WORDS)}`
  const chat = (orders: string, more = {}) => ({
    model: 'sandbox/chat',
    max_tokens: 120,
    messages: [{ role: 'user', content: `${text} ${orders}` }],
    ...more,
  })
  const streamed = { stream: true, stream_options: { include_usage: true } }
  const slow = `[[delay:${1 + Math.floor(random() * 8)}ms]] [[tokens:${5 + Math.floor(random() * 60)}]]`
  const n = random() < 0.5 ? 1 : 2
  const picture = { model: 'sandbox/image', prompt: `${text}${fails}`, size: '64x64', n }
  const speech = { model: 'sandbox/speech', voice: 'alloy', input: `${text}${fails}`, response_format: 'wav' }
  const speech_usd = usd(BigInt(speech.input.length) * 15_000n)
  const chats = '/v1/chat/completions'
  const images = '/v1/images/generations'
  return pick<() => Order>([
    () => ({ kind: 'chat', path: chats, body: chat(fails) }),
    () => ({ kind: 'chat', path: chats, body: chat(`${slow}${fails}`) }),
    () => ({ kind: 'chat, hung up', path: chats, body: chat(slow), reading: 'hang up' }),
    () => ({ kind: 'chat, queued', path: chats, body: chat(`${slow}${fails}`), reading: 'queue' }),
    () => ({ kind: 'stream', path: chats, body: chat(`${slow}${fails}`, streamed), reading: 'stream' }),
    () => ({ kind: 'stream', path: chats, body: chat(`${slow} [[cut]]`, streamed), reading: 'stream' }),
    () => ({ kind: 'stream, left', path: chats, body: chat(slow, streamed), reading: 'leave' }),
    () => ({ kind: 'stream, left', path: chats, body: chat(slow, streamed), reading: 'leave' }),
    () => ({ kind: 'image', path: images, body: picture, price_usd: usd(BigInt(n) * 10_000_000n) }),
    () => ({
      kind: 'image, queued',
      path: images,
      body: picture,
      price_usd: usd(BigInt(n) * 10_000_000n),
      reading: 'queue',
    }),
    () => ({ kind: 'speech', path: '/v1/audio/speech', body: speech, price_usd: speech_usd }),
    () => ({ kind: 'embedding', path: '/v1/embeddings', body: { model: 'sandbox/embed', input: `${text}${fails}` } }),
    () => ({
      kind: 'video',
      path: '/v1/videos',
      body: { model: 'sandbox/video', prompt: text, seconds: '4' },
      price_usd: usd(40_000_000n),
      reading: 'queue',
    }),
  ])()
}

const usd = (nano: bigint) => `${nano / 1_000_000_000n}.${(nano % 1_000_000_000n).toString().padStart(9, '0')}`

/** One call, and its line in the journal; lost when `given_up` aborts. */
export async function callOnce(api: Api, random: Random, given_up: AbortSignal): Promise<Line> {
  const order = nextOrder(random)
  const line: Line = {
    kind: order.kind,
    outcome: 'lost',
    job_id: '',
    cost_usd: undefined,
    price_usd: order.price_usd,
  }
  const leaving = new AbortController()
  if (order.reading === 'hang up') void pause(random() * 60).then(() => leaving.abort())
  try {
    const headers = order.reading === 'queue' ? { prefer: 'respond-async' } : {}
    const signal = AbortSignal.any([leaving.signal, given_up])
    const response = await api.fetch(order.path, order.body, { headers, signal })
    line.job_id = response.headers.get('x-job-id') ?? ''
    if (order.reading === 'leave' && response.ok) return { ...line, outcome: await leave(response, leaving) }
    const text = Buffer.from(await response.arrayBuffer()).toString()
    // Whether such a call was charged only the job tells.
    if (text.includes(UNKNOWN)) return line
    if (!response.ok) return { ...line, outcome: 'failure' }
    if (order.reading === 'stream') return { ...line, ...readStream(text) }
    if (order.reading === 'queue') return { ...line, outcome: 'queued' }
    return { ...line, outcome: 'success', cost_usd: response.headers.get('x-cost-usd') ?? '' }
  } catch {
    // Refused, cut, or hung up by ourselves.
    return line
  }
}

async function leave(response: Response, leaving: AbortController): Promise<Line['outcome']> {
  await response.body?.getReader().read()
  leaving.abort()
  return 'left'
}

/** A stream is whole with its end marker, failed with an error, and else it was cut. */
function readStream(text: string): Pick<Line, 'outcome' | 'cost_usd'> {
  if (text.includes('data: [DONE]')) {
    const cost = /"cost":([\d.]+)/.exec(text)?.[1] ?? ''
    const [whole = '', decimals = ''] = cost.split('.')
    return { outcome: 'success', cost_usd: `${whole}.${decimals.padEnd(9, '0')}` }
  }
  return { outcome: /^data: \{"error":/m.test(text) ? 'failure' : 'lost', cost_usd: undefined }
}
