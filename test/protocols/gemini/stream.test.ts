// Streams of generateContent: passed through byte for byte but for the end, read as events, and written from events.
import { describe, expect, it } from 'vitest'
import type { ChatEvent, Usage } from '../../../src/contract.ts'
import { collect, readAnswer, readStream } from '../../../src/protocols/gemini/answer.ts'
import { ChunkEncoder } from '../../../src/protocols/gemini/chunks.ts'
import { geminiEvents } from '../../../src/protocols/gemini/events.ts'
import { GeminiTap } from '../../../src/protocols/gemini/tap.ts'
import { readUsage, writeUsage } from '../../../src/protocols/gemini/usage.ts'
import { readEvents } from '../../../src/protocols/sse.ts'
import { chunk, STREAM, USAGE } from '../../fixtures/google.ts'

const counted: Usage = { meters: { input_tokens: 3, output_tokens: 2 }, source: 'counted' }

function pass(stream: string, piece_bytes: number) {
  const tap = new GeminiTap('Google')
  const sent: Uint8Array[] = []
  const bytes = Buffer.from(stream)
  for (let at = 0; at < bytes.length; at += piece_bytes) {
    sent.push(tap.push(bytes.subarray(at, at + piece_bytes)) ?? Buffer.alloc(0))
  }
  return { tap, sent: Buffer.concat(sent).toString(), end: tap.finish() }
}

async function* bytesOf(text: string) {
  yield Buffer.from(text)
}
async function* list(events: ChatEvent[]) {
  yield* events
}
const eventsOf = (stream: string, one_call = false) =>
  Array.fromAsync(geminiEvents(bytesOf(stream), 'Google', { input_bytes: 8, one_call }))
const head = { id: '01J', created: 1, model: 'google/m' }

