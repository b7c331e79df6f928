// The Responses API with the official SDK on the sandbox, which speaks no protocol: every answer here is made from
// canonical events. Streams, stored responses, conversations, background work, and what each of them costs.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientOf, costOf, errorOf, eventually, get, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

let router: TestRouter
let client: OpenAI
beforeAll(async () => {
  router = await testRouter()
  client = clientOf(router)
})
afterAll(() => router.close())

const model = 'sandbox/chat'
type StreamEvent = OpenAI.Responses.ResponseStreamEvent
type Body = OpenAI.Responses.ResponseCreateParamsNonStreaming

async function stream(body: Body): Promise<StreamEvent[]> {
  return Array.fromAsync(await client.responses.create({ ...body, stream: true }))
}
const types = (events: StreamEvent[]) => events.map(({ type }) => type.replace('response.', ''))
const numbers = (events: StreamEvent[]) => events.map(({ sequence_number }) => sequence_number)
/** The type of our usage, which has the cost in it. */
const costIn = (response: OpenAI.Responses.Response) => (response.usage as unknown as { cost: number }).cost
const weather = {
  type: 'function' as const,
  name: 'weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
  strict: false,
}

describe('an answer', () => {
  it('is a whole response, and costs what its usage says', async () => {
    const spent = await costOf(router, async () => {
      const response = await client.responses.create({ model, input: 'Hello there', instructions: 'Be brief.' })
      expect(response).toMatchObject({
        object: 'response',
        status: 'completed',
        model,
        instructions: 'Be brief.',
        output_text: 'You said: Hello there',
        error: null,
        incomplete_details: null,
        parallel_tool_calls: true,
        store: true,
        tool_choice: 'auto',
        tools: [],
        text: { format: { type: 'text' } },
      })
      const { input_tokens, output_tokens } = response.usage ?? { input_tokens: 0, output_tokens: 0 }
      expect(costIn(response)).toBeCloseTo((input_tokens * 0.15 + output_tokens * 0.6) / 1e6, 12)
      expect(response.output[0]).toMatchObject({ type: 'message', role: 'assistant', status: 'completed' })
    })
    expect(Number(spent)).toBeGreaterThan(0)
  })

  it('breaks off at the limit, is incomplete, and is charged', async () => {
    const spent = await costOf(router, async () => {
      const response = await client.responses.create({ model, input: 'Hello there', max_output_tokens: 2 })
      expect(response).toMatchObject({
        status: 'incomplete',
        incomplete_details: { reason: 'max_output_tokens' },
        output: [{ status: 'incomplete' }],
        output_text: 'You said',
      })
    })
    expect(Number(spent)).toBeGreaterThan(0)
  })

  it('goes on after the result of a tool', async () => {
    const first = await client.responses.create({ model, input: '[[tool:weather {"city":"Oslo"}]]', tools: [weather] })
    const [call] = first.output
    if (call?.type !== 'function_call') throw new Error('It did not call the tool.')
    expect(call).toMatchObject({ name: 'weather', arguments: '{"city":"Oslo"}', status: 'completed' })
    const output = { type: 'function_call_output' as const, call_id: call.call_id, output: '4 degrees' }
    const second = await client.responses.create({
      model,
      tools: [weather],
      input: [{ role: 'user', content: '[[tool:weather {"city":"Oslo"}]]' }, call, output],
    })
    expect(second.output_text).toBe('The tool answered: 4 degrees')
  })

  it('names the tool of a namespace with it, and speaks to custom tools in their own words', async () => {
    const tools: OpenAI.Responses.Tool[] = [
      { type: 'namespace', name: 'sky', description: 'Weather', tools: [weather] },
      { type: 'custom', name: 'patch', format: { type: 'grammar', syntax: 'lark', definition: 'start: "x"' } },
    ]
    const response = await client.responses.create({
      model,
      input: '[[tool:weather {}]] [[tool:patch {"a":1}]]',
      tools,
    })
    expect(response.output).toMatchObject([
      { type: 'function_call', name: 'weather', namespace: 'sky' },
      { type: 'custom_tool_call', name: 'patch', input: '{"a":1}' },
    ])
  })

  it('is JSON of the asked form', async () => {
    const schema = { type: 'object', properties: { answer: { type: 'string' } }, required: ['answer'] }
    const format = { type: 'json_schema' as const, name: 'form', schema, strict: true }
    const response = await client.responses.create({ model, input: 'Hello', text: { format } })
    expect(Object.keys(JSON.parse(response.output_text))).toEqual(['answer'])
  })
})

