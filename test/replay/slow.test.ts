// Readers who take a kilobyte a second of fast and long streams: the providers are held up, and the router keeps next to
// nothing of what it has not yet handed on.
import { once } from 'node:events'
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Protocol } from '../../src/contract.ts'
import { eventsFor } from './hostile.ts'
import { FORMATS } from './replay.ts'
import { modelOf, type Site, startSite } from './site.ts'

const STREAM_BYTES = 48 * 2 ** 20
/** Two connections' buffers in the kernel take about 10 MB, 20 at the most. */
const SENT_BYTES_MOST = 24 * 2 ** 20
/** Once the kernel's buffers are full next to nothing moves and nothing grows. */
const MOVED_BYTES_MOST = 2 ** 20
const GROWTH_BYTES_MOST = 16 * 2 ** 20
const READ_BYTES = 1024
const READS = 2
const EVERY_MS = 1000
const STALL_MS = 400

interface Long {
  head: string
  delta: Buffer
  tail: string
}

/** A stream of this format whose one delta is said again and again. */
function longStream(protocol: Protocol): Long {
  const words = 'ab cd ef '
  const events = eventsFor(protocol, words.repeat(900))
  const begin = events.findIndex((event) => event.includes(words))
  // Its second half follows.
  return {
    head: events.slice(0, begin).join(''),
    delta: Buffer.from(events[begin] ?? ''),
    tail: events.slice(begin + 2).join(''),
  }
}

/** Sends as fast as the router takes it; answers how much that is so far. */
function pour(response: ServerResponse, { head, delta, tail }: Long): () => number {
  let sent_bytes = 0
  let gone = false
  const go = () => {
    while (sent_bytes < STREAM_BYTES && !gone) {
      sent_bytes += delta.length
      if (!response.write(delta)) return
    }
    response.end(tail)
  }
  response.on('drain', go).on('close', () => {
    gone = true
  })
  response.write(head)
  go()
  return () => sent_bytes
}

/** Waits until nothing is taken any more, and answers how much was. */
async function stalled(look: () => number[]): Promise<number[]> {
  for (let last = look(); ; ) {
    await pause(STALL_MS)
    const now = look()
    if (now.every((bytes, index) => bytes === last[index])) return now
    last = now
  }
}

/** Opens a stream that nobody reads yet. */
async function open(site: Site, format: Protocol, model: string): Promise<IncomingMessage> {
  const caller = FORMATS.find(({ protocol }) => protocol === format)
  if (!caller) throw new Error(`There is no format ${format}.`)
  const messages = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'Hello' }] }]
  const body = caller.asked(caller.encode({ model, messages, max_output_tokens: 1000 }, model), model, true)
  const headers = { authorization: `Bearer ${site.api_key}`, 'content-type': 'application/json' }
  const asking = request(site.url + caller.address(model, true), { method: 'POST', headers, agent: false })
  asking.end(JSON.stringify(body))
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  expect(response.statusCode).toBe(200)
  return response
}

const PROVIDERS: Record<Protocol, string> = {
  'openai-chat': 'replay-chat',
  'openai-responses': 'replay-responses',
  'anthropic-messages': 'anthropic',
  gemini: 'google',
}
const PROTOCOLS = Object.keys(PROVIDERS) as Protocol[]

describe('slow readers of fast streams', () => {
  let site: Site
  beforeAll(async () => {
    site = await startSite(Object.values(PROVIDERS), 1)
  })
  afterAll(() => site.close())

  const rounds: [string, (format: Protocol) => Protocol][] = [
    ['of their own formats', (format) => format],
    ['of other formats', (format) => PROTOCOLS[(PROTOCOLS.indexOf(format) + 1) % 4] ?? format],
  ]
  it.each(rounds)('hold the providers up %s, in flat memory', async (_which, partnerOf) => {
    const readers = await Promise.all(
      PROTOCOLS.map(async (format) => {
        const protocol = partnerOf(format)
        const provider = PROVIDERS[protocol]
        let sentBytes = () => 0
        const send = async (response: ServerResponse) => {
          sentBytes = pour(response, longStream(protocol))
        }
        site.lane(provider).serve({ status: 200, content_type: 'text/event-stream', body: '', send })
        const response = await open(site, format, modelOf(provider, 'm'))
        return { format, response, sentBytes: () => sentBytes(), read_bytes: 0 }
      }),
    )
    const first_bytes = await stalled(() => readers.map(({ sentBytes }) => sentBytes()))
    const first_rss_bytes = process.memoryUsage().rss
    for (let times = 0; times < READS; times++) {
      for (const reader of readers) {
        reader.read_bytes += (reader.response.read(READ_BYTES) as Buffer | null)?.length ?? 0
      }
      await pause(EVERY_MS)
    }
    const growth_bytes = process.memoryUsage().rss - first_rss_bytes
    for (const { response } of readers) response.destroy()
    for (const [index, { format, read_bytes, sentBytes }] of readers.entries()) {
      expect(read_bytes, format).toBe(READS * READ_BYTES)
      expect(sentBytes(), format).toBeLessThan(SENT_BYTES_MOST)
      expect(sentBytes() - (first_bytes[index] ?? 0), format).toBeLessThan(MOVED_BYTES_MOST)
    }
    expect(growth_bytes).toBeLessThan(GROWTH_BYTES_MOST)
  })
})
