// Streams that break, at every place where they can, in each of the four formats: what looks whole is charged and what
// is charged looks whole; who hangs up pays for the whole answer or for nothing; and no usage, however wrong, is more than a
// caller was held for.
import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject, Protocol } from '../../src/contract.ts'
import { frontOf } from '../../src/flow/chat/fronts.ts'
import { creditsOf, eventually, get } from '../support/client.ts'
import { eventsFor } from './hostile.ts'
import { modelOf, type Served, type Site, startSite } from './site.ts'

const TEXT = 'Grüße, 世界! Four words.'
/** Of offsets in a stream that goes through a whole router; every single one is tried where that is cheap. */
const STEP = 37

interface Format {
  protocol: Protocol
  provider: string
  path(model: string): string
  body(model: string): JsonObject
  /** What the caller sees at the end of a whole answer, and nowhere else. */
  isWhole(text: string): boolean
}

const MESSAGES = [{ role: 'user', content: 'Hello' }]
const FORMATS: Format[] = [
  {
    protocol: 'openai-chat',
    provider: 'replay-chat',
    path: () => '/v1/chat/completions',
    body: (model) => ({ model, stream: true, max_tokens: 50, messages: MESSAGES }),
    isWhole: (text) => text.trimEnd().endsWith('data: [DONE]'),
  },
  {
    protocol: 'openai-responses',
    provider: 'replay-responses',
    path: () => '/v1/responses',
    body: (model) => ({ model, stream: true, max_output_tokens: 50, input: 'Hello' }),
    isWhole: (text) => text.includes('event: response.completed'),
  },
  {
    protocol: 'anthropic-messages',
    provider: 'anthropic',
    path: () => '/v1/messages',
    body: (model) => ({ model, stream: true, max_tokens: 50, messages: MESSAGES }),
    isWhole: (text) => text.includes('event: message_stop'),
  },
  {
    protocol: 'gemini',
    provider: 'google',
    path: (model) => `/v1beta/models/${model}:streamGenerateContent?alt=sse`,
    body: () => ({
      generationConfig: { maxOutputTokens: 50 },
      contents: [{ role: 'user', parts: [{ text: 'Hello' }] }],
    }),
    isWhole: (text) => /"finishReason":\s*"STOP"/.test(text) && !text.includes('"error"'),
  },
]

let site: Site
beforeAll(async () => {
  site = await startSite(['replay-chat', 'replay-responses', 'anthropic', 'google'], 3)
})
afterAll(() => site.close())

const settled = async (): Promise<number> => {
  const { settled_usd } = await eventually(async () => {
    const credits = await creditsOf(site)
    return credits.held_usd === '0.000000000' ? credits : undefined
  })
  return Math.round(Number(settled_usd) * 1e9)
}

/** What the call cost, in nano-USD, when everything is over. */
async function costOf(act: () => Promise<unknown>): Promise<number> {
  const before = await settled()
  await act()
  return (await settled()) - before
}

