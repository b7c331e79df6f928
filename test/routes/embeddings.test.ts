// Embeddings, moderations and estimates: exact prices, the encodings, what is refused.
import type OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { json, Stub } from '../providers/stub.ts'
import { clientOf, costOf, creditsOf, errorOf, post } from '../support/client.ts'
import { type TestRouter, testRouter } from '../support/router.ts'

const stub = new Stub()
let router: TestRouter
let client: OpenAI
beforeAll(async () => {
  await stub.start()
  router = await testRouter({ OPENAI_API_KEY: 'sk-stub', OPENAI_BASE_URL: `${stub.url}/v1` })
  client = clientOf(router)
})
afterAll(async () => {
  await router.close()
  await stub.stop()
})

const asked = { model: 'sandbox/embed', input: ['a heron', 'the river'] }

describe('POST /v1/embeddings', () => {
  it('gives the same vectors as floats and as base64, and charges the tokens', async () => {
    const spent = await costOf(router, async () => {
      const plain = (await (await post(router, '/embeddings', asked)).json()) as OpenAI.CreateEmbeddingResponse
      expect(plain).toMatchObject({
        object: 'list',
        model: 'sandbox/embed',
        data: [{ object: 'embedding', index: 0 }, { index: 1 }],
        usage: { prompt_tokens: 4, total_tokens: 4, cost: 0.00000008 },
      })
      // The SDK asks for base64 and decodes it.
      const decoded = await client.embeddings.create({ ...asked, dimensions: 64 })
      expect(decoded.data[1]?.embedding).toHaveLength(64)
      const encoded = await client.embeddings.create({ ...asked, encoding_format: 'base64' })
      expect(Buffer.from(String(encoded.data[0]?.embedding), 'base64').readFloatLE(0)).toBeCloseTo(
        plain.data[0]?.embedding[0] ?? 9,
        6,
      )
    })
    expect(spent).toBe('0.000000240')
  })

  it('takes one text, tokens, and lists of tokens', async () => {
    for (const [input, count] of [
      ['a heron', 1],
      [[1, 2, 3], 1],
      [[[1, 2], [3]], 2],
    ] as const) {
      const { data } = (await (await post(router, '/embeddings', { ...asked, input })).json()) as { data: unknown[] }
      expect(data).toHaveLength(count)
    }
  })

  it('refuses empty and endless input, and charges nothing', async () => {
    const spent = await costOf(router, async () => {
      for (const input of [undefined, '', [], [''], ['a', 1], Array(2049).fill('a'), { text: 'a' }]) {
        const error = await errorOf(await post(router, '/embeddings', { ...asked, input }))
        expect(error).toMatchObject({ status: 400, param: expect.stringMatching(/^input/) })
      }
      expect(await errorOf(await post(router, '/embeddings', { ...asked, encoding_format: 'hex' }))).toMatchObject({
        param: 'encoding_format',
      })
      expect(await errorOf(await post(router, '/embeddings', { ...asked, model: 'sandbox/image' }))).toMatchObject({
        code: 'unsupported_operation',
      })
    })
    expect(spent).toBe('0.000000000')
  })

  it('passes another provider’s answer on, with its unknown fields and our cost', async () => {
    const own = {
      object: 'list',
      model: 'text-embedding-3-small',
      data: [{ object: 'embedding', index: 0, embedding: [0.5, 0.25] }],
      region: 'eu',
      usage: { prompt_tokens: 2, total_tokens: 2 },
    }
    stub.answer = json(own)
    const answer = await (
      await post(router, '/embeddings', {
        model: 'openai/text-embedding-3-small',
        input: 'hi',
        user: 'ada',
        novel: true,
      })
    ).json()
    expect(answer).toEqual({ ...own, usage: { ...own.usage, cost: 0.00000004 } })
    expect(JSON.parse(stub.seen.at(-1)?.body.toString() ?? '')).toMatchObject({
      model: 'text-embedding-3-small',
      user: 'ada',
      novel: true,
    })
  })
})

describe('POST /v1/moderations', () => {
  it('gives the provider’s verdict, with what it cost', async () => {
    const own = {
      id: 'modr-1',
      model: 'omni-moderation-latest',
      results: [{ flagged: true, categories: { hate: true } }],
    }
    stub.answer = json(own)
    const answer = await client.moderations.create({ model: 'openai/omni-moderation-latest', input: 'you' })
    expect(answer).toMatchObject({ ...own, usage: { cost: 0 } })
    expect(await errorOf(await post(router, '/moderations', { input: 'you' }))).toMatchObject({
      status: 400,
      param: 'model',
    })
  })
})

describe('POST /v1/estimate', () => {
  const estimate = async (body: object) =>
    (await (await post(router, '/estimate', body)).json()) as { hold_usd: string; lines: { amount_usd: string }[] }

  it('says what each kind of request would hold, and holds nothing', async () => {
    const before = await creditsOf(router)
    const cases: [object, string][] = [
      [{ operation: 'image', model: 'sandbox/image', prompt: 'x', n: 3 }, '0.030000000'],
      [{ operation: 'image', model: 'sandbox/image', prompt: 'x', image: 'https://example.com/a.png' }, '0.010000000'],
      [{ operation: 'video', model: 'sandbox/video', prompt: 'x', seconds: '8' }, '0.080000000'],
      [{ operation: 'video', model: 'sandbox/video', prompt: 'x' }, '0.040000000'],
      [{ operation: 'speech', model: 'sandbox/speech', input: 'abcd', voice: 'alloy' }, '0.000060000'],
      [{ operation: 'transcription', model: 'sandbox/transcribe', seconds: 60 }, '0.006000000'],
      [{ operation: 'chat', model: 'sandbox/chat', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] }, ''],
      [{ operation: 'embedding', model: 'sandbox/embed', input: 'hi' }, ''],
    ]
    for (const [body, hold_usd] of cases) {
      const answer = await estimate(body)
      const { operation, model } = body as { operation: string; model: string }
      expect(answer).toMatchObject({
        object: 'estimate',
        provider: 'sandbox',
        operation,
        model,
        ...(hold_usd && { hold_usd }),
      })
      const sum = answer.lines.reduce((total, { amount_usd }) => total + Number(amount_usd), 0)
      expect(sum).toBeCloseTo(Number(answer.hold_usd), 12)
    }
    expect(await creditsOf(router)).toEqual(before)
  })

  it('refuses what the request itself would be refused for', async () => {
    expect(await errorOf(await post(router, '/estimate', { model: 'sandbox/image' }))).toMatchObject({
      status: 400,
      param: 'operation',
    })
    expect(
      await errorOf(await post(router, '/estimate', { operation: 'transcription', model: 'sandbox/transcribe' })),
    ).toMatchObject({ status: 400, param: 'seconds' })
    expect(
      await errorOf(await post(router, '/estimate', { operation: 'image', model: 'sandbox/none', prompt: 'x' })),
    ).toMatchObject({ status: 404 })
  })
})
