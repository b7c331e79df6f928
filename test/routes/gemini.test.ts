// Google's clients at /v1beta: its official SDK on the sandbox, on a provider that speaks Google's format, and on one that
// does not; errors in Google's envelope, charges to the nano-dollar.
import { ApiError, FunctionCallingConfigMode, GoogleGenAI, type Part } from '@google/genai'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chunk, STREAM, USAGE } from '../fixtures/google.ts'
import { CHAT_STREAM } from '../fixtures/openai-compatible.ts'
import { json, Stub, sse } from '../providers/stub.ts'
import { costOf, eventually } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

const GOOGLE_KEY = 'AIza-hush-0123456789'
let google: Stub
let openai: Stub
let router: TestRouter
let client: GoogleGenAI

beforeAll(async () => {
  google = await new Stub().start()
  openai = await new Stub().start()
  router = await testRouter({
    GEMINI_API_KEY: GOOGLE_KEY,
    GEMINI_BASE_URL: google.url,
    OPENAI_API_KEY: 'sk-hush',
    OPENAI_BASE_URL: `${openai.url}/v1`,
  })
  client = new GoogleGenAI({ apiKey: router.api_key, httpOptions: { baseUrl: router.url } })
})
afterAll(async () => {
  await router.close()
  await google.stop()
  await openai.stop()
})