describe('passing through', () => {
  it.each([1, 7, 64, 10_000])(
    'sends the bytes on as they came, however they were cut (%i), and holds the last chunk',
    (size) => {
      const { tap, sent, end } = pass(STREAM, size)
      const last = chunk([{ text: '!' }], 'STOP')
      expect(sent + last).toBe(STREAM)
      expect(end).toMatchObject({ complete: true, has_output: true, output_bytes: 12 + 26 })
      expect(end.usage).toMatchObject({ meters: { input_tokens: 8, cached_input_tokens: 4, output_tokens: 12 } })
      const tail = Buffer.from(tap.tail('0.000000012', counted)).toString()
      expect(tail).toContain('"cost":0.000000012}')
      expect(JSON.parse(tail.slice(6))).toMatchObject({
        ...JSON.parse(last.slice(6)),
        usageMetadata: { ...USAGE, cost: 1.2e-8 },
      })
      expect(tap.answer()).toMatchObject({
        candidates: [
          {
            content: {
              parts: [{ text: 'Let me see.', thought: true }, { text: 'Hello there, "dear" wörld!' }],
              role: 'model',
            },
            finishReason: 'STOP',
          },
        ],
      })
    },
  )

  it('lets go of a chunk that was not the last', () => {
    const { sent, end } = pass(STREAM + chunk([], undefined, { extra: 1 }), 100)
    expect(sent).toBe(STREAM)
    expect(end.complete).toBe(true)
  })

  it('waits for the finish of every candidate', () => {
    const two = (index: number, finishReason?: string) =>
      `data: ${JSON.stringify({ candidates: [{ index, content: { parts: [{ text: 'a' }] }, finishReason }] })}\n\n`
    expect(pass(two(0) + two(1) + two(0, 'STOP'), 50).end.complete).toBe(false)
    expect(pass(two(0) + two(1) + two(0, 'STOP') + two(1, 'MAX_TOKENS'), 50).end.complete).toBe(true)
  })

  it('calls a stream that was cut incomplete, and counts a last event that lacks only its blank line', () => {
    expect(pass(STREAM.slice(0, -60), 30).end.complete).toBe(false)
    expect(pass(STREAM.trimEnd(), 30).end.complete).toBe(true)
  })

  it('stops at an error told in the stream, and at what is not JSON', () => {
    const error = { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' }
    const broken = pass(`${chunk([{ text: 'a' }])}data: ${JSON.stringify({ error })}\r\n\r\n`, 20)
    expect(broken.end).toMatchObject({ complete: false, error: { kind: 'overloaded' }, has_output: true })
    expect(pass('data: <html>\n\n', 20).end.error).toMatchObject({ kind: 'bad_response' })
  })

  it('takes a blocked prompt for a whole answer without output', () => {
    const { tap, sent, end } = pass(
      'data: {"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}\n\n',
      9,
    )
    expect(sent).toBe('')
    expect(end).toMatchObject({ complete: true, has_output: false })
    expect(Buffer.from(tap.tail('0', counted)).toString()).toContain('"blockReason":"SAFETY"')
    expect(readAnswer({ promptFeedback: { blockReason: 'SAFETY' } })).toMatchObject({
      complete: true,
      has_output: false,
    })
  })
})

describe('as events', () => {
  it('tells thoughts, text, calls with Google’s signature, the end and the usage', async () => {
    const call = { functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 'sig' }
    const events = await eventsOf(
      chunk([{ text: 'hm', thought: true }, { text: 'so' }]) +
        chunk([call, { functionCall: { id: 'c2', name: 'g' } }], 'STOP'),
    )
    expect(events).toEqual([
      { type: 'reasoning', choice: 0, text: 'hm' },
      { type: 'text', choice: 0, text: 'so' },
      {
        type: 'tool_call',
        choice: 0,
        index: 0,
        call: {
          id: expect.stringMatching(/^call_\w{32}$/),
          kind: 'function',
          name: 'f',
          arguments: '{"a":1}',
          signature: 'google:sig',
        },
      },
      { type: 'tool_call', choice: 0, index: 1, call: { id: 'c2', kind: 'function', name: 'g', arguments: '{}' } },
      { type: 'finish', choice: 0, reason: 'tool_calls' },
      { type: 'usage', usage: expect.objectContaining({ source: 'reported' }) },
    ])
  })

  it('hands on one call alone where the caller wants no parallel ones', async () => {
    const calls = [{ functionCall: { name: 'f' } }, { functionCall: { name: 'g' } }]
    const events = await eventsOf(chunk(calls, 'STOP'), true)
    expect(events.filter(({ type }) => type === 'tool_call')).toHaveLength(1)
  })

  it.each([
    ['STOP', 'stop'],
    ['MAX_TOKENS', 'length'],
    ['SAFETY', 'content_filter'],
    ['RECITATION', 'content_filter'],
    ['PROHIBITED_CONTENT', 'content_filter'],
    ['SOMETHING_NEW', 'stop'],
  ])('reads the end %s as %s', async (reason, expected) => {
    expect(await eventsOf(chunk([{ text: 'a' }], reason))).toContainEqual({
      type: 'finish',
      choice: 0,
      reason: expected,
    })
  })

  it.each([
    ['what the model wrote wrongly', chunk([], 'MALFORMED_FUNCTION_CALL'), 'unavailable'],
    ['a blocked prompt', 'data: {"promptFeedback":{"blockReason":"JAILBREAK"}}\n\n', 'content_policy'],
    ['an error', 'data: {"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}\n\n', 'rate_limit'],
    ['a stream that was cut', chunk([{ text: 'a' }]), 'bad_response'],
    ['no stream at all', '', 'bad_response'],
  ])('throws for %s', async (_what, stream, kind) => {
    await expect(eventsOf(stream)).rejects.toMatchObject({ kind })
  })

  it('finds places of citations in characters, which Google counts in bytes', async () => {
    const groundingMetadata = {
      webSearchQueries: ['a', 'b'],
      groundingChunks: [{ web: { uri: 'https://x.test', title: 'X' } }],
      groundingSupports: [{ segment: { startIndex: 3, endIndex: 7, text: 'wör' }, groundingChunkIndices: [0] }],
    }
    const candidates = [{ content: { parts: [{ text: 'ö wör' }] }, finishReason: 'STOP', groundingMetadata }]
    const events = await eventsOf(
      `data: ${JSON.stringify({ candidates, usageMetadata: USAGE, modelVersion: 'gemini-3.5-flash' })}\n\n`,
    )
    expect(events).toContainEqual({
      type: 'citation',
      choice: 0,
      citation: expect.objectContaining({ url: 'https://x.test', title: 'X', text: 'wör', start: 2, end: 5 }),
    })
    expect(events.at(-1)).toMatchObject({ usage: { meters: { web_searches: 2 } } })
  })
})

describe('from events', () => {
  const events: ChatEvent[] = [
    { type: 'reasoning', choice: 0, text: 'h' },
    { type: 'reasoning', choice: 0, text: 'm', signature: 'google:s' },
    { type: 'text', choice: 0, text: 'Hel' },
    { type: 'text', choice: 0, text: 'lo' },
    { type: 'tool_call', choice: 0, index: 0, call: { id: 'c', kind: 'function', name: 'f', arguments: '{"a"' } },
    { type: 'tool_call', choice: 0, index: 0, call: { arguments: ':1}' } },
    { type: 'image', choice: 0, image: { type: 'bytes', data: Buffer.from('png'), media_type: 'image/png' } },
    { type: 'citation', choice: 0, citation: { url: 'https://x.test', start: 0, end: 2 } },
    { type: 'finish', choice: 0, reason: 'tool_calls' },
    {
      type: 'usage',
      usage: { meters: { input_tokens: 8, cached_input_tokens: 4, output_tokens: 12 }, source: 'reported' },
    },
  ]
  const parts = [
    { text: 'hm', thought: true, thoughtSignature: 's' },
    { text: 'Hello' },
    { inlineData: { mimeType: 'image/png', data: 'cG5n' } },
    { functionCall: { id: 'c', name: 'f', args: { a: 1 } } },
  ]

  it('writes chunks that a reader puts together to the whole answer', async () => {
    const encoder = new ChunkEncoder(head)
    const written = events.map((event) => encoder.encode(event)).join('') + encoder.tail(counted, '0.000000004')
    expect(written).toMatch(/"cost":0.000000004}.*\r\n\r\n$/)
    const { usageMetadata, ...answer } = readStream(Buffer.from(written))
    const { answer: whole, end } = await collect(list(events), head)
    expect(answer).toEqual(whole)
    expect(usageMetadata).toEqual({ promptTokenCount: 3, candidatesTokenCount: 2, totalTokenCount: 5, cost: 4e-9 })
    expect(encoder.answer()).toEqual(whole)
    expect(whole).toEqual({
      candidates: [
        {
          content: { parts, role: 'model' },
          finishReason: 'STOP',
          citationMetadata: { citations: [{ uri: 'https://x.test', startIndex: 0, endIndex: 2 }] },
          index: 0,
        },
      ],
      modelVersion: 'google/m',
      responseId: '01J',
    })
    expect(end).toMatchObject({ complete: true, has_output: true })
  })

  it('writes a call when it is whole, and each chunk as Google’s clients expect it', () => {
    const encoder = new ChunkEncoder(head)
    const chunks = events.flatMap((event) => readEvents(encoder.encode(event)))
    expect(chunks.map(({ data }) => JSON.parse(data).candidates[0].content.parts)).toEqual([
      [{ text: 'h', thought: true }],
      [{ text: 'm', thought: true, thoughtSignature: 's' }],
      [{ text: 'Hel' }],
      [{ text: 'lo' }],
      [parts[2]],
      [parts[3]],
    ])
  })

  it('leaves out a call that the limit cut, and refuses one that is simply broken', async () => {
    const cut = (reason: 'length' | 'tool_calls'): ChatEvent[] => [
      { type: 'tool_call', choice: 0, index: 0, call: { name: 'f', arguments: '{"a":' } },
      { type: 'finish', choice: 0, reason },
    ]
    expect((await collect(list(cut('length')), head)).answer).toMatchObject({
      candidates: [{ content: { parts: [] }, finishReason: 'MAX_TOKENS' }],
    })
    await expect(collect(list(cut('tool_calls')), head)).rejects.toMatchObject({ kind: 'bad_response' })
  })
})

