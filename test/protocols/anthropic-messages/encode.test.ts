// A request of another format as Anthropic is told it, on the wire of a real server.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Call, type ChatRequest, ProviderError } from '../../../src/contract.ts'
import { encodeRequest } from '../../../src/protocols/anthropic-messages/encode.ts'
import { anthropicMessages } from '../../../src/protocols/anthropic-messages/provider.ts'
import { makeProviderFetch } from '../../../src/protocols/transport.ts'
import { DELTAS, event, START, STREAM } from '../../fixtures/anthropic.ts'
import { json, Stub, sse } from '../../providers/stub.ts'

const text = (words: string) => [{ type: 'text' as const, text: words }]
const asked = (more: Partial<ChatRequest> = {}): ChatRequest => ({
  model: 'm',
  max_output_tokens: 4000,
  messages: [{ role: 'user', content: text('Hello') }],
  ...more,
})
const encoded = (more: Partial<ChatRequest> = {}, upstream = 'claude-sonnet-5') => encodeRequest(asked(more), upstream)
const find = { kind: 'function' as const, name: 'find', parameters: { type: 'object' } }

describe('a canonical request', () => {
  it('is told in turns that alternate, results first, the system apart', () => {
    const body = encoded({
      messages: [
        { role: 'system', content: text('Be brief.') },
        { role: 'developer', content: text('Be kind.') },
        { role: 'user', content: [...text('Look'), { type: 'text', text: '' }] },
        {
          role: 'assistant',
          content: [
            { type: 'reasoning', text: 'unsigned' },
            { type: 'reasoning', text: 'signed', signature: 'sig' },
            { type: 'tool_call', id: 'call.1', kind: 'function', name: 'find', arguments: '{"a":1}' },
            { type: 'tool_call', id: 'call_2', kind: 'function', name: 'find', arguments: '' },
          ],
        },
        { role: 'user', content: text('Well?') },
        { role: 'tool', content: [{ type: 'tool_result', call_id: 'call.1', content: text('one') }] },
        { role: 'tool', content: [{ type: 'tool_result', call_id: 'call_2', content: [], is_error: true }] },
        { role: 'system', content: text('Hurry.') },
      ],
    })
    expect(body.system).toEqual([
      { type: 'text', text: 'Be brief.' },
      { type: 'text', text: 'Be kind.' },
    ])
    expect(body.messages).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'Look' }] },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'signed', signature: 'sig' },
          { type: 'tool_use', id: 'call_1', name: 'find', input: { a: 1 } },
          { type: 'tool_use', id: 'call_2', name: 'find', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'call_1', content: [{ type: 'text', text: 'one' }] },
          { type: 'tool_result', tool_use_id: 'call_2', is_error: true },
          { type: 'text', text: 'Well?' },
          { type: 'text', text: '<system>Hurry.</system>' },
        ],
      },
    ])
  })

  it('begins with the user, where instructions stand alone or the assistant spoke first', () => {
    const alone = encoded({ messages: [{ role: 'system', content: text('Say hello.') }] })
    expect(alone.messages).toEqual([{ role: 'user', content: text('Say hello.') }])
    expect(alone).not.toHaveProperty('system')
    const spoken = encoded({ messages: [{ role: 'assistant', content: text('Yes?') }, ...asked().messages] })
    expect(spoken.messages).toMatchObject([{ role: 'user' }, { role: 'assistant', content: text('Yes?') }, {}])
    const nothing = () => encoded({ messages: [{ role: 'user', content: text('') }] })
    expect(nothing).toThrow(expect.objectContaining({ kind: 'invalid_request', detail: { param: 'messages' } }))
  })

  it('with a seed is refused, for answers cannot be had again', () => {
    expect(() => encoded({ seed: 1 })).toThrow(expect.objectContaining({ detail: { param: 'seed' } }))
  })

  it('brings pictures and documents, and marks what to keep', () => {
    const data = Buffer.from('hi')
    const [turn] = encoded({
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image', image: { type: 'bytes', data, media_type: 'image/png' }, detail: 'high', cache: {} },
            { type: 'image', image: { type: 'url', url: 'https://a.test/b' }, cache: { ttl: '12h' } },
            { type: 'document', document: { type: 'bytes', data, media_type: 'text/csv' }, filename: 'a.csv' },
            {
              type: 'document',
              document: { type: 'bytes', data, media_type: 'application/pdf' },
              cache: { ttl: '1h' },
            },
          ],
        },
      ],
    }).messages as { content: object[] }[]
    const base64 = { type: 'base64', data: 'aGk=' }
    expect(turn?.content).toEqual([
      { type: 'image', source: { ...base64, media_type: 'image/png' }, cache_control: { type: 'ephemeral' } },
      { type: 'image', source: { type: 'url', url: 'https://a.test/b' }, cache_control: { type: 'ephemeral' } },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'hi' }, title: 'a.csv' },
      {
        type: 'document',
        source: { ...base64, media_type: 'application/pdf' },
        cache_control: { type: 'ephemeral', ttl: '1h' },
      },
    ])
  })

  it('brings tools, choices and forms of answers', () => {
    const search = { type: 'web_search_20250305', name: 'web_search' }
    expect(
      encoded({
        tools: [find, { ...find, name: 'other' }, { kind: 'server', name: 'web_search', settings: search }],
        tool_choice: { mode: 'allowed', required: true, names: ['find', 'web_search'] },
        parallel_tool_calls: false,
        stop: ['END'],
        temperature: 0.5,
        service_tier: 'default',
        user: 'u',
        response_format: { type: 'json_schema', name: 'a', schema: { type: 'object' } },
      }),
    ).toMatchObject({
      max_tokens: 4000,
      tools: [{ name: 'find', input_schema: { type: 'object' } }, search],
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
      stop_sequences: ['END'],
      temperature: 0.5,
      service_tier: 'standard_only',
      metadata: { user_id: 'u' },
      output_config: { format: { type: 'json_schema', schema: { type: 'object' } } },
    })
    expect(encoded({ response_format: { type: 'json' } }).system).toEqual([
      { type: 'text', text: expect.stringContaining('JSON') },
    ])
    const { max_output_tokens: _, ...unlimited } = asked()
    expect(encodeRequest(unlimited, 'claude-sonnet-5').max_tokens).toBeGreaterThan(0)
  })

  it.each([
    ['claude-sonnet-5', { effort: 'low' }, { thinking: { type: 'adaptive' }, output_config: { effort: 'low' } }],
    ['claude-opus-4-8', { effort: 'minimal' }, { output_config: { effort: 'low' } }],
    ['claude-opus-4-6-20260205', { budget_tokens: 9000 }, { output_config: { effort: 'high' } }],
    ['claude-sonnet-4-5', { effort: 'medium' }, { thinking: { type: 'enabled', budget_tokens: 3999 } }],
    ['claude-haiku-4-5-20251001', { budget_tokens: 2000 }, { thinking: { type: 'enabled', budget_tokens: 2000 } }],
    ['claude-3-7-sonnet-20250219', { effort: 'low' }, { thinking: { type: 'enabled', budget_tokens: 2048 } }],
    ['claude-sonnet-5', { effort: 'none' }, { thinking: { type: 'disabled' } }],
  ])('tells %s to think by %j', (upstream, reasoning, told) => {
    expect(encoded({ reasoning }, upstream)).toMatchObject(told)
  })

  it('does not ask for thought where the API would refuse it', () => {
    const forced = { reasoning: { effort: 'high' }, tools: [find], tool_choice: { mode: 'required' as const } }
    expect(encoded(forced)).toMatchObject({ output_config: { effort: 'high' } })
    expect(encoded(forced)).not.toHaveProperty('thinking')
    expect(encoded(forced, 'claude-sonnet-4-5')).not.toHaveProperty('thinking')
    expect(encoded({ reasoning: { effort: 'high' }, max_output_tokens: 1000 }, 'claude-sonnet-4-5')).not.toHaveProperty(
      'thinking',
    )
  })

  it.each([
    [{ choices: 2 }, 'n'],
    [{ temperature: 1.2 }, 'temperature'],
    [{ presence_penalty: 1 }, 'presence_penalty'],
    [{ top_logprobs: 0 }, 'logprobs'],
    [{ modalities: ['text', 'audio'] }, 'modalities'],
    [{ service_tier: 'flex' }, 'service_tier'],
    [{ tools: [{ kind: 'custom', name: 'c' }] }, 'tools'],
    [{ tools: [{ kind: 'server', name: 'web_search', settings: { type: 'web_search' } }] }, 'tools'],
  ] as [Partial<ChatRequest>, string][])('is refused by name for what Anthropic cannot do: %j', (more, param) => {
    expect(() => encoded(more)).toThrow(ProviderError)
    try {
      encoded(more)
    } catch (error) {
      expect((error as ProviderError).detail.param).toBe(param)
      expect((error as ProviderError).kind).toBe('invalid_request')
    }
  })
})

