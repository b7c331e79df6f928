// Anthropic's official SDK against a real router: on the sandbox, on a stand-in of Anthropic, and on one of OpenAI.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DELTA_USAGE, DELTAS, event, LAST, MESSAGE, START, STOP, STREAM, USAGE } from '../fixtures/anthropic.ts'
import { CHAT_STREAM } from '../fixtures/openai-compatible.ts'
import { json, Stub, sse } from '../providers/stub.ts'
import { clientOf, costOf, creditsOf, eventually, get } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

const stub = new Stub()
const openai = new Stub()
let router: TestRouter
let client: Anthropic
beforeAll(async () => {
  await Promise.all([stub.start(), openai.start()])
  router = await testRouter({
    ANTHROPIC_API_KEY: 'sk-ant-stub',
    ANTHROPIC_BASE_URL: stub.url,
    OPENAI_API_KEY: 'sk-stub',
    OPENAI_BASE_URL: `${openai.url}/v1`,
  })
  client = new Anthropic({ baseURL: router.url, apiKey: router.api_key, maxRetries: 0 })
})
beforeEach(() => {
  stub.seen.length = 0
})
afterAll(async () => {
  await router.close()
  await Promise.all([stub.stop(), openai.stop()])
})

/** A POST with plain fetch and the key where Anthropic's older clients put it. */
const post = (path: string, body: object, headers: Record<string, string> = {}) =>
  fetch(router.url + path, {
    method: 'POST',
    headers: { 'x-api-key': router.api_key, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

const asked = (model: string, content: Anthropic.MessageParam['content'] = 'Hello') => ({
  model,
  max_tokens: 200,
  messages: [{ role: 'user' as const, content }],
})
const costIn = (usage: object) => (usage as { cost?: number }).cost

describe('on the sandbox', () => {
  it('answers with a message that says what it cost', async () => {
    const spent = await costOf(router, async () => {
      const { data, response } = await client.messages.create(asked('sandbox/chat')).withResponse()
      expect(data).toMatchObject({
        id: expect.stringMatching(/^msg_/),
        type: 'message',
        role: 'assistant',
        model: 'sandbox/chat',
        content: [{ type: 'text', text: 'You said: Hello' }],
        stop_reason: 'end_turn',
        stop_sequence: null,
      })
      expect(response.headers.get('x-cost-usd')).toBe(costIn(data.usage)?.toFixed(9))
      expect(response.headers.get('x-job-id')).toMatch(/^job_/)
      expect(response.headers.get('request-id')).toMatch(/^req_/)
      const job = await get(router, `/jobs/${response.headers.get('x-job-id')}`)
      expect(await job.json()).toMatchObject({ status: 'completed', billing: { status: 'settled' } })
    })
    expect(Number(spent)).toBeGreaterThan(0)
  })

  it('streams the same, the cost in the last usage', async () => {
    let cost = 0
    const spent = await costOf(router, async () => {
      const stream = client.messages.stream(asked('sandbox/chat'))
      const pieces: string[] = []
      stream.on('text', (text) => pieces.push(text))
      stream.on('streamEvent', (each) => {
        if (each.type === 'message_delta') cost = costIn(each.usage) ?? 0
      })
      const message = await stream.finalMessage()
      expect(pieces.join('')).toBe('You said: Hello')
      expect(pieces.length).toBeGreaterThan(1)
      expect(message).toMatchObject({ content: [{ type: 'text', text: 'You said: Hello' }], stop_reason: 'end_turn' })
      expect(message.usage.output_tokens).toBeGreaterThan(0)
    })
    expect(spent).toBe(cost.toFixed(9))
    expect(cost).toBeGreaterThan(0)
  })

  it('calls tools, takes their results with pictures, and goes on', async () => {
    const tools = [{ name: 'weather', input_schema: { type: 'object' as const } }]
    const question = { role: 'user' as const, content: 'Well? [[tool:weather {"city":"Oslo"}]]' }
    const first = await client.messages.stream({ ...asked('sandbox/chat'), tools, messages: [question] }).finalMessage()
    expect(first.stop_reason).toBe('tool_use')
    const [use] = first.content
    if (use?.type !== 'tool_use') throw new Error('There is no tool call.')
    expect(use).toMatchObject({ name: 'weather', input: { city: 'Oslo' } })
    const picture = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='
    const source = { type: 'base64' as const, media_type: 'image/png' as const, data: picture }
    const second = await client.messages.create({
      ...asked('sandbox/chat'),
      tools,
      messages: [
        question,
        { role: 'assistant', content: first.content },
        {
          role: 'user',
          content: [
            {
              type: 'tool_result',
              tool_use_id: use.id,
              content: [
                { type: 'text', text: 'rain' },
                { type: 'image', source },
              ],
            },
          ],
        },
      ],
    })
    expect(second.stop_reason).toBe('end_turn')
    expect(second.content[0]).toMatchObject({ type: 'text', text: expect.stringContaining('rain') })
    const seen = await client.messages.create(
      asked('sandbox/chat', [
        { type: 'image', source },
        { type: 'text', text: 'What?' },
      ]),
    )
    expect(seen.content[0]).toMatchObject({ type: 'text' })
  })

  it('counts tokens here, and says so; takes HEAD; takes ?beta=true', async () => {
    const { data, response } = await client.messages
      .countTokens({ model: 'sandbox/chat', messages: [{ role: 'user', content: 'word '.repeat(100) }] })
      .withResponse()
    expect(data.input_tokens).toBeGreaterThan(100)
    expect(response.headers.get('x-token-count')).toBe('counted')
    const key = { 'x-api-key': router.api_key }
    expect((await fetch(`${router.url}/v1/messages`, { method: 'HEAD', headers: key })).status).toBe(200)
    expect((await fetch(router.url, { method: 'HEAD' })).status).toBe(200)
    const beta = await client.beta.messages.create({ ...asked('sandbox/chat'), betas: ['a-2025-01-01'] })
    expect(beta.content[0]).toMatchObject({ text: 'You said: Hello' })
  })

  it('takes the shape of what Claude Code sends', async () => {
    const response = await post('/v1/messages?beta=true', {
      ...asked('sandbox/chat', [{ type: 'text', text: 'Hi', cache_control: { type: 'ephemeral' } }]),
      system: [{ type: 'text', text: 'You are an agent.', cache_control: { type: 'ephemeral' } }],
      tools: [{ name: 'Bash', description: 'Runs', input_schema: { $schema: 'x', type: 'object', properties: {} } }],
      metadata: { user_id: '{"device_id":"8b9f"}' },
      max_tokens: 4000,
      thinking: { budget_tokens: 3999, type: 'enabled' },
      context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
      stream: true,
    })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('event: message_stop')
  })

  it('becomes a job for whoever does not wait', async () => {
    const accepted = await post('/v1/messages', asked('sandbox/chat'), { prefer: 'respond-async' })
    expect(accepted.status).toBe(202)
    const { id } = (await accepted.json()) as { id: string }
    await eventually(async () => {
      const job = (await (await get(router, `/jobs/${id}`)).json()) as { status: string }
      return job.status === 'completed' || undefined
    })
    const output = await get(router, `/jobs/${id}/outputs/0`)
    expect(await output.json()).toMatchObject({ type: 'message', content: [{ text: 'You said: Hello' }] })
  })

  it('keeps the whole message for a reader who leaves a stream, with how it ended', async () => {
    const stream = client.messages.stream(asked('sandbox/chat', 'Count to ten. [[delay:30ms]]'))
    const { response } = await stream.withResponse()
    await new Promise<void>((resolve) => stream.once('text', () => resolve()))
    stream.abort()
    await stream.done().catch(() => undefined)
    const id = response.headers.get('x-job-id')
    await eventually(async () => {
      const job = (await (await get(router, `/jobs/${id}`)).json()) as { status: string }
      return job.status === 'completed' || undefined
    })
    const message = await (await get(router, `/jobs/${id}/outputs/0`)).json()
    expect(message).toMatchObject({
      type: 'message',
      content: [{ type: 'text', text: expect.stringContaining('Count to ten.') }],
      stop_reason: 'end_turn',
      usage: { output_tokens: expect.any(Number) },
    })
  })

  it('lists models in Anthropic’s shape to its client, and in OpenAI’s to everybody else', async () => {
    const page = await client.models.list()
    expect(page.data.find(({ id }) => id === 'sandbox/chat')).toMatchObject({
      type: 'model',
      display_name: 'sandbox/chat',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      max_input_tokens: 128_000,
    })
    expect(page.hasNextPage()).toBe(false)
    expect(await client.models.retrieve('sandbox/chat')).toMatchObject({ type: 'model', id: 'sandbox/chat' })
    expect(await (await get(router, '/models')).json()).toMatchObject({ object: 'list' })
  })
})

describe('errors', () => {
  it.each([
    [
      'a wrong key',
      () => new Anthropic({ baseURL: router.url, apiKey: 'no', maxRetries: 0 }).messages.create(asked('sandbox/chat')),
      Anthropic.AuthenticationError,
      'authentication_error',
    ],
    ['a wrong model', () => client.messages.create(asked('claude-none')), Anthropic.NotFoundError, 'not_found_error'],
    [
      'a wrong field',
      () => client.messages.create({ ...asked('sandbox/chat'), max_tokens: -1 }),
      Anthropic.BadRequestError,
      'invalid_request_error',
    ],
    [
      'an overload',
      () => client.messages.create(asked('sandbox/chat', '[[fail:overloaded]]')),
      Anthropic.InternalServerError,
      'overloaded_error',
    ],
    [
      'a limit',
      () => client.messages.create(asked('sandbox/chat', '[[fail:rate_limit]]')),
      Anthropic.RateLimitError,
      'rate_limit_error',
    ],
    [
      'a failure',
      () => client.messages.stream(asked('sandbox/chat', '[[fail:unavailable]]')).finalMessage(),
      Anthropic.InternalServerError,
      'api_error',
    ],
  ])('are Anthropic’s own for %s, and cost nothing', async (_what, run, kind, type) => {
    const spent = await costOf(router, async () => {
      const error: unknown = await run().then(
        () => undefined,
        (cause: unknown) => cause,
      )
      expect(error).toBeInstanceOf(kind)
      expect((error as InstanceType<typeof Anthropic.APIError>).error).toMatchObject({
        type: 'error',
        error: { type, message: expect.stringMatching(/\S/) },
        request_id: expect.stringMatching(/^req_/),
      })
    })
    expect(spent).toBe('0.000000000')
  })

  it('say when the credit is used up', async () => {
    const response = await post('/v1/messages', { ...asked('anthropic/claude-fable-5'), max_tokens: 900_000 })
    expect(response.status).toBe(402)
    expect(await response.json()).toMatchObject({
      type: 'error',
      error: { type: 'billing_error', code: 'insufficient_credits' },
    })
  })

  it('name what the provider of the model cannot do', async () => {
    const response = await post('/v1/messages', { ...asked('sandbox/chat'), container: 'c' })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error', param: 'container' } })
  })
})

describe('on Anthropic', () => {
  // 12 in at $2, 1000 read at $0.20, 100 kept five minutes at $2.50, 200 an hour at $4, 40 out at $10, a million each.
  const COST = '0.001674000'
  const model = 'anthropic/claude-sonnet-5'

  it('is the provider’s own answer, with the cost in its usage', async () => {
    const answer = {
      ...MESSAGE,
      content: [{ type: 'text', text: 'Hi', future: 1 }],
      stop_reason: 'end_turn',
      usage: { ...USAGE, output_tokens: 40 },
      container: null,
    }
    stub.answer = json(answer)
    const body = {
      ...asked(model, [{ type: 'text', text: 'Hi', cache_control: { type: 'ephemeral', ttl: '1h' } }]),
      future: { a: 1 },
    }
    const spent = await costOf(router, async () => {
      const response = await post('/v1/messages', body, {
        'anthropic-version': '2026-10-21',
        'anthropic-beta': 'a-1,b-2',
        'x-other': 'no',
      })
      expect(response.headers.get('x-cost-usd')).toBe(COST)
      expect(await response.json()).toEqual({ ...answer, usage: { ...answer.usage, cost: 0.001674 } })
    })
    expect(spent).toBe(COST)
    const [seen] = stub.seen
    expect(JSON.parse(seen?.body.toString() ?? '')).toEqual({ ...body, model: 'claude-sonnet-5' })
    expect(seen?.headers).toMatchObject({
      'x-api-key': 'sk-ant-stub',
      'anthropic-version': '2026-10-21',
      'anthropic-beta': 'a-1,b-2',
    })
    expect(seen?.headers).not.toHaveProperty('x-other')
    expect(seen?.headers).not.toHaveProperty('authorization')
  })

  it('streams the provider’s own bytes, and the cost in the last usage', async () => {
    stub.answer = sse(STREAM, 37)
    const spent = await costOf(router, async () => {
      const response = await post('/v1/messages', { ...asked('claude-sonnet-5-20260101'), stream: true })
      const last = event('message_delta', { ...LAST, usage: { ...DELTA_USAGE, cost: 0.001674 } })
      expect(await response.text()).toBe(START + DELTAS + last + STOP)
    })
    expect(spent).toBe(COST)
    expect(stub.seen[0]?.headers['anthropic-version']).toBe('2023-06-01')
  })

  it('is the same to the SDK', async () => {
    stub.answer = sse(STREAM, 50)
    const message = await client.messages.stream(asked(model)).finalMessage()
    expect(message).toMatchObject({ id: MESSAGE.id, model: 'claude-sonnet-5', stop_reason: 'end_turn' })
    expect(message.content).toEqual([{ type: 'text', text: 'Hello there, "dear" wörld' }])
    expect(message.usage).toMatchObject({ input_tokens: 12, cache_read_input_tokens: 1000, output_tokens: 40 })
  })

  it('sets a limit where the caller gave none', async () => {
    stub.answer = json({ ...MESSAGE, content: [{ type: 'text', text: 'Hi' }], stop_reason: 'end_turn' })
    const { max_tokens: _, ...body } = asked(model)
    expect((await post('/v1/messages', body)).status).toBe(200)
    expect(JSON.parse(stub.seen[0]?.body.toString() ?? '').max_tokens).toBeGreaterThan(1000)
  })

  it('tells an error in the middle of a stream, and charges nothing', async () => {
    stub.answer = sse(START + DELTAS + event('error', { error: { type: 'overloaded_error', message: 'Overloaded' } }))
    const spent = await costOf(router, async () => {
      const response = await post('/v1/messages', { ...asked(model), stream: true })
      const text = await response.text()
      expect(text.startsWith(`${START}${DELTAS}event: error\n`)).toBe(true)
      expect(text).toContain('"type":"overloaded_error"')
      expect(text).not.toContain('message_stop')
      await expect(client.messages.stream(asked(model)).finalMessage()).rejects.toMatchObject({
        type: 'overloaded_error',
      })
    })
    expect(spent).toBe('0.000000000')
  })

  it('charges nothing for a stream that breaks off, or for a refusal before any output', async () => {
    const spent = await costOf(router, async () => {
      stub.answer = sse(START + DELTAS)
      expect(await (await post('/v1/messages', { ...asked(model), stream: true })).text()).toContain('event: error')
      const delta = { stop_reason: 'refusal', stop_sequence: null }
      stub.answer = sse(START + event('message_delta', { delta, usage: DELTA_USAGE }) + STOP)
      expect(await client.messages.stream(asked(model)).finalMessage()).toMatchObject({ stop_reason: 'refusal' })
    })
    expect(spent).toBe('0.000000000')
  })

  it('passes the provider’s reason on where the caller is at fault, and hides it where the operator is', async () => {
    const refuse = (status: number, type: string, message: string) =>
      json({ type: 'error', error: { type, message }, request_id: 'req_1' }, status)
    stub.answer = refuse(400, 'invalid_request_error', 'max_tokens: too many')
    await expect(client.messages.create(asked(model))).rejects.toMatchObject({
      status: 400,
      type: 'invalid_request_error',
      message: expect.stringContaining('max_tokens: too many'),
    })
    stub.answer = refuse(401, 'authentication_error', 'invalid x-api-key sk-ant-stub')
    const error = await client.messages.create(asked(model)).catch((cause: unknown) => cause)
    expect(error).toMatchObject({ status: 502, type: 'api_error' })
    expect(String(error)).not.toContain('sk-ant')
  })

  it('has tokens counted by the provider, for nothing', async () => {
    stub.answer = json({ input_tokens: 2095 })
    const spent = await costOf(router, async () => {
      const { data, response } = await client.messages
        .countTokens({ model, messages: [{ role: 'user', content: 'Hello' }] })
        .withResponse()
      expect(data).toEqual({ input_tokens: 2095 })
      expect(response.headers.get('x-token-count')).toBe('reported')
    })
    expect(spent).toBe('0.000000000')
    expect(stub.seen[0]).toMatchObject({ path: '/v1/messages/count_tokens' })
    expect(JSON.parse(stub.seen[0]?.body.toString() ?? '').model).toBe('claude-sonnet-5')
  })

  it('counts without the thoughts of other vendors’ models, as it would answer without them', async () => {
    stub.answer = json({ input_tokens: 7 })
    const words = [{ type: 'text' as const, text: 'Yes.' }]
    const foreign = { type: 'thinking' as const, thinking: 'By Google.', signature: 'google:CiQB' }
    const question = { role: 'user' as const, content: 'Hello' }
    const answered = { role: 'assistant' as const, content: [foreign, ...words] }
    await client.messages.countTokens({ model, messages: [question, answered, question] })
    expect(JSON.parse(stub.seen[0]?.body.toString() ?? '').messages[1]).toEqual({ role: 'assistant', content: words })
  })

  it('refuses what has no price: fast service, service in one country', async () => {
    for (const more of [{ speed: 'fast' }, { inference_geo: 'us' }]) {
      const response = await post('/v1/messages', { ...asked(model), ...more })
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: { code: 'unpriced_option' } })
    }
    expect(stub.seen).toEqual([])
  })

  it('speaks to OpenAI’s SDK as well: text, tools, finish, usage', async () => {
    stub.answer = sse(STREAM, 50)
    const spent = await costOf(router, async () => {
      const answer = await clientOf(router).chat.completions.create({
        model,
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'Hello' },
        ],
      })
      expect(answer.choices[0]).toMatchObject({
        message: { content: 'Hello there, "dear" wörld' },
        finish_reason: 'stop',
      })
      expect(answer.usage).toMatchObject({
        prompt_tokens: 1312,
        completion_tokens: 40,
        prompt_tokens_details: { cached_tokens: 1000, cache_write_tokens: 300 },
        cost: 0.001674,
      })
    })
    expect(spent).toBe(COST)
    expect(JSON.parse(stub.seen[0]?.body.toString() ?? '')).toMatchObject({
      model: 'claude-sonnet-5',
      stream: true,
      system: [{ type: 'text', text: 'Be brief.' }],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
    })
  })
})

