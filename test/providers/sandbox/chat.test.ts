// The sandbox's chat under every order of the prompt and every field that changes an answer.
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { countTokens } from '../../../providers/sandbox/tokens.ts'
import {
  type Call,
  type ChatEvent,
  type ChatMessage,
  type ChatRequest,
  type Connection,
  type ContentPart,
  ERROR_KINDS,
  type ErrorKind,
} from '../../../src/contract.ts'
import { callFor, capability, connect } from './sandbox.ts'

const user = (...content: (string | ContentPart)[]): ChatMessage => ({
  role: 'user',
  content: content.map((part) => (typeof part === 'string' ? { type: 'text', text: part } : part)),
})

async function chat(
  prompt: string | ChatMessage[],
  request: Partial<ChatRequest> = {},
  call: Partial<Call> = {},
  connection?: Connection,
) {
  const messages = typeof prompt === 'string' ? [user(prompt)] : prompt
  const [chosen] = capability('chat', connection)
  if (chosen === undefined) throw new Error('no chat')
  const events: ChatEvent[] = []
  for await (const event of chosen.stream({ model: 'sandbox/chat', messages, ...request }, callFor('chat', call))) {
    events.push(event)
  }
  return events
}

const textOf = (events: ChatEvent[], choice = 0) =>
  events.map((event) => (event.type === 'text' && event.choice === choice ? event.text : '')).join('')
const finishes = (events: ChatEvent[]) => events.filter((event) => event.type === 'finish')
const metersOf = (events: ChatEvent[]) =>
  events.flatMap((event) => (event.type === 'usage' ? [event.usage.meters] : []))[0]
const callsOf = (events: ChatEvent[]) => {
  const calls: { id?: string; kind?: string; name?: string; namespace?: string; arguments: string }[] = []
  for (const event of events) {
    if (event.type !== 'tool_call') continue
    const { arguments: more = '', ...head } = event.call
    const before = calls[event.index]
    calls[event.index] = { ...before, ...head, arguments: (before?.arguments ?? '') + more }
  }
  return calls
}

describe('an answer', () => {
  test('echoes what was said, token by token, then finishes and reports its usage once', async () => {
    const events = await chat('Hello, dear world')
    expect(textOf(events)).toBe('You said: Hello, dear world')
    expect(events.filter(({ type }) => type === 'text').length).toBeGreaterThan(4)
    expect(events.slice(-2)).toEqual([
      { type: 'finish', choice: 0, reason: 'stop' },
      {
        type: 'usage',
        usage: {
          meters: { input_tokens: 4 + countTokens('Hello, dear world'), output_tokens: events.length - 2 },
          source: 'reported',
        },
      },
    ])
  })

  test('is the same twice', async () => {
    expect(await chat('Same [[tokens:80]]')).toEqual(await chat('Same [[tokens:80]]'))
  })

  test('gives as many choices as asked, each with its finish, in one usage', async () => {
    const events = await chat('Hi', { choices: 3 })
    expect([0, 1, 2].map((choice) => textOf(events, choice))).toEqual([
      'You said: Hi',
      '(2) You said: Hi',
      '(3) You said: Hi',
    ])
    expect(finishes(events)).toHaveLength(3)
    expect(metersOf(events)?.output_tokens).toBe(events.length - 4)
  })

  test('stops at the output limit with finish length', async () => {
    const events = await chat('One two three four five', { max_output_tokens: 5 })
    expect(finishes(events)).toEqual([{ type: 'finish', choice: 0, reason: 'length' }])
    expect(metersOf(events)?.output_tokens).toBe(5)
  })

  test('ends before the first stop sequence and names it', async () => {
    const events = await chat('apple banana cherry', { stop: ['cherry', 'banana'] })
    expect(textOf(events)).toBe('You said: apple ')
    expect(finishes(events)).toEqual([{ type: 'finish', choice: 0, reason: 'stop', stop_sequence: 'banana' }])
  })

  test('carries log probabilities when they are asked for', async () => {
    const [first] = await chat('Hi', { top_logprobs: 1 })
    expect(first).toMatchObject({
      text: 'You',
      logprobs: { content: [{ token: 'You', logprob: 0, top_logprobs: [{ token: 'You' }] }] },
    })
  })

  test('says so when nothing was said', async () => {
    expect(textOf(await chat([]))).toBe('You said nothing.')
  })

  test('acknowledges pictures by their size as shown, and other files by their count', async () => {
    const picture = await sharp({ create: { width: 640, height: 480, channels: 3, background: 'teal' } })
      .jpeg()
      .toBuffer()
    const image: ContentPart = { type: 'image', image: { type: 'bytes', data: picture, media_type: 'image/jpeg' } }
    const far: ContentPart = { type: 'image', image: { type: 'url', url: 'https://pictures.example/a.png' } }
    const document: ContentPart = { type: 'document', document: { type: 'file', id: 'file-1' } }
    expect(textOf(await chat([user(image, 'What is it?')]))).toBe('I see 1 picture of 640x480. You said: What is it?')
    expect(textOf(await chat([user(image, far, document, 'And?')]))).toBe(
      'I see 2 pictures of 640x480, unknown size. I got 1 document file. You said: And?',
    )
  })

  test('refuses a picture that cannot be read, and spoken answers', async () => {
    const image: ContentPart = {
      type: 'image',
      image: { type: 'bytes', data: Buffer.from('no'), media_type: 'image/png' },
    }
    await expect(chat([user(image, 'x')])).rejects.toMatchObject({
      kind: 'invalid_request',
      detail: { param: 'messages' },
    })
    await expect(chat('x', { modalities: ['text', 'audio'] })).rejects.toMatchObject({
      detail: { param: 'modalities' },
    })
  })

  test('counts fewer tokens than the router holds for, whatever the script', async () => {
    for (const text of [
      'plain words',
      'ünïcödé ñ',
      '日本語のテキスト',
      '👩‍👩‍👧‍👦🎉',
      'a  b\n\n\tc',
      '{"a":[1,2,3]}',
      '',
      '\ud800',
    ]) {
      const meters = metersOf(
        await chat([user(text), { role: 'assistant', content: [{ type: 'text', text }] }, user(text)]),
      )
      expect(meters?.input_tokens).toBeLessThanOrEqual(3 * (Buffer.byteLength(text) + 16))
    }
  })
})

