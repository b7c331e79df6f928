// Streams under stress, read by the official SDKs in every format, passed through and translated: what a network may do to
// a stream changes nothing, and what breaks off never looks like an end, and is free.
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Protocol } from '../../src/contract.ts'
import { creditsOf } from '../support/client.ts'
import { byteByByte, crlf, dropped, errorIn, eventsFor, halfOf, WORDS, withComments } from './hostile.ts'
import { modelOf, type Served, type Site, startSite } from './site.ts'

type Reader = (site: Site, model: string) => Promise<string>

const READERS: Record<Protocol, Reader> = {
  'openai-chat': async ({ base_url, api_key }, model) => {
    const client = new OpenAI({ baseURL: base_url, apiKey: api_key, maxRetries: 0 })
    const messages = [{ role: 'user' as const, content: 'Hello' }]
    let text = ''
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? ''
    }
    return text
  },
  'openai-responses': async ({ base_url, api_key }, model) => {
    const client = new OpenAI({ baseURL: base_url, apiKey: api_key, maxRetries: 0 })
    let text = ''
    for await (const event of await client.responses.create({ model, input: 'Hello', stream: true })) {
      if (event.type === 'response.output_text.delta') text += event.delta
    }
    return text
  },
  'anthropic-messages': async ({ url, api_key }, model) => {
    const client = new Anthropic({ baseURL: url, apiKey: api_key, maxRetries: 0 })
    const messages = [{ role: 'user' as const, content: 'Hello' }]
    return client.messages.stream({ model, max_tokens: 1000, messages }).finalText()
  },
  gemini: async ({ url, api_key }, model) => {
    const client = new GoogleGenAI({ apiKey: api_key, httpOptions: { baseUrl: url } })
    let text = ''
    for await (const chunk of await client.models.generateContentStream({ model, contents: 'Hello' })) {
      text += chunk.text ?? ''
    }
    return text
  },
}

/** Callers' formats with providers of the same and of another one. */
const PAIRS: [Protocol, Protocol, string][] = [
  ['openai-chat', 'openai-chat', 'replay-chat'],
  ['openai-chat', 'anthropic-messages', 'anthropic'],
  ['openai-responses', 'openai-responses', 'replay-responses'],
  ['openai-responses', 'gemini', 'google'],
  ['anthropic-messages', 'anthropic-messages', 'anthropic'],
  ['anthropic-messages', 'openai-chat', 'replay-chat'],
  ['gemini', 'gemini', 'google'],
  ['gemini', 'openai-responses', 'replay-responses'],
]

const TEN_MB = 10 * 2 ** 20

let site: Site
beforeAll(async () => {
  site = await startSite(['replay-chat', 'replay-responses', 'anthropic', 'google'], 1)
})
afterAll(() => site.close())

describe.each(PAIRS)('a caller of %s, a provider of %s', (format, protocol, provider) => {
  const events = (text = WORDS) => eventsFor(protocol, text)
  function read(body: string, send?: Served['send']): Promise<string> {
    site.lane(provider).serve({ status: 200, content_type: 'text/event-stream', body, ...(send && { send }) })
    return READERS[format](site, modelOf(provider, 'm'))
  }

  it('reads text whose every byte comes alone', async () => {
    const stream = events().join('')
    expect(await read('', (response) => byteByByte(response, stream))).toBe(WORDS)
  })

  it('reads a stream whose lines end with CR LF, byte by byte too', async () => {
    const stream = crlf(events().join(''))
    expect(await read(stream)).toBe(WORDS)
    expect(await read('', (response) => byteByByte(response, stream))).toBe(WORDS)
  })

  it('reads on over comments and keep-alives', async () => {
    expect(await read(withComments(events()))).toBe(WORDS)
  })

  it('reads a line of ten megabytes', async () => {
    const text = `${WORDS}${'ab cd 世 '.repeat(TEN_MB / 10)}`
    expect((await read(events(text).join(''))) === text).toBe(true)
  })

  const broken: [string, () => Promise<string>][] = [
    ['tells of an error in the middle', () => read([...halfOf(events()), errorIn(protocol)].join(''))],
    ['ends without its end', () => read(halfOf(events()).join(''))],
    ['is cut within an event', () => read(halfOf(events()).join('').slice(0, -9))],
    ['drops the connection', () => read('', (response) => dropped(response, halfOf(events()).join('')))],
  ]
  it.each(broken)('fails, and pays nothing, where the provider %s', async (_what, run) => {
    const before = await creditsOf(site)
    await expect(run()).rejects.toThrow()
    expect(await creditsOf(site)).toMatchObject({ held_usd: '0.000000000', settled_usd: before.settled_usd })
  })
})