const captures = join(import.meta.dirname, '..', '..', '..', 'shared', 'clients', 'claude.json')

describe.skipIf(!existsSync(captures))('what Claude Code was seen to send (../shared/clients)', () => {
  interface Capture {
    path: string
    body: { model: string; stream: boolean }
  }
  const sent: [string, Capture][] = existsSync(captures)
    ? (JSON.parse(readFileSync(captures, 'utf8')) as Capture[]).map((capture, index) => [
        `request ${index + 1}`,
        capture,
      ])
    : []

  it.each(sent)('is answered by Anthropic, by OpenAI and by the sandbox: %s', async (_name, { path, body }) => {
    stub.answer = sse(STREAM, 50)
    openai.answer = sse(CHAT_STREAM, 60)
    for (const model of [body.model, 'openai/gpt-5-mini', 'sandbox/chat']) {
      const response = await post(path, { ...body, model })
      const text = await response.text()
      expect([model, response.status, text.includes('event: message_stop')]).toEqual([model, 200, true])
    }
    expect(JSON.parse(stub.seen[0]?.body.toString() ?? '')).toEqual({ ...body, model: body.model })
    expect(JSON.parse(openai.seen.at(-1)?.body.toString() ?? '')).toMatchObject({ reasoning_effort: 'high' })
  })
})