describe('a stream', () => {
  it('has OpenAI’s events of a text in OpenAI’s order', async () => {
    const events = await stream({ model, input: 'Hi' })
    const deltas = events.filter(({ type }) => type === 'response.output_text.delta')
    expect(types(events)).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'content_part.added',
      ...deltas.map(() => 'output_text.delta'),
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'completed',
    ])
    expect(numbers(events)).toEqual(events.map((_, index) => index))
    const last = events.at(-1)
    if (last?.type !== 'response.completed') throw new Error('It did not complete.')
    expect(last.response.output).toMatchObject([{ content: [{ type: 'output_text', text: 'You said: Hi' }] }])
    expect(costIn(last.response)).toBeGreaterThan(0)
  })

  it('has OpenAI’s events of calls in OpenAI’s order', async () => {
    const events = await stream({ model, input: '[[tool:weather {"city":"Oslo"}]]', tools: [weather] })
    const seen = types(events).filter((type, index, all) => type !== all[index - 1])
    expect(seen).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'function_call_arguments.delta',
      'function_call_arguments.done',
      'output_item.done',
      'completed',
    ])
  })

  it('adds up to the final response of the SDK', async () => {
    const response = await client.responses.stream({ model, input: 'Add up' }).finalResponse()
    expect(response.output_text).toBe('You said: Add up')
  })

  it('ends incomplete at the limit', async () => {
    const last = (await stream({ model, input: 'Hello there', max_output_tokens: 2 })).at(-1)
    expect(last).toMatchObject({ type: 'response.incomplete', response: { status: 'incomplete' } })
  })

  it('that breaks off is told as an error and as failed, and costs nothing', async () => {
    const spent = await costOf(router, async () => {
      await expect(stream({ model, input: 'Hello [[cut]]' })).rejects.toMatchObject({ code: 'provider_error' })
      const raw = await (await post(router, '/responses', { model, input: 'Hello [[cut]]', stream: true })).text()
      const told = [...raw.matchAll(/^event: (.*)$/gm)].map(([, name]) => name)
      expect(told.slice(-2)).toEqual(['error', 'response.failed'])
      const numbers = [...raw.matchAll(/"sequence_number":(\d+)/g)].map(([, number]) => Number(number))
      expect(numbers).toEqual(numbers.map((_, index) => index))
    })
    expect(spent).toBe('0.000000000')
  })
})

