// The connection to a server of OpenAI's chat format, against a real one on loopback.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Call, ChatEvent, ChatRequest } from '../../../src/contract.ts'
import { type ChatQuirks, openaiChat, outputLimitField } from '../../../src/protocols/openai-chat/provider.ts'
import { makeProviderFetch, readBody } from '../../../src/protocols/transport.ts'
import { json, Stub, sse } from '../../providers/stub.ts'

let stub: Stub
let fetch: ReturnType<typeof makeProviderFetch>
beforeEach(async () => {
  stub = await new Stub().start()
  fetch = makeProviderFetch({ provider: 'Acme' })
})
afterEach(async () => {
  await stub.stop()
  await fetch.close()
})

const connect = (quirks: ChatQuirks = {}) =>
  openaiChat({ provider: 'Acme', base_url: `${stub.url}/v1/`, api_key: 'sk-hush', fetch, quirks })
const call = (upstream = 'm-1'): Call => ({
  job: 'job_1',
  upstream,
  options: {},
  signal: new AbortController().signal,
  log: { debug: () => {}, warn: () => {} },
})
const sent = () => JSON.parse(String(stub.seen.at(-1)?.body))
const request: ChatRequest = {
  model: 'acme/m',
  messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
  max_output_tokens: 7,
}
const chunk = (delta: object, finish_reason: string | null = null, more: object = {}) =>
  `data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta, finish_reason }], ...more })}\n\n`

describe('forward', () => {
  it('sends the body as it is, with our key and the job as idempotency key', async () => {
    stub.answer = json({ id: 'x' })
    const body = { model: 'm-1', messages: [], unknown: [1.5], max_tokens: 5 }
    const answer = await connect().forward?.(body, call())
    expect(String(answer && (await readBody(answer, 100)))).toBe('{"id":"x"}')
    expect(String(stub.seen[0]?.body)).toBe(JSON.stringify(body))
    expect(stub.seen[0]).toMatchObject({
      path: '/v1/chat/completions',
      headers: { authorization: 'Bearer sk-hush', 'idempotency-key': 'job_1', 'content-type': 'application/json' },
    })
  })

  it('puts the output limit into the field that the model takes', async () => {
    stub.answer = json({})
    await connect().forward?.({ max_completion_tokens: 9 }, call('llama-4'))
    expect(sent()).toEqual({ max_tokens: 9 })
    await connect().forward?.({ max_tokens: 9 }, call('gpt-5.5'))
    expect(sent()).toEqual({ max_completion_tokens: 9 })
    await connect({ stream_options: false }).forward?.(
      { max_tokens: 8, stream: true, stream_options: { include_usage: true } },
      call(),
    )
    expect(sent()).toEqual({ max_tokens: 8, stream: true })
    expect(['gpt-5.5', 'o3-mini', 'gpt-6.1-sol', 'gpt-4o', 'llama'].map(outputLimitField)).toEqual([
      ...Array(3).fill('max_completion_tokens'),
      ...Array(2).fill('max_tokens'),
    ])
  })

  it('throws what a refusal means', async () => {
    stub.answer = json({ error: { message: 'no sk-abcdef123456', code: 'context_length_exceeded' } }, 400)
    await expect(connect().forward?.({}, call())).rejects.toMatchObject({
      kind: 'invalid_request',
      message: 'no [key]',
    })
  })
})