describe('JSON', () => {
  test('is a valid object when asked for', async () => {
    expect(JSON.parse(textOf(await chat('Say "hi"', { response_format: { type: 'json' } })))).toEqual({
      answer: 'You said: Say "hi"',
    })
  })

  test('satisfies a simple schema', async () => {
    const schema = {
      type: 'object',
      $defs: { colour: { enum: ['red', 'blue'] } },
      properties: {
        name: { type: 'string', minLength: 10, maxLength: 12 },
        colour: { $ref: '#/$defs/colour' },
        age: { type: 'integer', minimum: 18 },
        share: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 0.5 },
        tags: { type: 'array', items: { type: 'boolean' }, minItems: 2 },
        day: { type: ['null', 'string'], format: 'date' },
        either: { anyOf: [{ type: 'null' }, { type: 'string' }] },
        both: {
          allOf: [
            { properties: { a: { const: 1 } }, required: ['a'] },
            { type: 'object', properties: { b: { type: 'boolean' } }, required: ['b'] },
          ],
        },
        never: { type: 'string' },
      },
      required: ['name', 'colour', 'age', 'share', 'tags', 'day', 'either', 'both'],
    }
    const text = textOf(await chat('x', { response_format: { type: 'json_schema', name: 'thing', schema } }))
    expect(JSON.parse(text)).toEqual({
      name: 'sandbox...',
      colour: 'red',
      age: 18,
      share: 0.25,
      tags: [true, true],
      day: '2026-01-01',
      either: null,
      both: { a: 1, b: true },
    })
  })

  test('ends soon on a schema that requires itself many times, or more than anyone can write', async () => {
    const names = Array.from({ length: 10 }, (_, index) => `next_${index}`)
    const properties = Object.fromEntries(names.map((name) => [name, { $ref: '#' }]))
    for (const schema of [
      { type: 'object', properties, required: names },
      { type: 'array', minItems: 1e9, items: { type: 'string', minLength: 1e9 } },
      { $ref: '#' },
    ]) {
      const response_format = { type: 'json_schema' as const, name: 'endless', schema }
      expect(JSON.parse(textOf(await chat('x', { response_format, max_output_tokens: 1e9 })))).toBeDefined()
    }
  })
})