describe('a stored response', () => {
  it('is read, listed and removed; its money stays', async () => {
    const response = await client.responses.create({ model, input: 'Keep this' })
    const { _request_id, ...again } = await client.responses.retrieve(response.id)
    expect(again).toEqual({ ...again, id: response.id, output: response.output, usage: response.usage })
    const items = await client.responses.inputItems.list(response.id)
    expect(items.data).toMatchObject([{ type: 'message', role: 'user', content: [{ text: 'Keep this' }] }])
    expect(await (await get(router, `/jobs/job_${response.id.slice(5)}`)).json()).toMatchObject({
      operation: 'chat',
      endpoint: 'responses',
      billing: { status: 'settled' },
      outputs: [{ type: 'json' }],
    })
    await client.responses.delete(response.id)
    await expect(client.responses.retrieve(response.id)).rejects.toMatchObject({ status: 404 })
  })

  it('that was streamed is kept whole, and replayed event by event, from any of them on', async () => {
    const events = await stream({ model, input: 'Streamed and kept' })
    const last = events.at(-1)
    if (last?.type !== 'response.completed') throw new Error('It did not complete.')
    const kept = await client.responses.retrieve(last.response.id)
    expect(kept.output).toEqual(last.response.output)
    expect(costIn(kept)).toBe(costIn(last.response))
    const replayed = await Array.fromAsync(await client.responses.retrieve(kept.id, { stream: true }))
    expect(replayed).toEqual(events)
    for (const starting_after of [0, 5, events.length - 2, events.length - 1]) {
      const rest = await client.responses.retrieve(kept.id, { stream: true, starting_after })
      expect(await Array.fromAsync(rest)).toEqual(events.slice(starting_after + 1))
    }
  })

  it('whose reader comes back while it is written goes on where he left off, to its end', async () => {
    const seen: StreamEvent[] = []
    const words = 'one two three four five six seven eight nine ten'
    for await (const event of await client.responses.create({
      model,
      input: `${words} [[delay:30ms]]`,
      stream: true,
    })) {
      seen.push(event)
      if (event.type === 'response.output_text.delta') break
    }
    const [first] = seen
    if (first?.type !== 'response.created') throw new Error('It did not begin.')
    const starting_after = seen.at(-1)?.sequence_number ?? 0
    const rest = await Array.fromAsync(
      await client.responses.retrieve(first.response.id, { stream: true, starting_after }),
    )
    expect(numbers([...seen, ...rest])).toEqual([...seen, ...rest].map((_, index) => index))
    const text = [...seen, ...rest].flatMap((event) => (event.type === 'response.output_text.delta' ? event.delta : []))
    expect(text.join('')).toBe(`You said: ${words}`)
    expect(rest.at(-1)).toMatchObject({ type: 'response.completed', response: { status: 'completed' } })
  })

  it('that broke off says so to a reader who comes back', async () => {
    const raw = await (await post(router, '/responses', { model, input: 'Hello [[cut]]', stream: true })).text()
    const id = /"id":"(resp_\w+)"/.exec(raw)?.[1] ?? ''
    const again = await (await get(router, `/responses/${id}?stream=true&starting_after=4`)).text()
    expect([...again.matchAll(/^event: (.*)$/gm)].map(([, name]) => name)).toEqual(['error', 'response.failed'])
    expect([...again.matchAll(/"sequence_number":(\d+)/g)].map(([, number]) => Number(number))).toEqual([5, 6])
  })

  it('is not there where the caller did not want it, and not for anybody else', async () => {
    const response = await client.responses.create({ model, input: 'Forget this', store: false })
    expect(response).toMatchObject({ store: false })
    await expect(client.responses.retrieve(response.id)).rejects.toMatchObject({ status: 404 })
    const own = await client.responses.create({ model, input: 'Mine' })
    const admin = { authorization: `Bearer ${router.admin_key}`, 'content-type': 'application/json' }
    const api = (path: string, body: object) =>
      fetch(`${router.url}/api/v1${path}`, { method: 'POST', headers: admin, body: JSON.stringify(body) })
    const user = (await (await api('/users', { name: 'Eve' })).json()) as { id: string }
    const { key } = (await (await api('/keys', { user_id: user.id, name: 'eve' })).json()) as { key: string }
    const eve = new OpenAI({ baseURL: router.base_url, apiKey: key, maxRetries: 0 })
    await expect(eve.responses.retrieve(own.id)).rejects.toMatchObject({ status: 404 })
  })

  it('is gone on from: its input and its output are part of the next one', async () => {
    const first = await client.responses.create({ model, input: 'One' })
    const second = await client.responses.create({ model, input: 'Two', previous_response_id: first.id })
    expect(second.previous_response_id).toBe(first.id)
    const { data } = await client.responses.inputItems.list(second.id, { order: 'asc' })
    const words = data.map((item) => ('content' in item ? JSON.stringify(item.content) : ''))
    expect(words.map((text) => /"text":"([^"]*)"/.exec(text)?.[1])).toEqual(['One', 'You said: One', 'Two'])
    expect(second.usage?.input_tokens).toBeGreaterThan(first.usage?.input_tokens ?? 0)
    const unknown = client.responses.create({ model, input: 'x', previous_response_id: 'resp_none' })
    await expect(unknown).rejects.toMatchObject({ status: 400, code: 'previous_response_not_found' })
  })
})