const post = (path: string, body: unknown, headers: Record<string, string> = { 'x-goog-api-key': router.api_key }) =>
  fetch(router.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
const hi = { contents: [{ parts: [{ text: 'hi' }] }] }
const costIn = (usage: object | undefined) => (usage as { cost?: number } | undefined)?.cost
const weather = {
  name: 'weather',
  description: 'Tells the weather',
  parametersJsonSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
}

describe('Google’s SDK on the sandbox', () => {
  it('gets a whole answer with its usage and its cost', async () => {
    const answer = await client.models.generateContent({ model: 'sandbox/chat', contents: 'Hello' })
    expect(answer.text).toBe('You said: Hello')
    expect(answer.candidates?.[0]?.finishReason).toBe('STOP')
    expect(answer.usageMetadata).toMatchObject({
      promptTokenCount: expect.any(Number),
      totalTokenCount: expect.any(Number),
    })
    expect(costIn(answer.usageMetadata)).toBeGreaterThan(0)
    expect(answer.modelVersion).toBe('sandbox/chat')
  })

  it('gets a stream, and its usage and cost in the last chunk', async () => {
    const stream = await client.models.generateContentStream({ model: 'sandbox/chat', contents: 'Hello there' })
    const chunks = await Array.fromAsync(stream)
    expect(chunks.length).toBeGreaterThan(2)
    expect(chunks.map(({ text }) => text ?? '').join('')).toBe('You said: Hello there')
    const last = chunks.at(-1)
    expect(last?.candidates?.[0]?.finishReason).toBe('STOP')
    expect(costIn(last?.usageMetadata)).toBeGreaterThan(0)
  })

  it('has functions called, and their results read, over two turns', async () => {
    const config = { tools: [{ functionDeclarations: [weather] }] }
    const asked = { role: 'user', parts: [{ text: 'Weather? [[tool:weather {"city":"Paris"}]]' }] }
    const first = await client.models.generateContent({ model: 'sandbox/chat', contents: [asked], config })
    expect(first.functionCalls).toMatchObject([{ name: 'weather', args: { city: 'Paris' } }])
    const parts: Part[] = [{ functionResponse: { name: 'weather', response: { output: 'sunny' } } }]
    const called = first.candidates?.[0]?.content
    if (!called) throw new Error('nothing was called')
    const second = await client.models.generateContent({
      model: 'sandbox/chat',
      contents: [asked, called, { role: 'user', parts }],
      config,
    })
    expect(second.text).toContain('sunny')
    const streamed = await client.models.generateContentStream({ model: 'sandbox/chat', contents: [asked], config })
    const calls = (await Array.fromAsync(streamed)).flatMap(({ functionCalls }) => functionCalls ?? [])
    expect(calls).toMatchObject([{ name: 'weather', args: { city: 'Paris' } }])
  })

  it('keeps settings: a limit, a system instruction, several answers', async () => {
    const short = await client.models.generateContent({
      model: 'sandbox/chat',
      contents: '[[tokens:50]]',
      config: { maxOutputTokens: 5, systemInstruction: 'Be brief.', candidateCount: 2 },
    })
    expect(short.candidates?.map(({ finishReason }) => finishReason)).toEqual(['MAX_TOKENS', 'MAX_TOKENS'])
    expect(short.usageMetadata?.candidatesTokenCount).toBe(10)
  })

  it('counts tokens, lists models, and finds one', async () => {
    const { totalTokens } = await client.models.countTokens({
      model: 'sandbox/chat',
      contents: 'Hello there, dear reader',
    })
    expect(totalTokens).toBeGreaterThan(3)
    const models = await Array.fromAsync(await client.models.list())
    const names = models.map(({ name }) => name)
    expect(names).toContain('models/sandbox/chat')
    expect(names).toContain('models/google/gemini-2.5-flash')
    expect(names).not.toContain('models/sandbox/image')
    expect(await client.models.get({ model: 'sandbox/chat' })).toMatchObject({
      name: 'models/sandbox/chat',
      inputTokenLimit: 128_000,
      supportedActions: ['generateContent', 'streamGenerateContent', 'countTokens'],
    })
  })

  it('gets errors of Google’s own form, whole and in the middle of a stream', async () => {
    const call = (contents: string) => client.models.generateContent({ model: 'sandbox/chat', contents })
    await expect(call('[[fail:rate_limit]]')).rejects.toMatchObject({ constructor: ApiError, status: 429 })
    await expect(call('[[fail:content_policy]]')).rejects.toMatchObject({ status: 400 })
    const stream = await client.models.generateContentStream({
      model: 'sandbox/chat',
      contents: '[[tokens:9]] [[cut]]',
    })
    await expect(Array.fromAsync(stream)).rejects.toMatchObject({ constructor: ApiError, status: 502 })
  })
})

describe('the addresses', () => {
  it.each([
    ['a slash in the model', 'sandbox/chat'],
    ['an escaped slash', 'sandbox%2Fchat'],
    ['a pinned provider', 'sandbox:sandbox/chat'],
    ['a bare name', 'chat'],
  ])('take %s', async (_what, model) => {
    const answer = await post(`/v1beta/models/${model}:generateContent`, hi)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-cost-usd')).toMatch(/^0\.0000\d{5}$/)
    expect(answer.headers.get('x-job-id')).toMatch(/^job_/)
  })

  it('stream one JSON array where events are not asked for', async () => {
    const answer = await post('/v1beta/models/sandbox/chat:streamGenerateContent', hi)
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    const chunks = (await answer.json()) as { usageMetadata?: object }[]
    expect(chunks.length).toBeGreaterThan(1)
    expect(costIn(chunks.at(-1)?.usageMetadata)).toBeGreaterThan(0)
    const broken = await post('/v1beta/models/sandbox/chat:streamGenerateContent', {
      contents: [{ parts: [{ text: '[[tokens:9]] [[cut]]' }] }],
    })
    expect(((await broken.json()) as object[]).at(-1)).toMatchObject({ error: { code: 502, status: 'UNAVAILABLE' } })
  })

  it('take the key in the query here and nowhere else', async () => {
    expect((await post(`/v1beta/models/chat:generateContent?key=${router.api_key}`, hi, {})).status).toBe(200)
    expect((await fetch(`${router.base_url}/models?key=${router.api_key}`)).status).toBe(401)
  })

  it('accept a job and give its answer later', async () => {
    const accepted = await post('/v1beta/models/sandbox/chat:streamGenerateContent?alt=sse', hi, {
      'x-goog-api-key': router.api_key,
      prefer: 'respond-async',
    })
    expect(accepted.status).toBe(202)
    const { id } = (await accepted.json()) as { id: string }
    const headers = { authorization: `Bearer ${router.api_key}` }
    const done = await eventually(async () => {
      const job = (await (await fetch(`${router.base_url}/jobs/${id}`, { headers })).json()) as { status: string }
      return job.status === 'completed' ? job : undefined
    })
    expect(done).toMatchObject({ operation: 'chat' })
    const output = await fetch(`${router.base_url}/jobs/${id}/outputs/0`, { headers })
    expect(await output.json()).toMatchObject({ candidates: [{ content: { parts: [{ text: 'You said: hi' }] } }] })
  })

  it.each<[string, string, object, Record<string, string> | undefined, object]>([
    ['no key', 'chat:generateContent', hi, {}, { code: 401, status: 'UNAUTHENTICATED' }],
    ['an unknown model', 'gemini-9:generateContent', hi, undefined, { code: 404, status: 'NOT_FOUND' }],
    ['an unknown method', 'sandbox/chat:embedContent', hi, undefined, { code: 404, status: 'NOT_FOUND' }],
    ['a picture model', 'sandbox/image:generateContent', hi, undefined, { code: 400, status: 'INVALID_ARGUMENT' }],
    [
      'a field of the wrong type',
      'chat:generateContent',
      { ...hi, generationConfig: { topP: 'x' } },
      undefined,
      {
        code: 400,
        status: 'INVALID_ARGUMENT',
        details: [{ reason: 'INVALID_TYPE' }, { fieldViolations: [{ field: 'generationConfig.topP' }] }],
      },
    ],
    [
      'a cost above what is allowed',
      'chat:generateContent',
      { ...hi, max_cost_usd: '0' },
      undefined,
      { code: 400, details: [{ reason: 'MAX_COST_EXCEEDED', metadata: { max_cost_usd: '0.000000000' } }, {}] },
    ],
  ])('answer %s in Google’s envelope, for nothing', async (_what, call, body, headers, error) => {
    const charged = await costOf(router, async () => {
      const answer = await post(`/v1beta/models/${call}`, body, headers)
      const told = (await answer.json()) as { error: { code: number } }
      expect(told).toMatchObject({ error })
      expect(answer.status).toBe(told.error.code)
    })
    expect(charged).toBe('0.000000000')
  })
})

describe('a provider that speaks Google’s format', () => {
  // 8 plain, 4 cached and 12 output tokens of gemini-2.5-flash: 8 × 0.30 + 4 × 0.03 + 12 × 2.50 USD a million.
  const COST = '0.000032520'

  it('passes streams through as they came, fields that nobody knows included, and charges them exactly', async () => {
    google.answer = sse(STREAM.replaceAll('"index":0', '"index":0,"future":1'), 50)
    const cost = await costOf(router, async () => {
      const answer = await post('/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse', {
        ...hi,
        futureField: [1.5],
        generation_config: { temperature: 0.5 },
      })
      const text = await answer.text()
      const before = text.slice(0, text.lastIndexOf('data: '))
      expect(STREAM.replaceAll('"index":0', '"index":0,"future":1').startsWith(before)).toBe(true)
      expect(JSON.parse(text.slice(text.lastIndexOf('data: ') + 6))).toMatchObject({
        candidates: [{ finishReason: 'STOP', future: 1 }],
        usageMetadata: { ...USAGE, cost: 0.00003252 },
      })
    })
    expect(cost).toBe(COST)
    const seen = google.seen.at(-1)
    expect(seen?.path).toBe('/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse')
    expect(seen?.headers['x-goog-api-key']).toBe(GOOGLE_KEY)
    expect(JSON.parse(String(seen?.body))).toEqual({
      ...hi,
      futureField: [1.5],
      generationConfig: { temperature: 0.5, maxOutputTokens: 16_384 },
    })
  })

  it('passes whole answers through to the SDK, thoughts and signatures too', async () => {
    const parts = [{ functionCall: { name: 'weather', args: {} }, thoughtSignature: 'c2ln' }]
    google.answer = json({
      candidates: [{ content: { parts, role: 'model' }, finishReason: 'STOP' }],
      usageMetadata: USAGE,
    })
    const cost = await costOf(router, async () => {
      const answer = await client.models.generateContent({
        model: 'google/gemini-2.5-flash',
        contents: 'hi',
        config: {
          tools: [{ functionDeclarations: [weather] }],
          toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } },
          thinkingConfig: { includeThoughts: true, thinkingBudget: 100 },
          maxOutputTokens: 500,
        },
      })
      expect(answer.candidates?.[0]?.content?.parts).toEqual(parts)
      expect(costIn(answer.usageMetadata)).toBe(0.00003252)
    })
    expect(cost).toBe(COST)
    expect(JSON.parse(String(google.seen.at(-1)?.body))).toMatchObject({
      generationConfig: { maxOutputTokens: 500, thinkingConfig: { thinkingBudget: 100 } },
      tools: [{ functionDeclarations: [weather] }],
    })
  })

  it('answers a blocked prompt as Google does, and charges nothing', async () => {
    google.answer = json({ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 900 } })
    const cost = await costOf(router, async () => {
      const answer = await client.models.generateContent({ model: 'gemini-2.5-flash', contents: 'bad' })
      expect(answer.promptFeedback?.blockReason).toBe('SAFETY')
    })
    expect(cost).toBe('0.000000000')
  })

  it.each([
    ['400 for a bad key', 400, { status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }] }, 502],
    ['400', 400, { status: 'INVALID_ARGUMENT', message: 'No such thing.' }, 400],
    ['429', 429, { status: 'RESOURCE_EXHAUSTED', details: [{ retryDelay: '12s' }] }, 429],
    ['503', 503, { status: 'UNAVAILABLE' }, 503],
  ])('turns its %s into the right error, for nothing and without our key', async (_what, code, error, status) => {
    google.answer = json({ error: { code, message: `Bad key ${GOOGLE_KEY}`, ...error } }, code)
    const cost = await costOf(router, async () => {
      const answer = await post('/v1beta/models/gemini-2.5-flash:generateContent', hi)
      const text = await answer.text()
      expect(answer.status).toBe(status)
      expect(JSON.parse(text).error.code).toBe(status)
      expect(text).not.toContain('hush')
      if (status === 429) expect(text).toContain('"retryDelay":"12s"')
    })
    expect(cost).toBe('0.000000000')
  })

  it('tells an error in the middle of a stream as its last event, and charges nothing', async () => {
    const error = { code: 503, message: 'overloaded', status: 'UNAVAILABLE' }
    google.answer = sse(`${chunk([{ text: 'a' }])}data: ${JSON.stringify({ error })}\r\n\r\n`)
    const cost = await costOf(router, async () => {
      const answer = await post('/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse', hi)
      const last = (await answer.text()).split('data: ').at(-1)
      expect(JSON.parse(last ?? '')).toMatchObject({ error: { code: 503, status: 'UNAVAILABLE' } })
    })
    expect(cost).toBe('0.000000000')
  })

  it('counts tokens itself', async () => {
    google.answer = json({ totalTokens: 42 })
    const answer = await post('/v1beta/models/gemini-2.5-flash:countTokens', hi)
    expect(await answer.json()).toEqual({ totalTokens: 42 })
    expect(JSON.parse(String(google.seen.at(-1)?.body))).toEqual({
      generateContentRequest: { model: 'models/gemini-2.5-flash', ...hi },
    })
  })

  it('embeds texts for OpenAI’s SDK, which asks for base64', async () => {
    google.answer = json({ embeddings: [{ values: [0.25, -0.5] }], usageMetadata: { promptTokenCount: 7 } })
    const official = new OpenAI({ baseURL: router.base_url, apiKey: router.api_key, maxRetries: 0 })
    const cost = await costOf(router, async () => {
      const { data } = await official.embeddings.create({ model: 'gemini-embedding-2', input: 'Hello', dimensions: 2 })
      expect(data[0]?.embedding).toEqual([0.25, -0.5])
    })
    expect(cost).toBe('0.000001400')
    expect(google.seen.at(-1)?.path).toBe('/v1beta/models/gemini-embedding-2:batchEmbedContents')
    expect(JSON.parse(String(google.seen.at(-1)?.body))).toEqual({
      requests: [
        { model: 'models/gemini-embedding-2', content: { parts: [{ text: 'Hello' }] }, outputDimensionality: 2 },
      ],
    })
  })

  it('serves OpenAI’s SDK: text, thoughts, calls whose signature comes back, usage and cost', async () => {
    const official = new OpenAI({ baseURL: router.base_url, apiKey: router.api_key, maxRetries: 0 })
    const call = { functionCall: { id: 'c1', name: 'weather', args: { city: 'Paris' } }, thoughtSignature: 'c2ln' }
    google.answer = sse(chunk([{ text: 'hm', thought: true }, { text: 'So:' }]) + chunk([call], 'STOP'))
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } }]
    const asked = { role: 'user' as const, content: 'Weather?' }
    let message: OpenAI.ChatCompletionMessage | undefined
    const cost = await costOf(router, async () => {
      const answer = await official.chat.completions.create({ model: 'gemini-2.5-flash', messages: [asked], tools })
      message = answer.choices[0]?.message
      expect(answer.choices[0]?.finish_reason).toBe('tool_calls')
      expect(answer.usage).toMatchObject({
        prompt_tokens: 12,
        completion_tokens: 12,
        completion_tokens_details: { reasoning_tokens: 5 },
        cost: 0.00003252,
      })
    })
    expect(cost).toBe(COST)
    const id = expect.stringMatching(/^c1_signed_/)
    expect(message).toMatchObject({ content: 'So:', reasoning_content: 'hm', tool_calls: [{ id }] })
    const given = message?.tool_calls?.[0]
    if (given?.type !== 'function') throw new Error('no call')
    // As clients give it back that know nothing of extra_content.
    const kept = {
      role: 'assistant' as const,
      content: 'So:',
      tool_calls: [{ id: given.id, type: given.type, function: given.function }],
    }
    google.answer = sse(STREAM)
    const result = { role: 'tool' as const, tool_call_id: given.id, content: 'sunny' }
    await official.chat.completions.create({ model: 'gemini-2.5-flash', messages: [asked, kept, result], tools })
    expect(JSON.parse(String(google.seen.at(-1)?.body)).contents).toEqual([
      { role: 'user', parts: [{ text: 'Weather?' }] },
      { role: 'model', parts: [{ text: 'So:' }, call] },
      { role: 'user', parts: [{ functionResponse: { id: 'c1', name: 'weather', response: { output: 'sunny' } } }] },
    ])
  })
})