describe('tools', () => {
  const weather = {
    kind: 'function' as const,
    name: 'weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  }

  test('are called with the ordered arguments, in deltas', async () => {
    const events = await chat('[[tool:weather {"city":"Paris","days":[[1,2]]}]] please', { tools: [weather] })
    expect(callsOf(events)).toEqual([
      {
        id: expect.stringMatching(/^call_/),
        kind: 'function',
        name: 'weather',
        arguments: '{"city":"Paris","days":[[1,2]]}',
      },
    ])
    expect(finishes(events)).toEqual([{ type: 'finish', choice: 0, reason: 'tool_calls' }])
    expect(metersOf(events)?.output_tokens).toBeGreaterThan(5)
  })

  test('are called even if none is on offer, but not by a name that is not on offer', async () => {
    expect(callsOf(await chat('[[tool:weather]]'))).toMatchObject([{ name: 'weather', arguments: '{}' }])
    await expect(chat('[[tool:wether]]', { tools: [weather] })).rejects.toThrow('on offer, which are weather')
  })

  test('are called together, or one at a time when the caller says so', async () => {
    const prompt = '[[tool:weather {"city":"Rome"}]] [[tool:weather {"city":"Oslo"}]]'
    const calls = callsOf(await chat(prompt, { tools: [weather] }))
    expect(calls.map((call) => call.arguments)).toEqual(['{"city":"Rome"}', '{"city":"Oslo"}'])
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2)
    expect(callsOf(await chat(prompt, { tools: [weather], parallel_tool_calls: false }))).toHaveLength(1)
  })

  test('are called with example arguments when the request leaves no choice', async () => {
    const events = await chat('hello', { tools: [weather], tool_choice: { mode: 'required' } })
    expect(callsOf(events)).toMatchObject([{ name: 'weather', arguments: '{"city":"sandbox"}' }])
  })

  test('are not called when the request forbids it', async () => {
    expect(callsOf(await chat('[[tool:weather]]', { tools: [weather], tool_choice: { mode: 'none' } }))).toEqual([])
  })

  test('keep their namespace and their kind', async () => {
    const custom = { kind: 'custom' as const, name: 'patch' }
    const tools = [{ ...weather, namespace: 'skies' }, custom]
    expect(callsOf(await chat('[[tool:weather]] [[tool:patch "text"]]', { tools }))).toMatchObject([
      { kind: 'function', namespace: 'skies' },
      { kind: 'custom', arguments: '"text"' },
    ])
  })

  test('are answered in words once the result is there', async () => {
    const messages: ChatMessage[] = [
      user('[[tool:weather {"city":"Paris"}]]'),
      {
        role: 'assistant',
        content: [{ type: 'tool_call', id: 'call_1', kind: 'function', name: 'weather', arguments: '{}' }],
      },
      {
        role: 'tool',
        content: [{ type: 'tool_result', call_id: 'call_1', content: [{ type: 'text', text: '21 degrees' }] }],
      },
    ]
    const events = await chat(messages, { tools: [weather] })
    expect(textOf(events)).toBe('The tool answered: 21 degrees')
    expect(finishes(events)).toEqual([{ type: 'finish', choice: 0, reason: 'stop' }])
  })
})

