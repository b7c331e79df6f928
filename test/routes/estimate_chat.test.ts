// What a chat would hold, asked in every format: the same that the request itself then holds.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorOf, get, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

let router: TestRouter
beforeAll(async () => {
  router = await testRouter()
})
afterAll(() => router.close())

const model = 'sandbox/chat'
const hello = { role: 'user', content: 'Hello' }
const tool = { name: 'f', description: 'Finds', input_schema: { type: 'object' } }

const cases: [format: string, path: string, body: object][] = [
  ['openai-chat', '/v1/chat/completions', { model, messages: [hello], max_tokens: 100 }],
  ['openai-chat', '/v1/chat/completions', { model, messages: [{ ...hello, content: [{ type: 'text', text: 'Hi' }] }] }],
  ['openai-completions', '/v1/completions', { model, prompt: 'Once upon a time', n: 2 }],
  ['openai-responses', '/v1/responses', { model, input: 'Hello', instructions: 'Be brief.', max_output_tokens: 50 }],
  ['anthropic-messages', '/v1/messages', { model, max_tokens: 70, system: 'Be brief.', messages: [hello] }],
  ['anthropic-messages', '/v1/messages', { model, max_tokens: 70, tools: [tool], messages: [hello] }],
  [
    'gemini',
    `/v1beta/models/${model}:generateContent`,
    { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }], generationConfig: { maxOutputTokens: 60 } },
  ],
]

const ask = async (path: string, body: object) => post({ ...router, base_url: router.url }, path, body) // Google's paths are not under /v1.

describe('POST /v1/estimate of a chat', () => {
  it.each(cases)('says in %s what %s holds: %j', async (format, path, body) => {
    const answer = await ask(path, body)
    expect(answer.status, await answer.clone().text()).toBe(200)
    const job = (await (await get(router, `/jobs/${answer.headers.get('x-job-id')}`)).json()) as {
      billing: { hold_usd: string }
    }
    for (const more of [{}, { format }]) {
      const asked = { operation: 'chat', model, ...body, ...more }
      const estimate = await (await post(router, '/estimate', asked)).json()
      expect(estimate).toMatchObject({ object: 'estimate', operation: 'chat', model })
      expect(estimate).toMatchObject({ hold_usd: job.billing.hold_usd })
    }
  })

  it('counts the earlier response', async () => {
    const first = (await (await post(router, '/responses', { model, input: 'word '.repeat(500) })).json()) as {
      id: string
    }
    const hold = async (more: object) => {
      const asked = { operation: 'chat', model, input: 'On.', max_output_tokens: 20, ...more }
      return Number(((await (await post(router, '/estimate', asked)).json()) as { hold_usd: string }).hold_usd)
    }
    expect(await hold({ previous_response_id: first.id })).toBeGreaterThan((await hold({})) + 2000 * 0.15e-6)
  })

  it('refuses in the words of the format', async () => {
    const refused = (body: object) => post(router, '/estimate', { operation: 'chat', model, ...body })
    expect(await errorOf(await refused({ messages: [hello], format: 'morse' }))).toMatchObject({
      status: 400,
      param: 'format',
    })
    expect(await errorOf(await refused({}))).toMatchObject({ status: 400, param: 'messages' })
    expect(await errorOf(await refused({ system: 'x', messages: 'none' }))).toMatchObject({ param: 'messages' })
    expect(await errorOf(await refused({ input: 'x', temperature: 'hot' }))).toMatchObject({ param: 'temperature' })
  })
})