describe('stream', () => {
  const run = async (quirks?: ChatQuirks, asked = request): Promise<ChatEvent[]> =>
    Array.fromAsync(connect(quirks).stream(asked, call()))

  it('asks for usage and answers canonical events, usage last', async () => {
    const call = { index: 0, id: 'c', type: 'function', function: { name: 'f', arguments: '' } }
    stub.answer = sse(
      [
        chunk({ role: 'assistant', content: '' }),
        chunk({ reasoning_content: 'hm' }),
        chunk({ content: 'é' }),
        chunk({ tool_calls: [call] }),
        chunk({ tool_calls: [{ index: 0, function: { arguments: '{}' } }] }),
        chunk({}, 'tool_calls'),
        'data: {"id":"x","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":3}}\n\ndata: [DONE]\n\n',
      ].join(''),
      7,
    )
    expect(await run()).toEqual([
      { type: 'reasoning', choice: 0, text: 'hm' },
      { type: 'text', choice: 0, text: 'é' },
      { type: 'tool_call', choice: 0, index: 0, call: { id: 'c', name: 'f', kind: 'function' } },
      { type: 'tool_call', choice: 0, index: 0, call: { arguments: '{}' } },
      { type: 'finish', choice: 0, reason: 'tool_calls' },
      {
        type: 'usage',
        usage: expect.objectContaining({ meters: { input_tokens: 4, output_tokens: 3 }, source: 'reported' }),
      },
    ])
    expect(sent()).toEqual({
      model: 'm-1',
      messages: [{ role: 'user', content: 'hi' }],
      max_tokens: 7,
      stream: true,
      stream_options: { include_usage: true },
    })
  })

  it('counts where no usage came', async () => {
    stub.answer = sse(chunk({ content: 'x'.repeat(40) }) + chunk({}, 'stop'))
    expect((await run()).at(-1)).toMatchObject({
      type: 'usage',
      usage: { source: 'counted', meters: { output_tokens: 10 } },
    })
  })

  it('throws where the stream ends before its finish, tells an error or is not JSON', async () => {
    stub.answer = sse(chunk({ content: 'a' }))
    await expect(run()).rejects.toMatchObject({ kind: 'bad_response' })
    stub.answer = sse(`${chunk({ content: 'a' })}data: {"error":{"message":"x","code":503}}\n\n`)
    await expect(run()).rejects.toMatchObject({ kind: 'overloaded' })
    stub.answer = sse('data: <html>\n\n')
    await expect(run()).rejects.toMatchObject({ kind: 'bad_response' })
  })

  it('says in this format what the request says in the canonical one', async () => {
    stub.answer = sse(chunk({ content: 'a' }, 'stop'))
    await run(
      { developer_role: true },
      {
        model: 'acme/m',
        messages: [
          { role: 'developer', content: [{ type: 'text', text: 'brief' }] },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'look' },
              {
                type: 'image',
                image: { type: 'bytes', data: Buffer.from('png'), media_type: 'image/png' },
                detail: 'low',
              },
            ],
          },
          {
            role: 'assistant',
            content: [
              { type: 'reasoning', text: 'secret' },
              { type: 'tool_call', id: 'c1', kind: 'function', name: 'f', arguments: '{}' },
            ],
          },
          // As Anthropic's format has it: the result within the user's turn.
          {
            role: 'user',
            content: [
              { type: 'tool_result', call_id: 'c1', content: [{ type: 'text', text: 'sunny' }] },
              { type: 'text', text: 'go on' },
            ],
          },
        ],
        tools: [{ kind: 'function', name: 'f', parameters: { type: 'object' } }],
        tool_choice: { mode: 'tool', name: 'f' },
        response_format: { type: 'json' },
        reasoning: { effort: 'low' },
      },
    )
    expect(sent()).toMatchObject({
      messages: [
        { role: 'developer', content: 'brief' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'look' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,cG5n', detail: 'low' } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'sunny' },
        { role: 'user', content: 'go on' },
      ],
      tool_choice: { type: 'function', function: { name: 'f' } },
      response_format: { type: 'json_object' },
      reasoning_effort: 'low',
    })
  })

  it('refuses by name what this format cannot say', async () => {
    await expect(run({}, { ...request, top_k: 5 })).rejects.toMatchObject({
      kind: 'invalid_request',
      detail: { param: 'top_k' },
    })
    await expect(
      run({}, { ...request, tools: [{ kind: 'server', name: 'web_search', settings: {} }] }),
    ).rejects.toMatchObject({ kind: 'invalid_request' })
    expect(stub.seen).toEqual([])
  })
})
