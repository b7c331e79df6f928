// The Responses API in front of a provider that speaks it: what passes through, what is taken out and put in, which
// models of OpenAI's chat callers reach over it, and what all that costs.
import type OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { json, Stub, sse } from '../providers/stub.ts'
import { clientOf, costOf, eventually, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

const stub = new Stub()
let router: TestRouter
let client: OpenAI
beforeAll(async () => {
  await stub.start()
  router = await testRouter({ OPENAI_API_KEY: 'sk-stub', OPENAI_BASE_URL: `${stub.url}/v1` })
  client = clientOf(router)
})
beforeEach(() => {
  stub.seen.length = 0
})
afterAll(async () => {
  await router.close()
  await stub.stop()
})

const model = 'openai/gpt-5.4'
/** 900 new tokens at $2.50, 100 cached at $0.25 and 50 out at $15 a million. */
const COST = '0.003025000'
const usage = {
  input_tokens: 1000,
  input_tokens_details: { cached_tokens: 100 },
  output_tokens: 50,
  output_tokens_details: { reasoning_tokens: 20 },
  total_tokens: 1050,
}
const message = {
  id: 'msg_0a1b',
  type: 'message',
  status: 'completed',
  role: 'assistant',
  content: [{ type: 'output_text', text: 'Hello', annotations: [] }],
}
const call = {
  id: 'fc_1',
  type: 'function_call',
  status: 'completed',
  call_id: 'call_1',
  name: 'f',
  arguments: '{"a":1}',
}
const thought = {
  id: 'rs_1',
  type: 'reasoning',
  summary: [{ type: 'summary_text', text: 'Hm.' }],
  encrypted_content: 'gAAA',
}
const response = (more: object = {}) => ({
  id: 'resp_0a1b2c',
  object: 'response',
  created_at: 1795000000,
  status: 'completed',
  model: 'gpt-5.4-2026-03-05',
  previous_response_id: null,
  output: [message],
  future_field: { kept: true },
  usage,
  ...more,
})
const sent = () => JSON.parse(stub.seen.at(-1)?.body.toString() ?? '{}')

/** A stream of the provider's own, numbered. */
function streamOf(...events: Record<string, unknown>[]): string {
  return events
    .map((event, sequence_number) => `event: ${event.type}\ndata: ${JSON.stringify({ ...event, sequence_number })}\n\n`)
    .join('')
}
const opening = [{ type: 'response.created', response: response({ status: 'in_progress', output: [], usage: null }) }]
const textStream = (end: object = {}) =>
  streamOf(
    ...opening,
    { type: 'response.output_item.added', output_index: 0, item: { ...message, status: 'in_progress', content: [] } },
    { type: 'response.output_text.delta', item_id: 'msg_0a1b', output_index: 0, content_index: 0, delta: 'Hello' },
    { type: 'response.future_event', anything: [1] },
    { type: 'response.output_item.done', output_index: 0, item: message },
    { type: 'response.completed', response: response(), ...end },
  )

describe('an answer that passes through', () => {
  it('is the provider’s own, with the cost in its usage', async () => {
    stub.answer = json(response({ usage: { ...usage, cost: 7 } }))
    const spent = await costOf(router, async () => {
      const answer = await post(router, '/responses', { model, input: 'Hi', future: 1, max_cost_usd: '1' })
      expect(answer.headers.get('x-cost-usd')).toBe(COST)
      expect(await answer.json()).toEqual(response({ usage: { ...usage, cost: 0.003025 } }))
    })
    expect(spent).toBe(COST)
    expect(stub.seen[0]?.path).toBe('/v1/responses')
    expect(sent()).toEqual({ model: 'gpt-5.4', input: 'Hi', future: 1, max_output_tokens: 16_384 })
  })

  it('streams event by event as it came, whatever the events, and its end with the cost', async () => {
    stub.answer = sse(textStream(), 7)
    const spent = await costOf(router, async () => {
      const answer = await post(router, '/responses', { model, input: 'Hi', stream: true })
      const cost = JSON.stringify({ ...usage, cost: 0.003025 })
      const at = textStream().lastIndexOf(JSON.stringify(usage))
      const expected = textStream().slice(0, at) + cost + textStream().slice(at + JSON.stringify(usage).length)
      expect(await answer.text()).toBe(expected)
    })
    expect(spent).toBe(COST)
  })

  it('is found by the provider’s id, and gone on from without telling the provider of it', async () => {
    stub.answer = json(response({ output: [thought, message] }))
    await client.responses.create({ model, input: 'Hi' })
    expect((await client.responses.retrieve('resp_0a1b2c')).output_text).toBe('Hello')
    stub.answer = json(response({ id: 'resp_second' }))
    const second = await client.responses.create({ model, input: 'More', previous_response_id: 'resp_0a1b2c' })
    expect(second).toMatchObject({ id: 'resp_second', previous_response_id: 'resp_0a1b2c' })
    expect(sent().previous_response_id).toBeUndefined()
    expect(sent().input).toEqual([
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hi' }] },
      thought,
      message,
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'More' }] },
    ])
  })

  it('takes no ids of the router’s own to the provider when a conversation moves there', async () => {
    const first = await client.responses.create({ model: 'sandbox/chat', input: 'Hi' })
    stub.answer = json(response())
    await client.responses.create({ model, input: 'More', previous_response_id: first.id })
    expect(sent().input[1]).toMatchObject({ type: 'message', role: 'assistant' })
    expect(sent().input[1].id).toBeUndefined()
  })

  it('in the background has the id by which its caller knows it', async () => {
    stub.answer = sse(textStream(), 40)
    const stream = await client.responses.create({ model, input: 'Hi', background: true, stream: true })
    const events = await Array.fromAsync(stream)
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
    const last = events.at(-1)
    if (last?.type !== 'response.completed') throw new Error('It did not complete.')
    expect(last.response).toMatchObject({ background: true, usage: { cost: 0.003025 } })
    expect(last.response.id).toMatch(/^resp_[0-9A-Z]{26}$/)
    expect(sent()).not.toHaveProperty('background')
    const rest = await client.responses.retrieve(last.response.id, { stream: true, starting_after: 3 })
    expect(await Array.fromAsync(rest)).toEqual(events.slice(4))
  })

  it('is found by the provider’s id while it still comes, and read on', async () => {
    const whole = textStream()
    const half = whole.indexOf('event: response.output_item.done')
    let release = () => {}
    stub.answer = async (answer) => {
      answer.writeHead(200, { 'content-type': 'text/event-stream' })
      answer.write(whole.slice(0, half).replaceAll('resp_0a1b2c', 'resp_0a1b2d'))
      await new Promise<void>((resolve) => {
        release = resolve
      })
      answer.end(whole.slice(half).replaceAll('resp_0a1b2c', 'resp_0a1b2d'))
    }
    const first = await client.responses.create({ model, input: 'Hi', stream: true })
    for await (const event of first) if (event.type === 'response.output_text.delta') break
    const again = await eventually(() =>
      client.responses.retrieve('resp_0a1b2d', { stream: true, starting_after: 1 }).catch(() => undefined),
    )
    release()
    const types = (await Array.fromAsync(again)).map(({ type, sequence_number }) => [sequence_number, type])
    expect(types).toEqual([
      [2, 'response.output_text.delta'],
      [3, 'response.future_event'],
      [4, 'response.output_item.done'],
      [5, 'response.completed'],
    ])
  })

  it.each([
    [
      'is told to have failed',
      streamOf(...opening, {
        type: 'response.failed',
        response: response({ status: 'failed', error: { code: 'server_error', message: 'no' } }),
      }),
    ],
    ['breaks off', textStream().slice(0, textStream().indexOf('event: response.completed'))],
    ['is broken', `${streamOf(...opening)}data: {"type":\n\n`],
  ])('costs nothing when it %s, and the SDK throws', async (_how, text) => {
    stub.answer = sse(text)
    const spent = await costOf(router, async () => {
      const read = async () => Array.fromAsync(await client.responses.create({ model, input: 'Hi', stream: true }))
      await expect(read()).rejects.toMatchObject({ code: 'provider_error' })
    })
    expect(spent).toBe('0.000000000')
  })

  it('is charged when it is incomplete', async () => {
    const cut = response({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } })
    stub.answer = sse(streamOf(...opening, { type: 'response.incomplete', response: cut }))
    const spent = await costOf(router, async () => {
      const events = await Array.fromAsync(await client.responses.create({ model, input: 'Hi', stream: true }))
      expect(events.at(-1)).toMatchObject({ type: 'response.incomplete', response: { usage: { cost: 0.003025 } } })
    })
    expect(spent).toBe(COST)
  })
})