describe('on OpenAI', () => {
  it('is a message to Anthropic’s SDK, with OpenAI’s usage in Anthropic’s words', async () => {
    openai.answer = sse(CHAT_STREAM, 60)
    const message = await client.messages.stream(asked('openai/gpt-4o-mini')).finalMessage()
    expect(message.content).toEqual([{ type: 'text', text: 'Hello there, "dear" wörld' }])
    expect(message).toMatchObject({ stop_reason: 'end_turn', model: 'openai/gpt-4o-mini' })
    expect(message.usage).toMatchObject({ input_tokens: 5, cache_read_input_tokens: 4, output_tokens: 10 })
    expect((await creditsOf(router)).held_usd).toBe('0.000000000')
    expect(JSON.parse(openai.seen.at(-1)?.body.toString() ?? '')).toMatchObject({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: 'Hello' }],
      max_tokens: 200,
    })
  })

  it('reaches models that take tools in the Responses API alone, as Claude Code would', async () => {
    const response = {
      id: 'resp_1',
      object: 'response',
      status: 'completed',
      output: [
        {
          type: 'function_call',
          id: 'fc_1',
          call_id: 'call_1',
          name: 'Bash',
          arguments: '{"command":"ls"}',
          status: 'completed',
        },
      ],
      usage: { input_tokens: 9, output_tokens: 5, total_tokens: 14 },
    }
    const item = response.output[0]
    const told = [
      { type: 'response.created', response: { ...response, status: 'in_progress', output: [] } },
      { type: 'response.output_item.added', output_index: 0, item: { ...item, arguments: '' } },
      { type: 'response.function_call_arguments.delta', output_index: 0, item_id: 'fc_1', delta: '{"command":"ls"}' },
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response },
    ]
    openai.answer = sse(told.map((each) => `event: ${each.type}\ndata: ${JSON.stringify(each)}\n\n`).join(''), 80)
    const message = await client.messages
      .stream({
        ...asked('openai/gpt-6-astra'),
        tools: [{ name: 'Bash', input_schema: { type: 'object' } }],
        max_tokens: 4000,
        thinking: { type: 'enabled', budget_tokens: 3000 },
      })
      .finalMessage()
    expect(message).toMatchObject({
      content: [{ type: 'tool_use', id: 'call_1', name: 'Bash', input: { command: 'ls' } }],
      stop_reason: 'tool_use',
      usage: { input_tokens: 9, output_tokens: 5 },
    })
    expect(openai.seen.at(-1)?.path).toBe('/v1/responses')
    expect(JSON.parse(openai.seen.at(-1)?.body.toString() ?? '')).toMatchObject({ reasoning: { effort: 'medium' } })
  })
})