describe.each(FORMATS)('a stream of $protocol', ({ protocol, provider, path, body, isWhole }) => {
  const model = modelOf(provider, 'm')
  const stream = Buffer.from(eventsFor(protocol, TEXT).join(''))
  const serve = (answer: Buffer | string, send?: Served['send']) =>
    site.lane(provider).serve({
      status: 200,
      content_type: 'text/event-stream',
      body: answer.toString(),
      ...(send && { send }),
    })
  const ask = () => site.ask(path(model), body(model))

  it('that the provider cuts anywhere is whole and charged, or neither', { timeout: 60_000 }, async () => {
    serve(stream)
    const whole = await costOf(async () => expect(isWhole((await ask()).text)).toBe(true))
    expect(whole).toBeGreaterThan(0)
    for (let offset = 1; offset < stream.length; offset += STEP) {
      const drops = offset % 2 === 0
      serve('', async (response) => {
        response.write(stream.subarray(0, offset))
        if (drops) response.destroy()
        else response.end()
      })
      let text = ''
      const cost = await costOf(async () => {
        text = (await ask().catch(() => ({ text: '' }))).text
      })
      // Cut between its finish and its usage it is whole all the same, and its tokens are counted.
      expect([offset, cost > 0]).toEqual([offset, isWhole(text)])
    }
  })

  it('is read alike wherever it is cut in two, and is not complete before its end', () => {
    const { tap } = frontOf(protocol)
    if (!tap) throw new Error(`${protocol} passes nothing through.`)
    const read = (pieces: Uint8Array[]) => {
      const reading = tap({ ...body(model), stream: true }, 'The provider')
      for (const piece of pieces) reading.push(piece)
      return reading.finish()
    }
    const whole = read([stream])
    expect(whole).toMatchObject({ complete: true, has_output: true })
    const completes_at = stream.findIndex((_, offset) => read([stream.subarray(0, offset)]).complete)
    for (let offset = 0; offset <= stream.length; offset++) {
      expect(read([stream.subarray(0, offset), stream.subarray(offset)])).toEqual(whole)
      // From one byte on it is complete, and never before.
      const part = read([stream.subarray(0, offset)])
      expect([offset, part.complete]).toEqual([
        offset,
        (completes_at >= 0 && offset >= completes_at) || offset === stream.length,
      ])
    }
  })

  it('whose caller hangs up anywhere costs the whole answer or nothing', { timeout: 60_000 }, async () => {
    serve(stream)
    const whole = await costOf(ask)
    const costs = new Set<number>()
    for (let offset = 0; offset < stream.length; offset += STEP * 2) {
      const cost = await costOf(() => hangUpAfter(offset, path(model), body(model)))
      expect([0, whole]).toContain(cost)
      // Something was delivered: it is never free.
      if (offset > 0) expect(cost).toBe(whole)
      costs.add(cost)
    }
    expect(costs).toContain(whole)
  })

  const USAGES: [string, (text: string) => string][] = [
    ['none', (text) => text.replace(/"(usage|usageMetadata)":\{[^{}]*(\{[^{}]*\}[^{}]*)*\}/g, '"other":{}')],
    ['negative', withNumbers('-10')],
    ['absurdly large', withNumbers('1e300')],
    ['larger than was held for', withNumbers('900000000')],
    ['fractions', withNumbers('1.5')],
    ['text', withNumbers('"many"')],
    ['nothing', withNumbers('null')],
    ['lists', withNumbers('[1,2]')],
  ]
  it.each(USAGES)('whose usage says %s costs no more than was held, once', async (_what, spoil) => {
    serve(spoil(stream.toString()))
    let text = ''
    const cost = await costOf(async () => {
      text = (await ask()).text
    })
    const { data } = (await (await get(site, '/jobs?limit=1')).json()) as { data: { billing: { hold_usd: string } }[] }
    expect(cost).toBeGreaterThanOrEqual(0)
    expect(cost).toBeLessThanOrEqual(Math.round(Number(data[0]?.billing.hold_usd) * 1e9))
    // It may be refused as no answer at all; then it is free.
    if (!isWhole(text)) expect(cost).toBe(0)
  })

  it('whose usage is told twice costs as much as one that tells it once', async () => {
    serve(stream)
    const whole = await costOf(ask)
    const events = eventsFor(protocol, TEXT)
    const twice = events.flatMap((event) => (/"(usage|usageMetadata)":\{/.test(event) ? [event, event] : [event]))
    // A beginning or an end that comes twice is another matter.
    if (protocol === 'openai-chat' || protocol === 'gemini') {
      serve(twice.join(''))
      expect(await costOf(ask)).toBe(whole)
    }
  })
})

/** Every count of tokens in a stream replaced by this. */
function withNumbers(value: string): (text: string) => string {
  const counts = /"(\w*tokens|\w*TokenCount)":\d+/g
  return (text) => text.replace(counts, (_, name: string) => `"${name}":${value}`)
}

/** Reads so many bytes of the answer's body, and then drops the connection. */
function hangUpAfter(bytes: number, path: string, body: JsonObject): Promise<void> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(site.url)
    const headers = { authorization: `Bearer ${site.api_key}`, 'content-type': 'application/json' }
    const call = httpRequest({ hostname, port, path, method: 'POST', headers }, (response) => {
      let read = 0
      const leave = () => {
        call.destroy()
        resolve()
      }
      if (bytes === 0) return leave()
      response.on('data', (chunk: Buffer) => {
        read += chunk.length
        if (read >= bytes) leave()
      })
      response.on('end', () => resolve())
      response.on('error', () => resolve())
    })
    call.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? resolve() : reject(error)))
    call.end(JSON.stringify(body))
  })
}