describe('orders', () => {
  test.each(Object.keys(ERROR_KINDS) as ErrorKind[])(
    '[[fail:%s]] fails with that kind before any output',
    async (kind) => {
      await expect(chat(`hello [[fail:${kind}]]`)).rejects.toMatchObject({ name: 'ProviderError', kind })
    },
  )

  test('"once" fails the first attempt of a job and lets its retry through', async () => {
    const connection = connect()
    const attempt = (job: string) => chat('hello [[fail:overloaded once]]', {}, { job }, connection)
    await expect(attempt('job_a')).rejects.toMatchObject({ kind: 'overloaded' })
    await expect(attempt('job_b')).rejects.toMatchObject({ kind: 'overloaded' })
    expect(textOf(await attempt('job_a'))).toBe('You said: hello')
    expect(textOf(await attempt('job_a'))).toBe('You said: hello')
  })

  test('several "once" are spent one an attempt', async () => {
    const connection = connect()
    const attempt = () => chat('[[fail:timeout once]][[fail:rate_limit once]]', {}, { job: 'job_c' }, connection)
    await expect(attempt()).rejects.toMatchObject({ kind: 'timeout' })
    await expect(attempt()).rejects.toMatchObject({ kind: 'rate_limit', detail: { retry_after_ms: 1000 } })
    expect(finishes(await attempt())).toHaveLength(1)
  })

  test('[[tokens:n]] makes the answer exactly so long', async () => {
    for (const tokens of [1, 500]) {
      const events = await chat(`hello [[tokens:${tokens}]]`)
      expect(metersOf(events)?.output_tokens).toBe(tokens)
      expect(countTokens(textOf(events))).toBe(tokens)
      expect(finishes(events)).toEqual([{ type: 'finish', choice: 0, reason: 'stop' }])
    }
  })

  test('[[cut]] breaks off after some output, with neither finish nor usage', async () => {
    const events = await chat('hello [[cut]] [[tokens:20]]')
    expect(events).toHaveLength(10)
    expect(events.every(({ type }) => type === 'text')).toBe(true)
  })

  test('[[no-usage]] leaves the usage out and nothing else', async () => {
    const events = await chat('hello [[no-usage]]')
    expect(metersOf(events)).toBeUndefined()
    expect(finishes(events)).toHaveLength(1)
  })

  test('[[delay]] waits before the first output and, when short, before each further delta', async () => {
    const started = performance.now()
    const events = await chat('[[delay:20ms]] [[tokens:5]]')
    expect(performance.now() - started).toBeGreaterThanOrEqual(5 * 20 - 5)
    expect(metersOf(events)?.output_tokens).toBe(5)
  })

  test('combine: wait, fail once, then call the tool', async () => {
    const connection = connect()
    const prompt = '[[delay:20ms]] [[fail:unavailable once]] [[tool:look {"at":1}]] [[no-usage]]'
    const started = performance.now()
    await expect(chat(prompt, {}, { job: 'job_d' }, connection)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(performance.now() - started).toBeGreaterThanOrEqual(19)
    const events = await chat(prompt, {}, { job: 'job_d' }, connection)
    expect(callsOf(events)).toMatchObject([{ name: 'look', arguments: '{"at":1}' }])
    expect(metersOf(events)).toBeUndefined()
  })

  test('count in the last message of the user only', async () => {
    const messages = [user('[[fail:internal]]'), { role: 'assistant' as const, content: [] }, user('again')]
    expect(textOf(await chat(messages))).toBe('You said: again')
  })

  test.each([
    ['[[explode]]', 'there is no such order. The sandbox knows [[fail:<kind>]]'],
    ['[[fail:sadness]]', 'The kinds are invalid_request'],
    ['[[fail:overloaded twice]]', 'only "once"'],
    ['[[delay:5]]', 'ms or s'],
    ['[[delay:9000s]]', 'at most 600s'],
    ['[[tokens:0]]', 'from 1 to 100000'],
    ['[[tokens:many]]', 'from 1 to 100000'],
    ['[[tool:name {bad json}]]', 'as JSON'],
    ['[[cut:here]]', 'write it as [[cut]]'],
  ])('%s is refused with what would be right', async (prompt, message) => {
    await expect(chat(prompt)).rejects.toThrow(message)
    await expect(chat(prompt)).rejects.toMatchObject({ kind: 'invalid_request', detail: { param: 'messages' } })
  })

  test('are not seen in ordinary text with brackets', async () => {
    const text = 'if [[ -f x ]]; then a=[[1, 2], [3]]; m[[i, j]] fi [[unclosed '
    expect(textOf(await chat(text))).toBe(`You said: ${text.trim()}`)
  })
})

describe('aborting', () => {
  test('ends a wait at once with canceled', async () => {
    const controller = new AbortController()
    const started = performance.now()
    const answer = chat('[[delay:60s]]', {}, { signal: controller.signal })
    setTimeout(() => controller.abort(), 10)
    await expect(answer).rejects.toMatchObject({ kind: 'canceled' })
    expect(performance.now() - started).toBeLessThan(2000)
  })

  test('ends a stream between two deltas', async () => {
    const controller = new AbortController()
    const [connection] = capability('chat')
    const request = { model: 'sandbox/chat', messages: [user('[[tokens:100000]]')] }
    let deltas = 0
    const read = async () => {
      for await (const _ of connection?.stream(request, callFor('chat', { signal: controller.signal })) ?? []) {
        if (++deltas === 3) controller.abort()
      }
    }
    await expect(read()).rejects.toMatchObject({ kind: 'canceled' })
    expect(deltas).toBe(3)
  })
})