describe('a connection', () => {
  let stub: Stub
  let fetch: ReturnType<typeof makeProviderFetch>
  beforeAll(async () => {
    stub = await new Stub().start()
    fetch = makeProviderFetch({ provider: 'Acme' })
  })
  afterAll(async () => {
    await stub.stop()
    await fetch.close()
  })
  const call: Call = {
    job: 'job_1',
    upstream: 'claude-sonnet-5',
    options: {},
    signal: new AbortController().signal,
    log: { debug: () => {}, warn: () => {} },
  }
  const connect = () => anthropicMessages({ provider: 'Acme', base_url: `${stub.url}/`, api_key: 'k', fetch })
  const run = () => Array.fromAsync(connect().stream(asked(), call))

  it('sends its own version and key, streams always, and tells what came as events', async () => {
    stub.answer = sse(STREAM, 40)
    const events = await run()
    const seen = stub.seen.at(-1)
    expect(seen).toMatchObject({ method: 'POST', path: '/v1/messages' })
    expect(seen?.headers).toMatchObject({ 'x-api-key': 'k', 'anthropic-version': '2023-06-01' })
    expect(JSON.parse(seen?.body.toString() ?? '')).toMatchObject({ stream: true, model: 'claude-sonnet-5' })
    expect(events.slice(0, -1)).toEqual([
      { type: 'text', choice: 0, text: 'Hello' },
      { type: 'text', choice: 0, text: ' there, "dear" wörld' },
      { type: 'finish', choice: 0, reason: 'stop' },
    ])
    expect(events.at(-1)).toMatchObject({
      type: 'usage',
      usage: {
        source: 'reported',
        meters: {
          input_tokens: 12,
          cached_input_tokens: 1000,
          cache_write_tokens: 100,
          cache_write_1h_tokens: 200,
          output_tokens: 40,
        },
      },
    })
  })

  it('passes on the headers of a caller, and the caller’s version instead of its own', async () => {
    stub.answer = json({ type: 'message', content: [] })
    const headers = { 'anthropic-version': '2026-10-21', 'anthropic-beta': 'a-1,b-2' }
    await connect().forward?.({ a: 1 }, { ...call, headers })
    expect(stub.seen.at(-1)?.headers).toMatchObject({ ...headers, 'x-api-key': 'k', 'idempotency-key': 'job_1' })
    expect(stub.seen.at(-1)?.body.toString()).toBe('{"a":1}')
  })

  it('counts tokens where the provider does, and says when it does not', async () => {
    stub.answer = json({ input_tokens: 2095 })
    expect(await connect().count_input?.({ model: 'm' }, call)).toBe(2095)
    expect(stub.seen.at(-1)?.path).toBe('/v1/messages/count_tokens')
    stub.answer = json({ tokens: 1 })
    await expect(connect().count_input?.({ model: 'm' }, call)).rejects.toMatchObject({ kind: 'bad_response' })
  })

  it.each([
    ['overloaded_error', 'overloaded'],
    ['rate_limit_error', 'rate_limit'],
    ['invalid_request_error', 'invalid_request'],
    ['api_error', 'unavailable'],
  ])('fails with an error that is told in the stream: %s', async (type, kind) => {
    stub.answer = sse(START + DELTAS + event('error', { error: { type, message: 'No' } }))
    await expect(run()).rejects.toMatchObject({ kind })
  })

  it('fails when the stream ends before its stop reason', async () => {
    stub.answer = sse(START + DELTAS)
    await expect(run()).rejects.toMatchObject({ kind: 'bad_response' })
  })

  it('reads tools without arguments, refusals after output, and stop sequences', async () => {
    const last = (delta: object) => event('message_delta', { delta, usage: { output_tokens: 9 } })
    const tool = { type: 'tool_use', id: 'toolu_1', name: 'now', input: {} }
    stub.answer = sse(
      START +
        event('content_block_start', { index: 0, content_block: tool }) +
        event('content_block_stop', { index: 0 }) +
        last({ stop_reason: 'tool_use' }),
    )
    expect((await run()).slice(0, 3)).toEqual([
      {
        type: 'tool_call',
        choice: 0,
        index: 0,
        call: { id: 'toolu_1', name: 'now', kind: 'function', arguments: '' },
      },
      { type: 'tool_call', choice: 0, index: 0, call: { arguments: '{}' } },
      { type: 'finish', choice: 0, reason: 'tool_calls' },
    ])
    const refused = { stop_reason: 'refusal', stop_details: { type: 'refusal', explanation: 'Not this.' } }
    stub.answer = sse(START + DELTAS + last(refused))
    expect((await run()).slice(2, 4)).toEqual([
      { type: 'refusal', choice: 0, text: 'Not this.' },
      { type: 'finish', choice: 0, reason: 'refusal' },
    ])
    stub.answer = sse(START + last(refused))
    expect((await run())[0]).toEqual({ type: 'finish', choice: 0, reason: 'refusal' })
    stub.answer = sse(START + DELTAS + last({ stop_reason: 'stop_sequence', stop_sequence: 'END' }))
    expect((await run())[2]).toEqual({ type: 'finish', choice: 0, reason: 'stop', stop_sequence: 'END' })
  })
})