describe('usage', () => {
  it('is disjoint: what was cached is not fresh, thoughts are output, sound and pictures are their own', () => {
    expect(
      readUsage({
        promptTokenCount: 17713,
        cachedContentTokenCount: 17379,
        cacheTokensDetails: [
          { modality: 'AUDIO', tokenCount: 1881 },
          { modality: 'TEXT', tokenCount: 15 },
          { modality: 'VIDEO', tokenCount: 15483 },
        ],
        promptTokensDetails: [
          { modality: 'TEXT', tokenCount: 16 },
          { modality: 'VIDEO', tokenCount: 15780 },
          { modality: 'AUDIO', tokenCount: 1917 },
        ],
        candidatesTokenCount: 68,
        thoughtsTokenCount: 821,
        toolUsePromptTokenCount: 10,
      })?.meters,
    ).toEqual({
      input_tokens: 298 + 10,
      cached_input_tokens: 15498,
      input_audio_tokens: 36,
      cached_input_audio_tokens: 1881,
      output_tokens: 889,
    })
  })

  it('tells pictures that were drawn from what was said about them', () => {
    const candidatesTokensDetails = [{ modality: 'IMAGE', tokenCount: 1290 }]
    expect(readUsage({ promptTokenCount: 17, candidatesTokenCount: 1336, candidatesTokensDetails })?.meters).toEqual({
      input_tokens: 17,
      output_tokens: 46,
      output_image_tokens: 1290,
    })
  })

  it('is none where there is none or it makes no sense', () => {
    for (const raw of [undefined, {}, { promptTokenCount: -1 }, { promptTokenCount: 1.5 }]) {
      expect(readUsage(raw)).toBeUndefined()
    }
  })

  it('is written in Google’s words whatever it was read from', () => {
    const raw = { completion_tokens_details: { reasoning_tokens: 5 } }
    const usage: Usage = {
      meters: { input_tokens: 8, cached_input_tokens: 4, output_tokens: 12 },
      source: 'reported',
      raw,
    }
    expect(writeUsage(usage)).toEqual({
      promptTokenCount: 12,
      cachedContentTokenCount: 4,
      candidatesTokenCount: 7,
      thoughtsTokenCount: 5,
      totalTokenCount: 24,
    })
  })
})
