// The compliance cases of the Open Responses specification (https://www.openresponses.org/compliance, as of 2026-06), those
// over HTTP, in our own words: against the sandbox and against providers of three other formats. Its cases over WebSocket
// are not here, because the router speaks none.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { z } from 'zod'
import type { JsonObject } from '../../src/contract.ts'
import { readEvents } from '../../src/protocols/sse.ts'
import { type Stub, startStub } from '../clients/stub/server.ts'
import { errorOf, post } from '../support/client.ts'
import { compactionShape, eventShape, responseShape } from '../support/open_responses.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

let stub: Stub
let router: TestRouter
beforeAll(async () => {
  stub = await startStub()
  router = await testRouter({
    ANTHROPIC_API_KEY: 'stub',
    ANTHROPIC_BASE_URL: stub.url,
    GEMINI_API_KEY: 'stub',
    GEMINI_BASE_URL: stub.url,
    GROQ_API_KEY: 'stub',
    GROQ_BASE_URL: `${stub.url}/v1`,
  })
})
afterAll(async () => {
  await router.close()
  await stub.close()
})

const user = (content: string | object[]) => ({ type: 'message', role: 'user', content })
/** A red dot. */
const PICTURE =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg=='
const weather = {
  type: 'function',
  name: 'get_weather',
  description: 'The weather at a place',
  parameters: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] },
}
const WEATHER = 'How is the weather in Oslo? [[tool:get_weather {"location":"Oslo"}]]'

async function whole(model: string, body: object): Promise<z.infer<typeof responseShape>> {
  const answer = await post(router, '/responses', { model, ...body })
  const text = await answer.text()
  expect(answer.status, text).toBe(200)
  return responseShape.parse(JSON.parse(text))
}

/** Every event in its shape, numbered from 0, and the response of the last one. */
async function streamed(model: string, body: object) {
  const answer = await post(router, '/responses', { model, ...body, stream: true })
  expect(answer.headers.get('content-type')).toContain('text/event-stream')
  const events = readEvents(await answer.text()).map(({ event, data }) => {
    const read = JSON.parse(data) as JsonObject
    expect(event).toBe(read.type)
    return eventShape.parse(read)
  })
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
  const last = events.at(-1)
  if (last?.type !== 'response.completed') throw new Error(`It ended with ${last?.type}.`)
  return { events, response: last.response }
}

const models = ['sandbox/chat', 'anthropic/claude-sonnet-5', 'google/gemini-3.5-flash', 'groq:openai/gpt-oss-20b']

describe.each(models)('Open Responses with %s', (model) => {
  it.each([
    ['a basic response', { input: [user('Say hello in exactly 3 words.')] }],
    [
      'a conversation whose assistant messages have phases',
      {
        input: [
          { type: 'message', role: 'assistant', phase: 'commentary', content: 'I look the number up.' },
          { type: 'message', role: 'assistant', phase: 'final_answer', content: 'It is four.' },
          user('Say the number again.'),
        ],
      },
    ],
    [
      'a system prompt among the messages',
      { input: [{ type: 'message', role: 'system', content: 'Speak like a pirate.' }, user('Say hello.')] },
    ],
    [
      'a picture in the user’s message',
      {
        input: [
          user([
            { type: 'input_text', text: 'What is this?' },
            { type: 'input_image', image_url: PICTURE },
          ]),
        ],
      },
    ],
    [
      'several turns',
      {
        input: [
          user('My name is Alice.'),
          { type: 'message', role: 'assistant', content: 'Hello Alice!' },
          user('What is my name?'),
        ],
      },
    ],
  ])('answers %s', async (_name, body) => {
    const response = await whole(model, body)
    expect(response.status).toBe('completed')
    expect(response.output.length).toBeGreaterThan(0)
  })

  it('streams a response', async () => {
    const { events, response } = await streamed(model, { input: [user('Count from 1 to 5.')] })
    expect(response.status).toBe('completed')
    expect(events.some(({ type }) => type === 'response.output_text.delta')).toBe(true)
  })

  it('calls a function', async () => {
    const response = await whole(model, { input: [user(WEATHER)], tools: [weather] })
    expect(response.output).toContainEqual(expect.objectContaining({ type: 'function_call', name: 'get_weather' }))
  })

  it('streams the call of a function', async () => {
    const { events, response } = await streamed(model, { input: [user(WEATHER)], tools: [weather] })
    expect(response.output.map(({ type }) => type)).toContain('function_call')
    const call = { item: { type: 'function_call', name: 'get_weather' } }
    expect(events).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ type: 'response.output_item.added', item: expect.objectContaining(call.item) }),
        expect.objectContaining({ type: 'response.function_call_arguments.delta' }),
        expect.objectContaining({ type: 'response.function_call_arguments.done' }),
        expect.objectContaining({ type: 'response.output_item.done', item: expect.objectContaining(call.item) }),
      ]),
    )
  })

  it('compacts a conversation', async () => {
    const answer = await post(router, '/responses/compact', {
      model,
      prompt_cache_key: 'a-key',
      input: [
        user('We launch on Tuesday and tell the support before.'),
        { type: 'message', role: 'assistant', content: 'Understood.' },
      ],
    })
    const { output } = compactionShape.parse(await answer.json())
    expect(output.map(({ type }) => type)).toEqual(['message', 'compaction'])
    const response = await whole(model, { input: [...output, user('When do we launch?')] })
    expect(response.status).toBe('completed')
  })
})

describe('Open Responses', () => {
  it('refuses a compaction without a model', async () => {
    const error = await errorOf(await post(router, '/responses/compact', { input: [user('Compact this.')] }))
    expect(error).toMatchObject({ status: 400, param: 'model' })
  })
})
