// Legacy completions by the official SDK, on the sandbox.
import OpenAI, { BadRequestError } from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