describe('a chat with a model whose tools OpenAI serves over responses alone', () => {
  const tools = [{ type: 'function' as const, function: { name: 'f', parameters: { type: 'object' } } }]
  const messages = [{ role: 'user' as const, content: 'Hi' }]
  const toolStream = streamOf(
    ...opening,
    { type: 'response.output_item.added', output_index: 0, item: { ...call, arguments: '' } },
    { type: 'response.function_call_arguments.delta', output_index: 0, item_id: 'fc_1', delta: '{"a":1}' },
    { type: 'response.output_item.done', output_index: 0, item: call },
    { type: 'response.completed', response: response({ output: [call] }) },
  )

  it.each(['openai/gpt-6-astra', 'openai/gpt-6.1-sol'])('%s: goes there and comes back as a chat', async (name) => {
    stub.answer = sse(toolStream, 11)
    const chat = await client.chat.completions.create({ model: name, messages, tools })
    expect(stub.seen[0]?.path).toBe('/v1/responses')
    expect(sent()).toMatchObject({
      input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hi' }] }],
      tools: [{ type: 'function', name: 'f', strict: false }],
      store: false,
      stream: true,
    })
    expect(chat.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }] },
    })
    expect(chat.usage).toMatchObject({
      prompt_tokens: 1000,
      completion_tokens: 50,
      prompt_tokens_details: { cached_tokens: 100 },
    })
  })

  it('stays a chat without tools', async () => {
    stub.answer = json({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1,
      model: 'gpt-6-astra',
      choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    })
    await client.chat.completions.create({ model: 'openai/gpt-6-astra', messages })
    expect(stub.seen[0]?.path).toBe('/v1/chat/completions')
  })
})
