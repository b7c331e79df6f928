// Canonical events as OpenAI's answers: the official SDK must read them as its own.
import { APIError } from 'openai'
import { Stream } from 'openai/streaming'
import { describe, expect, it } from 'vitest'
import type { ChatEvent } from '../../../src/contract.ts'
import { collect, encodeAnswer, errorChunk, readAnswer, readStream } from '../../../src/protocols/openai-chat/answer.ts'
import { ChunkEncoder } from '../../../src/protocols/openai-chat/chunks.ts'

const head = { id: 'chatcmpl-1', created: 5, model: 'acme/m' }
const usage = { meters: { input_tokens: 3, output_tokens: 2 }, source: 'reported' as const }
const events: ChatEvent[] = [
  { type: 'reasoning', choice: 0, text: 'hm' },
  { type: 'text', choice: 0, text: 'Hel' },
  { type: 'text', choice: 0, text: 'lo', logprobs: { content: [{ token: 'lo', logprob: -1 }] } },
  { type: 'citation', choice: 0, citation: { url: 'https://x.test', title: 'X', start: 0, end: 5 } },
  { type: 'tool_call', choice: 0, index: 0, call: { id: 'c1', kind: 'function', name: 'f', arguments: '' } },
  { type: 'tool_call', choice: 0, index: 0, call: { arguments: '{"a":' } },
  { type: 'tool_call', choice: 0, index: 0, call: { arguments: '1}' } },
  { type: 'tool_call', choice: 0, index: 1, call: { id: 'c2', kind: 'custom', name: 'g', arguments: 'x' } },
  { type: 'tool_call', choice: 0, index: 1, call: { arguments: 'y' } },
  { type: 'text', choice: 1, text: 'other' },
  { type: 'finish', choice: 0, reason: 'tool_calls' },
  { type: 'finish', choice: 1, reason: 'length' },
  { type: 'usage', usage },
]
async function* from(list: ChatEvent[]) {
  yield* list
}
function encode(include_usage: boolean): string {
  const encoder = new ChunkEncoder(head, { include_usage })
  return events.map((event) => encoder.encodeChunk(event)).join('') + encoder.tail(usage, '0.000000005')
}
// biome-ignore lint/suspicious/noExplicitAny: chunks are looked at piece by piece
async function readWithSdk(text: string): Promise<any[]> {
  const stream = Stream.fromSSEResponse(new Response(text), new AbortController())
  return Array.fromAsync(stream)
}

describe('ChunkEncoder', () => {
  it('writes role, pieces, finish, usage and the end marker in that order', async () => {
    const chunks = await readWithSdk(encode(true))
    expect(chunks.every((chunk) => chunk.id === 'chatcmpl-1' && chunk.object === 'chat.completion.chunk')).toBe(true)
    const first = chunks.filter((chunk) => chunk.choices[0]?.index === 0).map((chunk) => chunk.choices[0])
    expect(first[0]).toEqual({
      index: 0,
      delta: { role: 'assistant', content: '' },
      logprobs: null,
      finish_reason: null,
    })
    expect(first.at(-1)).toMatchObject({ delta: {}, finish_reason: 'tool_calls' })
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 3, cost: 5e-9 } })
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true)
    expect(encode(true).endsWith('data: [DONE]\n\n')).toBe(true)
  })

  it('leaves usage out where it was not asked for', async () => {
    for (const chunk of await readWithSdk(encode(false))) expect(chunk).not.toHaveProperty('usage')
  })

  it('says the same as the collected answer', async () => {
    const { answer, ...said } = await collect(from(events), head)
    expect(said).toMatchObject({ usage, finish_reasons: ['tool_calls', 'length'], has_output: true })
    const { usage: written, ...streamed } = readStream(Buffer.from(encode(true)))
    expect(streamed).toEqual(answer)
    expect(written).toMatchObject({ prompt_tokens: 3, completion_tokens: 2 })
    expect(answer).toEqual({
      ...head,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: 'Hello',
            refusal: null,
            reasoning_content: 'hm',
            tool_calls: [
              { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
              { id: 'c2', type: 'custom', custom: { name: 'g', input: 'xy' } },
            ],
            annotations: [
              {
                type: 'url_citation',
                url_citation: { url: 'https://x.test', title: 'X', start_index: 0, end_index: 5 },
              },
            ],
          },
          logprobs: { content: [{ token: 'lo', logprob: -1 }], refusal: null },
          finish_reason: 'tool_calls',
        },
        {
          index: 1,
          message: { role: 'assistant', content: 'other', refusal: null, annotations: [] },
          logprobs: null,
          finish_reason: 'length',
        },
      ],
    })
  })
})

it('ends a broken stream with an error that the SDK throws', async () => {
  const text = errorChunk({ message: 'gone', type: 'api_error', code: 'provider_error' })
  await expect(readWithSdk(text)).rejects.toThrow(APIError)
})

describe('a whole answer that passes through', () => {
  const answer = {
    id: 'x',
    odd_field: 1,
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hé' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 2, cost: 0.5, odd: true },
  }
  it('tells its usage, its ends and its output', () => {
    expect(readAnswer(answer)).toMatchObject({
      usage: { meters: { input_tokens: 1, output_tokens: 2 } },
      finish_reasons: ['stop'],
      has_output: true,
      output_bytes: 3,
    })
    expect(readAnswer({ error: { message: 'no', code: 429 } })).toMatchObject({
      has_output: false,
      error: { kind: 'rate_limit' },
    })
  })
  it('keeps every field and gets our cost', () => {
    expect(encodeAnswer(answer, undefined, '0.000000001')).toBe(
      JSON.stringify({ ...answer, usage: { prompt_tokens: 1, completion_tokens: 2, odd: true, cost: 0 } }).replace(
        '"cost":0',
        '"cost":0.000000001',
      ),
    )
    expect(JSON.parse(encodeAnswer({ id: 'x' }, usage, '1')).usage).toMatchObject({ prompt_tokens: 3, cost: 1 })
  })
})