describe('a response that its caller does not wait for', () => {
  it('is a job at once, and later a response with its input, from which others go on', async () => {
    const body = { model, input: 'Later [[delay:50ms]]' }
    const answer = await post(router, '/responses', body, { prefer: 'respond-async' })
    expect(answer.status).toBe(202)
    const { id: job_id } = (await answer.json()) as { id: string }
    const id = job_id.replace('job_', 'resp_')
    const done = await eventually(async () => {
      const now = await client.responses.retrieve(id)
      return now.status === 'completed' ? now : undefined
    })
    expect(done).toMatchObject({ id, background: false, output_text: 'You said: Later' })
    const { data } = await client.responses.inputItems.list(id)
    expect(data).toMatchObject([{ type: 'message', role: 'user', content: [{ text: 'Later [[delay:50ms]]' }] }])
    const next = await client.responses.create({ model, input: 'And?', previous_response_id: id })
    expect(next.output_text).toBe('You said: And?')
  })
})

describe('the input of a response', () => {
  it('is counted for nothing, that of the earlier response with it', async () => {
    const spent = await costOf(router, async () => {
      const words = 'word '.repeat(100)
      const { data, response } = await client.responses.inputTokens.count({ model, input: words }).withResponse()
      expect(data).toEqual({ object: 'response.input_tokens', input_tokens: expect.any(Number) })
      expect(data.input_tokens).toBeGreaterThan(100)
      expect(response.headers.get('x-token-count')).toBe('counted')
    })
    expect(spent).toBe('0.000000000')
    const { id } = await client.responses.create({ model, input: 'word '.repeat(100) })
    const { input_tokens } = await client.responses.inputTokens.count({
      model,
      input: 'On.',
      previous_response_id: id,
    })
    expect(input_tokens).toBeGreaterThan(200)
  })

  it('is made short: its users’ words stay, the rest is a summary that any model goes on from', async () => {
    const image = 'data:image/png;base64,iVBORw0KGgo='
    const spoken: OpenAI.Responses.ResponseInput = [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'What is this?' },
          { type: 'input_image', image_url: image, detail: 'low' },
        ],
      },
      { role: 'assistant', content: 'A cat.' },
      { type: 'function_call', call_id: 'call_1', name: 'feed', arguments: '{}' },
      { type: 'function_call_output', call_id: 'call_1', output: 'It ate.' },
      { role: 'user', content: 'Thanks' },
    ]
    const spent = await costOf(router, async () => {
      const short = await client.responses.compact({ model, input: spoken, instructions: 'Be kind.' })
      expect(short).toMatchObject({ object: 'response.compaction', usage: { cost: expect.any(Number) } })
      expect(short.output).toMatchObject([
        { type: 'message', role: 'user', content: [{ text: 'What is this?' }, { image_url: image }] },
        { type: 'message', role: 'user', content: [{ text: 'Thanks' }] },
        { type: 'compaction' },
      ])
      const next = await client.responses.create({
        model,
        input: [
          ...(short.output as OpenAI.Responses.ResponseInput).slice(1),
          { role: 'user', content: '[[tokens:1]]' },
        ],
      })
      expect(next.status).toBe('completed')
      const again = await client.responses.compact({ model, input: short.output as OpenAI.Responses.ResponseInput })
      const seal = again.output.at(-1)
      if (seal?.type !== 'compaction') throw new Error('It has no summary.')
      const summary = Buffer.from(seal.encrypted_content.split(':')[1] ?? '', 'base64').toString()
      for (const words of ['Be kind.', 'A cat.', 'calls feed, call_1', 'It ate.', '[input_image]'])
        expect(summary).toContain(words)
    })
    expect(Number(spent)).toBeGreaterThan(0)
  })

  it('that only OpenAI can read is refused by name', async () => {
    const sealed = { type: 'compaction' as const, encrypted_content: 'gAAAAABo' }
    for (const path of ['/responses', '/responses/compact']) {
      const error = await errorOf(await post(router, path, { model, input: [sealed, { role: 'user', content: 'x' }] }))
      expect(error).toMatchObject({ status: 400, param: 'input[0].encrypted_content' })
    }
  })
})

