// Legacy completions: by the official SDK on the sandbox, as a chat; and passed through where a provider serves them.
import OpenAI, { BadRequestError } from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { json, Stub, sse } from '../providers/stub.ts'
import { costOf, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

let router: TestRouter
let client: OpenAI

beforeAll(async () => {
  router = await testRouter()
  client = new OpenAI({ baseURL: router.base_url, apiKey: router.api_key, maxRetries: 0 })
})
afterAll(() => router.close())

describe('a legacy completion', () => {
  it('continues a prompt and tells its usage and cost', async () => {
    const answer = await client.completions.create({
      model: 'sandbox/chat',
      prompt: 'Once upon a time',
      max_tokens: 100,
    })
    expect(answer).toMatchObject({ object: 'text_completion', model: 'sandbox/chat' })
    expect(answer.choices).toMatchObject([{ index: 0, text: 'You said: Once upon a time', finish_reason: 'stop' }])
    expect(answer.usage?.total_tokens).toBeGreaterThan(0)
    expect(answer.usage).toHaveProperty('cost')
  })

  it('ends at sixteen tokens where no limit is given', async () => {
    const answer = await client.completions.create({ model: 'sandbox/chat', prompt: '[[tokens:50]]' })
    expect(answer.choices[0]?.finish_reason).toBe('length')
    expect(answer.usage?.completion_tokens).toBe(16)
  })

  it('streams the same text, with its usage last when asked', async () => {
    const stream = await client.completions.create({
      model: 'sandbox/chat',
      prompt: 'Once upon a time',
      max_tokens: 100,
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = await Array.fromAsync(stream)
    expect(chunks.map(({ choices }) => choices[0]?.text ?? '').join('')).toBe('You said: Once upon a time')
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { cost: expect.any(Number) } })
  })

  it.each([
    ['several prompts', { prompt: ['one', 'two'] }, 'prompt'],
    ['token ids', { prompt: [1, 2, 3] }, 'prompt'],
    ['an option that chat does not have', { prompt: 'x', echo: true }, 'echo'],
  ])('refuses %s, naming the field, and charges nothing', async (_what, fields, param) => {
    const before = await router.services.ledger.balance('acc_demo')
    const call = client.completions.create({ model: 'sandbox/chat', ...fields })
    await expect(call).rejects.toMatchObject({ constructor: BadRequestError, param })
    expect((await router.services.ledger.balance('acc_demo'))?.available).toBe(before?.available)
  })
})

describe('a legacy completion at a provider that serves them', () => {
  const stub = new Stub()
  let there: TestRouter
  beforeAll(async () => {
    await stub.start()
    there = await testRouter({ TOGETHER_API_KEY: 'stub', TOGETHER_BASE_URL: `${stub.url}/v1` })
  })
  beforeEach(() => {
    stub.seen.length = 0
  })
  afterAll(async () => {
    await there.close()
    await stub.stop()
  })

  const model = 'together:meta/llama-3.3-70b'
  const usage = { prompt_tokens: 6, completion_tokens: 4, total_tokens: 10 }
  const chunk = (choices: object[], more: object = {}) =>
    `data: ${JSON.stringify({ id: 'cmpl-1', object: 'text_completion', created: 1, model: 'x', choices, ...more })}\n\n`
  it('passes through with all that completions know, and is charged by its usage', async () => {
    const choices = [{ index: 0, text: 'return 1', finish_reason: 'stop', logprobs: null }]
    stub.answer = json({ id: 'cmpl-1', object: 'text_completion', created: 1, model: 'x', choices, usage, extra: 1 })
    const body = { prompt: ['def f():', 'def g():'], suffix: '# end', best_of: 2, echo: true, max_tokens: 9 }
    const spent = await costOf(there, async () => {
      const answer = await post(there, '/completions', { model, ...body })
      expect(answer.status, await answer.clone().text()).toBe(200)
      expect(await answer.json()).toMatchObject({
        id: 'cmpl-1',
        choices,
        extra: 1,
        usage: { ...usage, cost: expect.any(Number) },
      })
    })
    expect(Number(spent)).toBeGreaterThan(0)
    expect(stub.seen[0]?.path).toBe('/v1/completions')
    expect(JSON.parse(String(stub.seen[0]?.body))).toMatchObject(body)
  })

  it('streams as it comes, the usage last and only where it was asked for', async () => {
    stub.answer = sse(
      chunk([{ index: 0, text: 'ret', finish_reason: null }]) +
        chunk([{ index: 0, text: 'urn', finish_reason: 'stop' }]) +
        chunk([], { usage }) +
        'data: [DONE]\n\n',
      9,
    )
    for (const include_usage of [true, false]) {
      const spent = await costOf(there, async () => {
        const body = { model, prompt: 'def', stream: true, stream_options: { include_usage } }
        const text = await (await post(there, '/completions', body)).text()
        expect([...text.matchAll(/"text":"(\w+)"/g)].map(([, words]) => words).join('')).toBe('return')
        expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
        expect(/"cost":[\d.]+/.test(text)).toBe(include_usage)
      })
      expect(Number(spent)).toBeGreaterThan(0)
    }
    expect(JSON.parse(String(stub.seen[0]?.body))).toMatchObject({ max_tokens: 16 })
  })

  it('that breaks off costs nothing', async () => {
    stub.answer = sse(chunk([{ index: 0, text: 'ret', finish_reason: null }]))
    const spent = await costOf(there, async () => {
      const text = await (await post(there, '/completions', { model, prompt: 'def', stream: true })).text()
      expect(text).toContain('"error"')
    })
    expect(spent).toBe('0.000000000')
  })
})