describe('a provider that speaks OpenAI’s format', () => {
  it('serves Google’s SDK the same words, as a stream and whole, at the same price', async () => {
    openai.answer = sse(CHAT_STREAM)
    const ask = {
      model: 'openai/gpt-4.1',
      contents: 'hi',
      config: { maxOutputTokens: 100, systemInstruction: 'Be brief.' },
    }
    let cost = 0
    const charged = await costOf(router, async () => {
      const chunks = await Array.fromAsync(await client.models.generateContentStream(ask))
      expect(chunks.map(({ text }) => text ?? '').join('')).toBe('Hello there, "dear" wörld')
      expect(chunks.at(-1)?.usageMetadata).toMatchObject({
        promptTokenCount: 9,
        cachedContentTokenCount: 4,
        candidatesTokenCount: 10,
        totalTokenCount: 19,
      })
      cost = costIn(chunks.at(-1)?.usageMetadata) ?? 0
    })
    expect(Number(charged)).toBe(cost)
    expect(cost).toBeGreaterThan(0)
    expect(JSON.parse(String(openai.seen.at(-1)?.body))).toMatchObject({
      model: 'gpt-4.1',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'hi' },
      ],
      max_tokens: 100,
    })
    expect((await client.models.generateContent(ask)).text).toBe('Hello there, "dear" wörld')
  })

  it('is not asked what it cannot do: that is refused by the name of the field', async () => {
    const seen = openai.seen.length
    const answer = await post('/v1beta/models/gpt-4.1:generateContent', { ...hi, generationConfig: { topK: 3 } })
    expect(await answer.json()).toMatchObject({ error: { code: 400, message: expect.stringContaining('top_k') } })
    expect(openai.seen.length).toBe(seen)
  })
})