describe('a response in the background', () => {
  it('is queued at once, polled to its end, charged once', async () => {
    const spent = await costOf(router, async () => {
      const queued = await client.responses.create({ model, input: 'Later [[delay:100ms]]', background: true })
      expect(queued).toMatchObject({ status: 'queued', background: true, output: [] })
      const done = await eventually(async () => {
        const now = await client.responses.retrieve(queued.id)
        return now.status === 'completed' ? now : undefined
      })
      expect(done).toMatchObject({ id: queued.id, background: true, output_text: 'You said: Later' })
      expect(costIn(done)).toBeGreaterThan(0)
    })
    expect(Number(spent)).toBeGreaterThan(0)
  })

  it('streams while it is worked on, and goes on after the event that was seen last', async () => {
    const events = await stream({ model, input: 'Later [[delay:100ms]]', background: true })
    expect(types(events).slice(0, 3)).toEqual(['created', 'queued', 'in_progress'])
    expect(numbers(events)).toEqual(events.map((_, index) => index))
    expect(events.filter(({ type }) => type === 'response.output_text.delta').length).toBeGreaterThan(1)
    const last = events.at(-1)
    if (last?.type !== 'response.completed') throw new Error('It did not complete.')
    const rest = await client.responses.retrieve(last.response.id, { stream: true, starting_after: 4 })
    expect(await Array.fromAsync(rest)).toEqual(events.slice(5))
  })

  it('is cancelled for nothing; one in the foreground cannot be', async () => {
    const spent = await costOf(router, async () => {
      const { id } = await client.responses.create({ model, input: 'Never [[delay:60s]]', background: true })
      expect(await client.responses.cancel(id)).toMatchObject({ id, status: 'cancelled' })
      expect((await client.responses.retrieve(id)).status).toBe('cancelled')
    })
    expect(spent).toBe('0.000000000')
    const { id } = await client.responses.create({ model, input: 'Now' })
    await expect(client.responses.cancel(id)).rejects.toMatchObject({ status: 400 })
  })

  it('that fails says why', async () => {
    const { id } = await client.responses.create({ model, input: '[[fail:content_policy]]', background: true })
    const failed = await eventually(async () => {
      const now = await client.responses.retrieve(id)
      return now.status === 'failed' ? now : undefined
    })
    expect(failed.error).toMatchObject({ code: 'content_policy_violation' })
  })
})

describe('a refusal', () => {
  it.each([
    [{ input: 'x', conversation: 'conv_1' }, 'conversation'],
    [{ input: 'x', tools: [{ type: 'image_generation' }] }, 'tools[0].type'],
    [{ input: 'x', background: true, store: false }, 'store'],
    [{ input: 'x', max_tool_calls: 3 }, 'max_tool_calls'],
    [{ input: 'x', frobnicate: 1 }, 'frobnicate'],
    [{ input: [{ type: 'mcp_call', id: 'mcp_1' }] }, 'input[0].type'],
    [{ input: [{ type: 'function_call', name: 'f', arguments: '{}' }] }, 'input[0].call_id'],
    [{ input: 'x', temperature: 'hot' }, 'temperature'],
    [{}, 'input'],
  ])('of %j names %s', async (body, param) => {
    expect(await errorOf(await post(router, '/responses', { model, ...body }))).toMatchObject({ status: 400, param })
  })
})

const captures = join(import.meta.dirname, '..', '..', '..', 'shared', 'clients', 'codex.json')

describe.skipIf(!existsSync(captures))('what Codex sends (../shared/clients)', () => {
  it('is answered, streamed, with an end that Codex knows', async () => {
    const sent = JSON.parse(readFileSync(captures, 'utf8')) as { path: string; body?: { model?: string } }[]
    const bodies = sent.flatMap(({ path, body }) => (/responses$/.test(path) && body?.model ? [body] : []))
    expect(bodies.length).toBeGreaterThan(5)
    for (const body of bodies) {
      const response = await post(router, '/responses', { ...body, model })
      const text = await response.text()
      expect(response.status, text.slice(0, 500)).toBe(200)
      expect(text).toMatch(/^event: response\.created\n/)
      expect(text).toMatch(/\nevent: response\.completed\ndata: .*"usage":\{[^}]*"input_tokens":\d+/)
    }
  })
})
